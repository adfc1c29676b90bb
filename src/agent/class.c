/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/class.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/amount.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "base/quantity.h"
#include "output/cap.h"
#include "text/value.h"

/* What stands in the shipped table: 0 means that the class doesn't give that limit. */
struct shipped_class {
    const char *name;
    uint64_t cpu_period_usec;
    uint64_t cpu_millis;
    uint64_t memory_max;
    uint64_t memory_high;
    uint64_t pids_max;
    uint64_t io_read_bps, io_write_bps;
    uint64_t io_read_iops, io_write_iops;
};

#define MB  UINT64_C(1000000)
#define GB  UINT64_C(1000000000)
#define MIB (UINT64_C(1) << 20)

/* Swap is none in all of them: a limit of memory that swap goes around is none. */
static const struct shipped_class shipped_classes[] = {
    {
        .name = "default",
        .cpu_millis = 1000,
        .memory_max = 512 * MB,
        .pids_max = 4096,
        .io_read_iops = 400000,
        .io_write_iops = 400000,
    },
    {
        .name = "small",
        .cpu_millis = 100,
        .memory_max = 100 * MB,
        .pids_max = 512,
        .io_read_bps = 10 * MB,
        .io_write_bps = 10 * MB,
    },
    {
        .name = "medium",
        .cpu_millis = 250,
        .memory_max = 1 * GB,
        .pids_max = 2048,
        .io_read_bps = 50 * MB,
        .io_write_bps = 50 * MB,
    },
    {
        .name = "large",
        .cpu_millis = 500,
        .memory_max = 8 * GB,
        .pids_max = 4096,
        .io_read_bps = 100 * MB,
        .io_write_bps = 100 * MB,
    },
    {
        .name = "telehandler",
        .cpu_period_usec = 1000000,
        .cpu_millis = 100,
        .memory_max = 512 * MIB,
        .memory_high = 384 * MIB,
        .pids_max = 512,
        .io_read_bps = 10 * MIB,
        .io_write_bps = 5 * MIB,
        .io_read_iops = 1000,
        .io_write_iops = 1000,
    },
};

static void limit_set_unless_zero(struct limits *limits, enum limit limit, uint64_t value)
{
    if (value > 0)
        limit_set(limits, limit, value);
}

static struct class class_from_shipped(const struct shipped_class *shipped)
{
    struct class class = {.limits = {.given = 0}};

    snprintf(class.name, sizeof(class.name), "%s", shipped->name);
    limit_set(&class.limits, LIMIT_SWAP_MAX, 0);
    limit_set_unless_zero(&class.limits, LIMIT_CPU_PERIOD, shipped->cpu_period_usec);
    limit_set_unless_zero(&class.limits, LIMIT_CPU_MILLIS, shipped->cpu_millis);
    limit_set_unless_zero(&class.limits, LIMIT_MEMORY_MAX, shipped->memory_max);
    limit_set_unless_zero(&class.limits, LIMIT_MEMORY_HIGH, shipped->memory_high);
    limit_set_unless_zero(&class.limits, LIMIT_PIDS_MAX, shipped->pids_max);
    limit_set_unless_zero(&class.limits, LIMIT_IO_READ_BPS, shipped->io_read_bps);
    limit_set_unless_zero(&class.limits, LIMIT_IO_WRITE_BPS, shipped->io_write_bps);
    limit_set_unless_zero(&class.limits, LIMIT_IO_READ_IOPS, shipped->io_read_iops);
    limit_set_unless_zero(&class.limits, LIMIT_IO_WRITE_IOPS, shipped->io_write_iops);
    return class;
}

void classes_init_shipped(struct classes *classes)
{
    classes->count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(shipped_classes); i++)
        classes->list[classes->count++] = class_from_shipped(&shipped_classes[i]);
}

const struct class *classes_find_const(const struct classes *classes, const char *name)
{
    for (size_t i = 0; i < classes->count; i++)
        if (strcmp(classes->list[i].name, name) == 0)
            return &classes->list[i];
    return NULL;
}

struct class *classes_find(struct classes *classes, const char *name)
{
    return (struct class *)classes_find_const(classes, name);
}

int classes_member(void *destination, const char *name, void **ret, struct error *err)
{
    struct classes *classes = destination;
    struct class *class = classes_find(classes, name);
    int r;

    if (!class) {
        r = job_name_check(name, err);
        if (r < 0)
            return error_prefix(err, "class");
        if (classes->count == CLASSES_MAX)
            return error_set(err, -E2BIG, "more than %d classes", CLASSES_MAX);
        class = &classes->list[classes->count++];
        *class = (struct class){.limits = {.given = 0}};
        snprintf(class->name, sizeof(class->name), "%s", name);
    }
    *ret = class;
    return 0;
}

/* How one key of a class is read: the limits that it sets, and by which parser. */
struct class_key {
    enum limit limits[2];
    size_t count;
    enum {
        CLASS_KEY_CPU,
        CLASS_KEY_SIZE,
        CLASS_KEY_NUMBER,
        CLASS_KEY_DURATION,
        CLASS_KEY_BOOL,
    } type;
    uint64_t min, max;
};

static int parse_bool(const char *text, uint64_t *ret, struct error *err)
{
    bool value;
    int r = text_parse_bool(text, &value, NULL, err);

    if (r >= 0)
        *ret = value;
    return r;
}

static int class_parse_limit(const char *text, void *destination, const void *argument,
                             struct error *err)
{
    const struct class_key *key = argument;
    struct class *class = destination;
    uint64_t value = 0;
    int r;

    switch (key->type) {
    case CLASS_KEY_CPU:
        r = quantity_parse_cpu(text, &value, err);
        break;
    case CLASS_KEY_SIZE:
        r = quantity_parse_size(text, &value, err);
        break;
    case CLASS_KEY_NUMBER:
        r = quantity_parse_unsigned(text, key->max, &value, err);
        break;
    case CLASS_KEY_DURATION:
        r = quantity_parse_duration(text, &value, err);
        break;
    case CLASS_KEY_BOOL:
        r = parse_bool(text, &value, err);
        break;
    default:
        r = error_set(err, -EINVAL, "a key without a type");
        break;
    }
    if (r < 0)
        return r;
    if (value < key->min)
        return error_set(err, -ERANGE, "%llu is too small, %llu is the least",
                         (unsigned long long)value, (unsigned long long)key->min);
    if (key->max > 0 && value > key->max)
        return error_set(err, -ERANGE, "%llu is too large, %llu is the most",
                         (unsigned long long)value, (unsigned long long)key->max);
    for (size_t i = 0; i < key->count; i++)
        limit_set(&class->limits, key->limits[i], value);
    return 0;
}

static int class_parse_profile(const char *text, void *destination, const void *argument,
                               struct error *err)
{
    char *profile = destination;
    int r = job_name_check(text, err);

    (void)argument;
    if (r >= 0 && strlen(text) >= SPAWN_PROFILE_MAX)
        r = error_set(err, -EINVAL, "the name of a profile is too long");
    if (r >= 0)
        snprintf(profile, SPAWN_PROFILE_MAX, "%s", text);
    return r;
}

static const struct amount cap_amount = {
    {"none", OUTPUT_CAP_NONE}, OUTPUT_CAP_MIN, UINT64_C(1) << 60};

static const char *const policy_names[] = {"keep_ends", "stop_job", NULL};

static int class_parse_policy(const char *text, void *destination, const void *argument,
                              struct error *err)
{
    enum output_policy *policy = destination;
    int choice, r;

    (void)argument;
    r = text_parse_choice(text, &choice, policy_names, err);
    if (r >= 0)
        *policy = (enum output_policy)(choice + OUTPUT_POLICY_KEEP_ENDS);
    return r;
}

/* clang-format off */
#define CLASS_KEY(name, how, least, most, ...)                                                    \
    { .key = (name), .kind = TEXT_KIND_VALUE, .parse = class_parse_limit,                          \
      .argument = &(const struct class_key){                                                       \
          .limits = {__VA_ARGS__},                                                                 \
          .count = sizeof((enum limit[]){__VA_ARGS__}) / sizeof(enum limit),                       \
          .type = (how), .min = (least), .max = (most)} }

static const struct text_key reserve_keys[] = {
    CLASS_KEY("cpu", CLASS_KEY_CPU, 0, 0, LIMIT_CPU_RESERVED),
    CLASS_KEY("memory", CLASS_KEY_SIZE, 0, 0, LIMIT_MEMORY_RESERVED),
    {.key = NULL},
};

const struct text_key class_keys[] = {
    CLASS_KEY("cpu", CLASS_KEY_CPU, 0, 0, LIMIT_CPU_MILLIS),
    CLASS_KEY("cpu_period", CLASS_KEY_DURATION, 1000, 1000000, LIMIT_CPU_PERIOD),
    CLASS_KEY("cpu_time", CLASS_KEY_DURATION, 0, 0, LIMIT_CPU_TIME),
    CLASS_KEY("cpu_weight", CLASS_KEY_NUMBER, 1, 10000, LIMIT_CPU_WEIGHT),
    CLASS_KEY("memory_max", CLASS_KEY_SIZE, 0, 0, LIMIT_MEMORY_MAX),
    CLASS_KEY("memory_high", CLASS_KEY_SIZE, 0, 0, LIMIT_MEMORY_HIGH),
    CLASS_KEY("memory_low", CLASS_KEY_SIZE, 0, 0, LIMIT_MEMORY_LOW),
    TEXT_GROUP("reserve", reserve_keys),
    CLASS_KEY("swap_max", CLASS_KEY_SIZE, 0, 0, LIMIT_SWAP_MAX),
    CLASS_KEY("oom_group", CLASS_KEY_BOOL, 0, 1, LIMIT_OOM_GROUP),
    CLASS_KEY("pids_max", CLASS_KEY_NUMBER, 0, 4194304, LIMIT_PIDS_MAX),
    CLASS_KEY("io_weight", CLASS_KEY_NUMBER, 1, 10000, LIMIT_IO_WEIGHT),
    CLASS_KEY("io_bps", CLASS_KEY_SIZE, 0, 0, LIMIT_IO_READ_BPS, LIMIT_IO_WRITE_BPS),
    CLASS_KEY("io_read_bps", CLASS_KEY_SIZE, 0, 0, LIMIT_IO_READ_BPS),
    CLASS_KEY("io_write_bps", CLASS_KEY_SIZE, 0, 0, LIMIT_IO_WRITE_BPS),
    CLASS_KEY("iops", CLASS_KEY_NUMBER, 0, UINT32_MAX, LIMIT_IO_READ_IOPS, LIMIT_IO_WRITE_IOPS),
    CLASS_KEY("io_read_iops", CLASS_KEY_NUMBER, 0, UINT32_MAX, LIMIT_IO_READ_IOPS),
    CLASS_KEY("io_write_iops", CLASS_KEY_NUMBER, 0, UINT32_MAX, LIMIT_IO_WRITE_IOPS),
    CLASS_KEY("open_files", CLASS_KEY_NUMBER, 16, 1048576, LIMIT_OPEN_FILES),
    CLASS_KEY("core_size", CLASS_KEY_SIZE, 0, 0, LIMIT_CORE_SIZE),
    { .key = "output_cap", .kind = TEXT_KIND_VALUE, .offset = offsetof(struct class, output.cap),
      .parse = amount_parse_size, .argument = &cap_amount },
    { .key = "output_policy", .kind = TEXT_KIND_VALUE,
      .offset = offsetof(struct class, output.policy), .parse = class_parse_policy },
    { .key = "profile", .kind = TEXT_KIND_VALUE, .offset = offsetof(struct class, profile),
      .parse = class_parse_profile },
    { .key = "profile_for_all", .kind = TEXT_KIND_VALUE,
      .offset = offsetof(struct class, profile_for_all), .parse = text_parse_bool },
    {.key = NULL},
};
/* clang-format on */

/* The key that sets this limit and no other. */
static const struct text_key *key_of(const struct text_key *keys, enum limit limit)
{
    for (const struct text_key *key = keys; key->key; key++) {
        const struct class_key *rule = key->parse == class_parse_limit ? key->argument : NULL;

        if (rule && rule->count == 1 && rule->limits[0] == limit)
            return key;
    }
    return NULL;
}

static int print_limit(const struct text_key *key, uint64_t value, const char *indent,
                       struct buffer *out)
{
    const struct class_key *rule = key->argument;

    if (rule->type == CLASS_KEY_BOOL)
        return buffer_append_format(out, "%s%s: %s\n", indent, key->key, value ? "true" : "false");
    return buffer_append_format(out, "%s%s: %llu%s\n", indent, key->key, (unsigned long long)value,
                                rule->type == CLASS_KEY_DURATION ? "us" : "");
}

int class_print_output(const struct class *class, const char *indent, struct buffer *out)
{
    const struct output_choice *output = &class->output;
    int r = 0;

    if (output->cap > 0) {
        r = buffer_append_format(out, "%soutput_cap: ", indent);
        if (r == 0)
            r = amount_print_size(output->cap, &cap_amount, out);
        if (r == 0)
            r = buffer_append_text(out, "\n");
    }
    if (r == 0 && output->policy != OUTPUT_POLICY_UNSPECIFIED)
        r = buffer_append_format(out, "%soutput_policy: %s\n", indent,
                                 policy_names[output->policy - OUTPUT_POLICY_KEEP_ENDS]);
    return r;
}

/* Those of one table; `title` is printed before the first of them. */
static int print_limits(const struct limits *limits, const struct text_key *keys, const char *title,
                        const char *indent, struct buffer *out)
{
    bool first = true;
    int r = 0;

    for (unsigned limit = 0; r == 0 && limit < _LIMIT_MAX; limit++) {
        const struct text_key *key = key_of(keys, limit);

        if (!key || !limit_is_given(limits, limit))
            continue;
        if (first)
            r = buffer_append_text(out, title);
        first = false;
        if (r == 0)
            r = print_limit(key, limits->value[limit], indent, out);
    }
    return r;
}

int class_print_limits(const struct class *class, struct buffer *out)
{
    int r = print_limits(&class->limits, class_keys, "", "    ", out);

    return r < 0 ? r : print_limits(&class->limits, reserve_keys, "    reserve:\n", "      ", out);
}
