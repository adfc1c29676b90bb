/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/strv.h"

void config_done(struct config *config)
{
    free(config->file);
    free(config->state_dir);
    free(config->tls_cert);
    free(config->tls_key);
    free(config->tls_key_passphrase_file);
    free(config->tls_client_ca);
    free(config->tls_crl);
    free(config->default_class);
    *config = (struct config){.file = NULL};
}

static int config_init(struct config *config)
{
    *config = (struct config){
        .listen = {.host = "127.0.0.1", .port = 7443},
        .state_dir = strdup("/var/lib/hoist"),
        .tls_cert = strdup("/etc/hoist/server.pem"),
        .tls_key = strdup("/etc/hoist/server.key"),
        .tls_client_ca = strdup("/etc/hoist/client-ca.pem"),
        .default_class = strdup("default"),
        .unenforced_limits = CONFIG_UNENFORCED_REFUSE,
        .on_agent_exit = CONFIG_AGENT_EXIT_KEEP,
        .adopt_wait = 30 * USEC_PER_SEC,
        .output =
            {
                .cap = OUTPUT_CAP_DEFAULT,
                .policy = CONFIG_OUTPUT_KEEP_ENDS,
                .rate = OUTPUT_RATE_OF_LIMITS,
                .read_buffer = OUTPUT_READ_BUFFER_DEFAULT,
                .retain = UINT64_C(24) * 3600 * USEC_PER_SEC,
                .reserve.percent = 2,
            },
        .jobs_max = 1000,
        .peers_connections = 1024,
        .peers_per_address = 512,
        .peers_per_principal = 512,
        .peers_streams_per_principal = 2048,
        .log_format = LOG_FORMAT_TEXT,
        .log_level = LOG_LEVEL_INFO,
    };
    classes_init_shipped(&config->classes);
    if (!config->state_dir || !config->tls_cert || !config->tls_key || !config->tls_client_ca ||
        !config->default_class)
        return -ENOMEM;
    return 0;
}

/* ---- the file ---- */

#define SECTIONS_MAX 8

/* The schema of the file, made from the settings: a top table and one table for each section. */
struct schema {
    struct text_key top[SETTINGS_MAX + 2];
    size_t top_count;
    struct text_key section[SECTIONS_MAX][SETTINGS_MAX + 1];
    size_t section_size[SECTIONS_MAX];
    char section_name[SECTIONS_MAX][24];
    size_t section_count;
};

static size_t schema_section(struct schema *schema, const char *key, size_t length)
{
    for (size_t i = 0; i < schema->section_count; i++)
        if (strlen(schema->section_name[i]) == length &&
            strncmp(schema->section_name[i], key, length) == 0)
            return i;
    snprintf(schema->section_name[schema->section_count], sizeof(schema->section_name[0]), "%.*s",
             (int)length, key);
    schema->top[schema->top_count++] = (struct text_key)TEXT_GROUP(
        schema->section_name[schema->section_count], schema->section[schema->section_count]);
    return schema->section_count++;
}

static void schema_make(struct schema *schema)
{
    *schema = (struct schema){.top_count = 0};
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings[i];
        const char *dot = strchr(setting->key, '.');
        struct text_key row = {
            .key = dot ? dot + 1 : setting->key,
            .kind = TEXT_KIND_VALUE,
            .offset = setting->offset,
            .parse = setting->parse,
            .argument = setting->argument,
        };

        if (dot) {
            size_t at = schema_section(schema, setting->key, (size_t)(dot - setting->key));

            schema->section[at][schema->section_size[at]++] = row;
        } else {
            schema->top[schema->top_count++] = row;
        }
    }
    schema->top[schema->top_count++] = (struct text_key)TEXT_MEMBERS(
        "classes", struct config, classes, classes_member, class_keys);
}

static void config_seen(void *owner, const char *path, unsigned line)
{
    struct config *config = owner;

    for (size_t i = 0; i < settings_count; i++)
        if (strcmp(settings[i].key, path) == 0)
            config->origins[i] = (struct setting_origin){SETTING_FROM_FILE, line};
}

static int config_read_file(struct config *config, const char *path, bool demanded,
                            struct error *err)
{
    struct text_witness witness = {.seen = config_seen, .owner = config};
    struct schema schema;
    int r;

    schema_make(&schema);
    r = text_read_file(path, schema.top, config, &witness, err);
    if (r == -ENOENT && !demanded)
        return 0;
    if (r < 0)
        return r;
    config->file = strdup(path);
    return config->file ? 0 : error_set(err, -ENOMEM, "no memory for the configuration");
}

/* ---- the command line ---- */

static const struct setting *setting_by_flag(const char *flag, size_t length)
{
    for (size_t i = 0; i < settings_count; i++)
        if (strlen(settings[i].flag) == length && strncmp(settings[i].flag, flag, length) == 0)
            return &settings[i];
    return NULL;
}

/* Splits argv[*at] into flag and value (behind "=", or the next argument); moves *at behind both.
 */
static int flag_value(int argc, char **argv, int *at, size_t *ret_length, const char **ret_value,
                      bool wants_value, struct error *err)
{
    const char *argument = argv[*at], *equals = strchr(argument, '=');

    *ret_length = equals ? (size_t)(equals - argument) : strlen(argument);
    *ret_value = equals ? equals + 1 : NULL;
    (*at)++;
    if (!wants_value || *ret_value)
        return 0;
    if (*at == argc)
        return error_set(err, -EINVAL, "%s needs a value; see hoistd --help", argument);
    *ret_value = argv[(*at)++];
    return 0;
}

static int config_apply_flag(struct config *config, int argc, char **argv, int *at,
                             struct error *err)
{
    const char *argument = argv[*at], *value;
    size_t length = strcspn(argument, "=");
    const struct setting *setting = setting_by_flag(argument, length);
    int r;

    if (!setting)
        return error_set(err, -EINVAL, "there is no flag \"%.60s\"; see hoistd --help", argument);
    r = flag_value(argc, argv, at, &length, &value, setting->value != NULL, err);
    if (r < 0)
        return r;
    r = setting->parse(value ? value : "true", (char *)config + setting->offset, setting->argument,
                       err);
    if (r < 0)
        return error_prefix(err, "%s", setting->flag);
    config->origins[setting - settings] = (struct setting_origin){.from = SETTING_FROM_FLAG};
    return 0;
}

static bool request_from_flag(const char *argument, enum config_request *ret)
{
    static const struct {
        const char *flag;
        enum config_request request;
    } requests[] = {
        {"--help", CONFIG_HELP},
        {"-h", CONFIG_HELP},
        {"--version", CONFIG_VERSION},
        {"--print-config", CONFIG_PRINT},
        {"--doctor", CONFIG_DOCTOR},
        {"--doctor=json", CONFIG_DOCTOR_JSON},
        {"--doctor=yaml", CONFIG_DOCTOR_YAML},
    };

    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        if (strcmp(requests[i].flag, argument) == 0) {
            *ret = requests[i].request;
            return true;
        }
    return false;
}

/* --config has to be known before the other flags can win over what the file says. */
static int find_file(int argc, char **argv, const char **ret, struct error *err)
{
    for (int at = 1; at < argc;) {
        const char *value = NULL;
        size_t length;

        if (strcspn(argv[at], "=") != strlen("--config") ||
            !text_starts_with(argv[at], "--config")) {
            at++;
            continue;
        }
        if (flag_value(argc, argv, &at, &length, &value, true, err) < 0)
            return err ? err->code : -EINVAL;
        *ret = value;
    }
    return 0;
}

static int config_read_flags(struct config *config, int argc, char **argv,
                             enum config_request *request, struct error *err)
{
    for (int at = 1; at < argc;) {
        int r = 0;

        assert(argv[at]);
        if (request_from_flag(argv[at], request)) {
            at++;
        } else if (text_starts_with(argv[at], "--config") && strcspn(argv[at], "=") == 8) {
            at += strchr(argv[at], '=') ? 1 : 2;
        } else {
            r = config_apply_flag(config, argc, argv, &at, err);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int config_load(int argc, char **argv, struct config *ret, enum config_request *ret_request,
                struct error *err)
{
    _cleanup_config_ struct config config = {.file = NULL};
    enum config_request request = CONFIG_SERVE;
    const char *file = NULL;
    int r;

    if (config_init(&config) < 0)
        return error_set(err, -ENOMEM, "no memory for the configuration");
    for (int at = 1; at < argc; at++)
        if (request_from_flag(argv[at], &request) &&
            (request == CONFIG_HELP || request == CONFIG_VERSION)) {
            *ret_request = request;
            return 0;
        }
    r = find_file(argc, argv, &file, err);
    if (r == 0)
        r = config_read_file(&config, file ? file : CONFIG_FILE_DEFAULT, file != NULL, err);
    if (r == 0)
        r = config_read_flags(&config, argc, argv, &request, err);
    if (r < 0)
        return r;
    *ret = config;
    *ret_request = request;
    config = (struct config){.file = NULL};
    return 0;
}

/* What a class gives can't be more than what the agent allows any job. */
static int check_class_caps(const struct config *config, struct error *err)
{
    for (size_t i = 0; config->output.cap > 0 && i < config->classes.count; i++)
        if (config->classes.list[i].output.cap > config->output.cap)
            return error_set(err, -EINVAL,
                             "classes.%.63s.output_cap: more than output.cap, which no job may "
                             "pass; raise output.cap, or lower this one",
                             config->classes.list[i].name);
    return 0;
}

int config_check(const struct config *config, struct error *err)
{
    if (!classes_find_const(&config->classes, config->default_class))
        return error_set(err, -EINVAL,
                         "default_class: there is no class \"%.63s\"; define it below classes:, or "
                         "choose another",
                         config->default_class);
    if (config->output.cap > 0 && config->output.keep_head > config->output.cap / 2)
        return error_set(err, -EINVAL,
                         "output.keep_head: more than half of output.cap; the other half at least "
                         "is for the last bytes");
    return check_class_caps(config, err);
}

usec_t config_adopt_wait(const struct config *config)
{
    return config->on_agent_exit == CONFIG_AGENT_EXIT_STOP ? config->adopt_wait : 0;
}

struct output_rules config_output_rules(const struct config_output *output)
{
    return (struct output_rules){
        .cap = output->cap,
        .head = output->keep_head,
        .stop_at_cap = output->policy == CONFIG_OUTPUT_STOP_JOB,
        .rate = output->rate,
        .read_buffer = (uint32_t)output->read_buffer,
    };
}
