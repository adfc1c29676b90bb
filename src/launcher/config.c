/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/strv.h"
#include "base/utf8.h"

/* --- parsers: one for each kind of value ----------------------------------------------------- */

struct config_key;
typedef int config_parse_fn(struct launcher_config *config, const struct config_key *key,
                            const char *value, struct error *err);

struct config_key {
    const char *name;
    config_parse_fn *parse;
    size_t member;        /* of struct launcher_config; of a ceiling: enum limit */
    const char *initial;  /* the default, parsed like any other; NULL: nothing */
    const char *argument; /* for --help */
    const char *help;
    /* Of a key that repeats: forgets what was collected. NULL: it doesn't repeat. */
    void (*clear)(struct launcher_config *config);
    bool at_start; /* stays while the launcher runs; doesn't repeat, and has a default */
};

static void *config_member(struct launcher_config *config, const struct config_key *key)
{
    return (uint8_t *)config + key->member;
}

static int parse_text(struct launcher_config *config, const struct config_key *key,
                      const char *value, struct error *err)
{
    char **member = config_member(config, key);
    char *copy = strdup(value);

    if (!copy)
        return error_set(err, -ENOMEM, "no memory");
    free(*member);
    *member = copy;
    return 0;
}

static int check_path(const char *value, struct error *err)
{
    if (value[0] != '/')
        return error_set(err, -EINVAL, "\"%s\" isn't an absolute path", value);
    return 0;
}

static int parse_path(struct launcher_config *config, const struct config_key *key,
                      const char *value, struct error *err)
{
    int r = check_path(value, err);

    return r < 0 ? r : parse_text(config, key, value, err);
}

static int parse_hidden(struct launcher_config *config, const struct config_key *key,
                        const char *value, struct error *err)
{
    int r = check_path(value, err);

    if (r < 0)
        return r;
    r = strv_append(config_member(config, key), value);
    return r < 0 ? error_set(err, r, "no memory") : 0;
}

static int parse_variable(struct launcher_config *config, const struct config_key *key,
                          const char *value, struct error *err)
{
    int r;

    if (value[0] == '=' || !strchr(value, '='))
        return error_set(err, -EINVAL, "\"%s\" isn't NAME=VALUE", value);
    r = strv_append(config_member(config, key), value);
    return r < 0 ? error_set(err, r, "no memory") : 0;
}

static int parse_listen_rule(struct launcher_config *config, const struct config_key *key,
                             const char *value, struct error *err)
{
    int r;

    (void)key;
    if (config->listen_rule_count >= CONFIG_RULES_MAX)
        return error_set(err, -E2BIG, "more than %d addresses are allowed", CONFIG_RULES_MAX);
    r = listen_rule_parse(value, &config->listen_rules[config->listen_rule_count], err);
    if (r < 0)
        return r;
    config->listen_rule_count++;
    return 0;
}

static int parse_profile(struct launcher_config *config, const struct config_key *key,
                         const char *value, struct error *err)
{
    struct profile_rule *rule = &config->profiles[config->profile_count];
    int r;

    (void)key;
    if (config->profile_count >= CONFIG_PROFILES_MAX)
        return error_set(err, -E2BIG, "more than %d profiles", CONFIG_PROFILES_MAX);
    r = profile_rule_parse(value, rule, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < config->profile_count; i++)
        if (text_equal(config->profiles[i].profile.name, rule->profile.name)) {
            profile_rule_done(rule);
            return error_set(err, -EEXIST, "the name stands for another profile already");
        }
    config->profile_count++;
    return 0;
}

static int parse_bool(struct launcher_config *config, const struct config_key *key,
                      const char *value, struct error *err)
{
    bool *member = config_member(config, key);

    if (text_equal(value, "yes"))
        *member = true;
    else if (text_equal(value, "no"))
        *member = false;
    else
        return error_set(err, -EINVAL, "\"%s\" is neither yes nor no", value);
    return 0;
}

static int parse_count(struct launcher_config *config, const struct config_key *key,
                       const char *value, struct error *err)
{
    return quantity_parse_unsigned(value, UINT64_MAX, config_member(config, key), err);
}

static int parse_size(struct launcher_config *config, const struct config_key *key,
                      const char *value, struct error *err)
{
    return quantity_parse_size(value, config_member(config, key), err);
}

static int parse_duration(struct launcher_config *config, const struct config_key *key,
                          const char *value, struct error *err)
{
    return quantity_parse_duration(value, config_member(config, key), err);
}

/* The largest value is (uid_t)-1, which means "nobody" to setresuid(2); one less is the last uid.
 */
#define UID_LARGEST (UINT32_MAX - 1)

static int parse_uids(struct launcher_config *config, const struct config_key *key,
                      const char *value, struct error *err)
{
    const char *dash = strchr(value, '-');
    _cleanup_free_ char *low = dash ? strndup(value, (size_t)(dash - value)) : NULL;
    uint64_t min, max;
    int r;

    (void)key;
    if (!low)
        return error_set(err, -EINVAL, "\"%s\" isn't a range like 1900000000-1900065535", value);
    r = quantity_parse_unsigned(low, UID_LARGEST, &min, err);
    if (r < 0)
        return r;
    r = quantity_parse_unsigned(dash + 1, UID_LARGEST, &max, err);
    if (r < 0)
        return r;
    if (min == 0 || min > max)
        return error_set(err, -EINVAL, "the range %s is empty or holds root", value);
    config->job_uid_min = (uid_t)min;
    config->job_uid_max = (uid_t)max;
    return 0;
}

static int parse_ceiling_size(struct launcher_config *config, const struct config_key *key,
                              const char *value, struct error *err)
{
    uint64_t size;
    int r = quantity_parse_size(value, &size, err);

    if (r < 0)
        return r;
    limit_set(&config->ceilings, (enum limit)key->member, size);
    return 0;
}

static int parse_ceiling_duration(struct launcher_config *config, const struct config_key *key,
                                  const char *value, struct error *err)
{
    usec_t duration;
    int r = quantity_parse_duration(value, &duration, err);

    if (r < 0)
        return r;
    limit_set(&config->ceilings, (enum limit)key->member, duration);
    return 0;
}

static int parse_ceiling_count(struct launcher_config *config, const struct config_key *key,
                               const char *value, struct error *err)
{
    uint64_t count;
    int r = quantity_parse_unsigned(value, UINT64_MAX, &count, err);

    if (r < 0)
        return r;
    limit_set(&config->ceilings, (enum limit)key->member, count);
    return 0;
}

static int parse_log_format(struct launcher_config *config, const struct config_key *key,
                            const char *value, struct error *err)
{
    int format = log_format_from_name(value);

    (void)key;
    if (format < 0)
        return error_set(err, -EINVAL, "\"%s\" is neither text nor json", value);
    config->log_format = format;
    return 0;
}

static int parse_log_level(struct launcher_config *config, const struct config_key *key,
                           const char *value, struct error *err)
{
    int level = log_level_from_name(value);

    (void)key;
    if (level < 0)
        return error_set(err, -EINVAL, "\"%s\" is none of error, warning, info, debug", value);
    config->log_level = level;
    return 0;
}

/* --- repeating keys -------------------------------------------------------------------------- */

static void clear_listen_rules(struct launcher_config *config)
{
    config->listen_rule_count = 0;
}

static void clear_profiles(struct launcher_config *config)
{
    for (size_t i = 0; i < config->profile_count; i++)
        profile_rule_done(&config->profiles[i]);
    config->profile_count = 0;
}

static void clear_hidden(struct launcher_config *config)
{
    strv_free(config->hidden);
    config->hidden = NULL;
}

static void clear_environment(struct launcher_config *config)
{
    strv_free(config->environment);
    config->environment = NULL;
}

/* --- the table ------------------------------------------------------------------------------- */

#define MEMBER(name) offsetof(struct launcher_config, name)

/* clang-format off: one row, one line */
#define KEY(name, parse, member, initial, argument, help)                                          \
    {                                                                                              \
        name, parse, member, initial, argument, help, NULL, false                                  \
    }
#define KEY_AT_START(name, parse, member, initial, argument, help)                                 \
    {                                                                                              \
        name, parse, member, initial, argument, help, NULL, true                                   \
    }
#define REPEATED(name, parse, member, argument, help, clear)                                       \
    {                                                                                              \
        name, parse, member, NULL, argument, help, clear, false                                    \
    }
#define SIZE(name, limit, help)  KEY(name, parse_ceiling_size, limit, NULL, "SIZE", help)
#define COUNT(name, limit, help) KEY(name, parse_ceiling_count, limit, NULL, "N", help)

static const struct config_key config_keys[] = {
    KEY_AT_START("agent_group", parse_text, MEMBER(agent_group), "", "GROUP",
                 "group of hoistd; default: its user's"),
    KEY_AT_START("agent_user", parse_text, MEMBER(agent_user), "", "USER",
                 "user of hoistd, by name or number"),
    KEY_AT_START("cgroup_root", parse_text, MEMBER(cgroup_root), "hoist", "NAME",
                 "cgroup that holds all jobs"),
    REPEATED("environment", parse_variable, MEMBER(environment), "NAME=VALUE",
             "variable for hoistd (repeats)", clear_environment),
    REPEATED("hide", parse_hidden, MEMBER(hidden), "PATH", "place that jobs can't see (repeats)",
             clear_hidden),
    KEY("hoistd", parse_path, MEMBER(hoistd), HOIST_HOISTD_PATH, "PATH", "the program hoistd"),
    KEY_AT_START("init", parse_path, MEMBER(init), HOIST_INIT_PATH, "PATH",
                 "the program hoist-init"),
    KEY_AT_START("job_uids", parse_uids, 0, "1900000000-1900065535", "MIN-MAX",
                 "uids that jobs may run as"),
    REPEATED("listen_allow", parse_listen_rule, 0, "ADDR:PORT", "where hoistd may listen (repeats)",
             clear_listen_rules),
    KEY("log_format", parse_log_format, 0, "text", "FORMAT", "text or json"),
    KEY("log_level", parse_log_level, 0, "info", "LEVEL", "error, warning, info or debug"),
    SIZE("max_core_size", LIMIT_CORE_SIZE, "ceiling of a job's core dumps"),
    COUNT("max_cpu_millis", LIMIT_CPU_MILLIS, "of its CPU, in thousandths of one"),
    COUNT("max_cpu_reserved", LIMIT_CPU_RESERVED, "of the CPU that is kept for it, likewise"),
    KEY("max_cpu_time", parse_ceiling_duration, LIMIT_CPU_TIME, NULL, "TIME",
        "of its CPU time in all"),
    COUNT("max_cpu_weight", LIMIT_CPU_WEIGHT, "of its CPU weight"),
    SIZE("max_io_read_bps", LIMIT_IO_READ_BPS, "of bytes a second that it reads"),
    COUNT("max_io_read_iops", LIMIT_IO_READ_IOPS, "of its reads a second"),
    COUNT("max_io_weight", LIMIT_IO_WEIGHT, "of its weight on disks"),
    SIZE("max_io_write_bps", LIMIT_IO_WRITE_BPS, "of bytes a second that it writes"),
    COUNT("max_io_write_iops", LIMIT_IO_WRITE_IOPS, "of its writes a second"),
    KEY("max_jobs", parse_count, MEMBER(jobs_max), "10000", "N", "jobs at the same time, about"),
    SIZE("max_memory", LIMIT_MEMORY_MAX, "of its memory"),
    SIZE("max_memory_high", LIMIT_MEMORY_HIGH, "of its soft memory limit"),
    SIZE("max_memory_low", LIMIT_MEMORY_LOW, "of its memory that is taken back last"),
    SIZE("max_memory_reserved", LIMIT_MEMORY_RESERVED, "of its memory that is never taken back"),
    COUNT("max_open_files", LIMIT_OPEN_FILES, "of its open files"),
    COUNT("max_pids", LIMIT_PIDS_MAX, "of its processes and threads"),
    SIZE("max_swap", LIMIT_SWAP_MAX, "of its swap"),
    KEY("network_host", parse_bool, MEMBER(network_host), "no", "yes|no",
        "may jobs use the host's network"),
    REPEATED("profile", parse_profile, 0, "RULE", "surroundings that a class may name (repeats)",
             clear_profiles),
    KEY("reserve_memory", parse_size, MEMBER(reserve_memory), "256MiB", "SIZE",
        "memory of the host that is not for jobs"),
    KEY("reserve_pids", parse_count, MEMBER(reserve_pids), "1024", "N",
        "processes of the host that are not for jobs"),
    KEY("stop_timeout", parse_duration, MEMBER(stop_timeout), "30s", "TIME",
        "for hoistd to end, then it is killed"),
};
/* clang-format on */

static_assert(ARRAY_SIZE(config_keys) <= CONFIG_KEYS_MAX, "each key has an origin");

static const struct config_key *config_key_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++)
        if (text_equal(config_keys[i].name, name))
            return &config_keys[i];
    return NULL;
}

const char *config_key_of_flag(const char *flag, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++) {
        const char *name = config_keys[i].name;
        size_t j = 0;

        while (j < length && name[j] && flag[j] == (name[j] == '_' ? '-' : name[j]))
            j++;
        if (j == length && !name[j])
            return name;
    }
    return NULL;
}

/* --- setting --------------------------------------------------------------------------------- */

/* The level that a place belongs to: "launcher.conf" of "launcher.conf:12", "--hide", "default". */
static size_t where_level(const char *where)
{
    return strcspn(where, ":");
}

static bool where_is_same_level(const char *a, const char *b)
{
    size_t length = where_level(a);

    return length == where_level(b) && strncmp(a, b, length) == 0;
}

static int origin_note(struct config_origin *origin, const char *value, const char *where)
{
    char *copy = strdup(where);
    int r;

    if (!copy)
        return -ENOMEM;
    r = strv_append(&origin->values, value);
    if (r < 0) {
        free(copy);
        return r;
    }
    free(origin->where);
    origin->where = copy;
    return 0;
}

static int config_set_key(struct launcher_config *config, const struct config_key *key,
                          const char *value, const char *where, struct error *err)
{
    struct config_origin *origin = &config->origins[key - config_keys];
    int r;

    if (!key->clear || (origin->where && !where_is_same_level(origin->where, where))) {
        strv_free(origin->values);
        origin->values = NULL;
        if (key->clear)
            key->clear(config);
    }
    r = key->parse(config, key, value, err);
    if (r < 0)
        return r;
    r = origin_note(origin, value, where);
    return r < 0 ? error_set(err, r, "no memory") : 0;
}

int config_set(struct launcher_config *config, const char *key, const char *value,
               const char *where, struct error *err)
{
    const struct config_key *row = config_key_find(key);
    int r;

    if (!row) {
        _cleanup_free_ char *shown = utf8_escape(key);

        return error_set(err, -EINVAL,
                         "%s: there is no key \"%s\"; hoist-launcher --print-config shows them all",
                         where, shown ?: "?");
    }
    r = config_set_key(config, row, value, where, err);
    if (r < 0)
        return where[0] == '-' ? error_prefix(err, "%s", where)
                               : error_prefix(err, "%s: %s", where, key);
    return 0;
}

int config_init(struct launcher_config *ret, struct error *err)
{
    _cleanup_config_ struct launcher_config config = {.hoistd = NULL};

    for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++) {
        int r;

        if (!config_keys[i].initial)
            continue;
        r = config_set_key(&config, &config_keys[i], config_keys[i].initial, "default", err);
        if (r < 0)
            return r;
    }
    *ret = config;
    config = (struct launcher_config){.hoistd = NULL};
    return 0;
}

int config_keep(struct launcher_config *config, const struct launcher_config *old, char ***kept,
                struct error *err)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(config_keys) && r >= 0; i++) {
        const struct config_origin *was = &old->origins[i];

        if (!config_keys[i].at_start || text_equal(was->values[0], config->origins[i].values[0]))
            continue;
        r = config_set_key(config, &config_keys[i], was->values[0], was->where, err);
        if (r >= 0 && strv_append(kept, config_keys[i].name) < 0)
            r = error_set(err, -ENOMEM, "no memory");
    }
    return r;
}

void config_done(struct launcher_config *config)
{
    free(config->hoistd);
    free(config->init);
    free(config->cgroup_root);
    free(config->agent_user);
    free(config->agent_group);
    clear_profiles(config);
    strv_free(config->hidden);
    strv_free(config->environment);
    strv_free(config->hoistd_args);
    free(config->file);
    for (size_t i = 0; i < CONFIG_KEYS_MAX; i++) {
        strv_free(config->origins[i].values);
        free(config->origins[i].where);
    }
    *config = (struct launcher_config){.hoistd = NULL};
}

struct launcher_config *config_free(struct launcher_config *config)
{
    if (config)
        config_done(config);
    free(config);
    return NULL;
}

/* --- printing -------------------------------------------------------------------------------- */

/* A file that config_parse() takes again; where a value came from stands above it. */
int config_print(const struct launcher_config *config, struct buffer *out)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(config_keys) && r >= 0; i++) {
        const struct config_origin *origin = &config->origins[i];

        if (!origin->values) {
            r = buffer_append_format(out, "# not set\n# %s =\n", config_keys[i].name);
            continue;
        }
        r = buffer_append_format(out, "# %s\n", origin->where);
        for (char **value = origin->values; *value && r >= 0; value++)
            r = buffer_append_format(out, "%s = %s\n", config_keys[i].name, *value);
    }
    return r;
}

int config_print_flags(struct buffer *out)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(config_keys) && r >= 0; i++) {
        char flag[64];

        snprintf(flag, sizeof(flag), "--%s %s", config_keys[i].name, config_keys[i].argument);
        for (char *c = flag; *c != ' '; c++)
            if (*c == '_')
                *c = '-';
        r = buffer_append_format(out, "  %-27s %s\n", flag, config_keys[i].help);
    }
    return r;
}
