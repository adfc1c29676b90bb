/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/job-flags.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/moment.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/quantity.h"
#include "cli/arguments.h"

#define ENV_FILE_MAX (256 * 1024)

/* ---- the command ---- */

static int put_shell(const struct arguments *arguments, Hoist__V1__JobSpec *spec, struct error *err)
{
    if (arguments->word_count > 0)
        return error_set(err, -EINVAL,
                         "both --shell and a command; give the command as one text to --shell, or "
                         "behind --");
    if (api_set_bytes(&spec->command, "/bin/sh", 7) < 0 ||
        api_append_bytes(&spec->n_args, &spec->args, "-c", 2) < 0 ||
        api_append_bytes(&spec->n_args, &spec->args, arguments->shell, strlen(arguments->shell)) <
            0)
        return error_set(err, -ENOMEM, "no memory");
    return 0;
}

static int put_command(const struct arguments *arguments, Hoist__V1__JobSpec *spec,
                       struct error *err)
{
    if (arguments->shell)
        return put_shell(arguments, spec, err);
    if (arguments->word_count == 0)
        return error_set(err, -EINVAL, "no command; write it behind --, as in: -- make test");
    if (api_set_bytes(&spec->command, arguments->words[0], strlen(arguments->words[0])) < 0)
        return error_set(err, -ENOMEM, "no memory");
    for (size_t i = 1; i < arguments->word_count; i++)
        if (api_append_bytes(&spec->n_args, &spec->args, arguments->words[i],
                             strlen(arguments->words[i])) < 0)
            return error_set(err, -ENOMEM, "no memory");
    return 0;
}

/* ---- variables and labels ---- */

static int append_variable(Hoist__V1__JobSpec *spec, const char *name, size_t name_length,
                           const char *value)
{
    Hoist__V1__EnvVar *variable = api_new(hoist__v1__env_var);
    char *copy = strndup(name, name_length);
    int r = variable && copy ? api_set_text(&variable->name, copy) : -ENOMEM;

    free(copy);
    if (r == 0)
        r = api_set_bytes(&variable->value, value, strlen(value));
    if (r == 0)
        r = api_append_take(&spec->n_env, &spec->env, variable);
    if (r < 0)
        api_free(variable ? &variable->base : NULL);
    return r;
}

/* A variable given twice has the value given last, as in a shell. */
static void drop_variable(Hoist__V1__JobSpec *spec, const char *name, size_t length)
{
    for (size_t i = 0; i < spec->n_env; i++)
        if (strlen(spec->env[i]->name) == length &&
            strncmp(spec->env[i]->name, name, length) == 0) {
            api_free(&spec->env[i]->base);
            spec->env[i] = spec->env[--spec->n_env];
            return;
        }
}

static int put_variable(Hoist__V1__JobSpec *spec, const char *text, struct error *err)
{
    const char *equals = strchr(text, '='), *value = equals ? equals + 1 : getenv(text);
    size_t length = equals ? (size_t)(equals - text) : strlen(text);

    if (!value)
        return error_set(err, -EINVAL, "--env %s: you have no such variable; give it as %s=VALUE",
                         text, text);
    drop_variable(spec, text, length);
    if (append_variable(spec, text, length, value) < 0)
        return error_set(err, -ENOMEM, "no memory");
    return 0;
}

/* Lines K=V; blank ones and those that begin with # are passed over. */
static int put_env_file(Hoist__V1__JobSpec *spec, const char *path, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    char *line, *rest;
    unsigned number = 0;
    size_t size;
    int r = file_read(AT_FDCWD, path, ENV_FILE_MAX, &text, &size);

    if (r < 0)
        return error_set(err, r, "--env-file %s: %s", path, strerror(-r));
    if (strlen(text) != size)
        return error_set(err, -EINVAL, "--env-file %s holds a NUL byte", path);
    for (rest = text; (line = strsep(&rest, "\n"));) {
        number++;
        if (line[0] == 0 || line[0] == '#')
            continue;
        if (!strchr(line, '='))
            return error_set(err, -EINVAL, "--env-file %s:%u: no \"=\"; write NAME=VALUE", path,
                             number);
        r = put_variable(spec, line, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_env(const struct arguments *arguments, Hoist__V1__JobSpec *spec, struct error *err)
{
    int r = arguments->env_file ? put_env_file(spec, arguments->env_file, err) : 0;

    for (char **text = arguments->env; r == 0 && text && *text; text++)
        r = put_variable(spec, *text, err);
    return r;
}

static int put_labels(const struct arguments *arguments, Hoist__V1__JobSpec *spec,
                      struct error *err)
{
    for (char **text = arguments->labels; text && *text; text++) {
        const char *equals = strchr(*text, '=');
        char *key;
        int r;

        if (!equals)
            return error_set(err, -EINVAL, "--label \"%s\" has no =; write KEY=VALUE", *text);
        key = strndup(*text, (size_t)(equals - *text));
        r = key ? api_append_entry(&hoist__v1__job_spec__labels_entry__descriptor, &spec->n_labels,
                                   &spec->labels, key, equals + 1)
                : -ENOMEM;
        free(key);
        if (r < 0)
            return error_set(err, r, "no memory");
    }
    return 0;
}

/* ---- limits and times ---- */

static int put_limit(Hoist__V1__JobSpec *spec, const char *const names[2], uint64_t value)
{
    if (!spec->limits)
        spec->limits = api_new(hoist__v1__limits);
    if (!spec->limits)
        return -ENOMEM;
    for (size_t i = 0; i < 2 && names[i]; i++) {
        int r = api_limits_set(spec->limits, names[i], value);

        if (r < 0)
            return r;
    }
    return 0;
}

static int parse_number(const char *text, uint64_t *ret, struct error *err)
{
    return quantity_parse_unsigned(text, UINT32_MAX, ret, err);
}

static int put_limits(const struct arguments *arguments, Hoist__V1__JobSpec *spec,
                      struct error *err)
{
    const struct {
        const char *flag, *text;
        int (*parse)(const char *text, uint64_t *ret, struct error *err);
        const char *names[2];
    } limits[] = {
        {"--cpu", arguments->cpu, quantity_parse_cpu, {"cpu_millis", NULL}},
        {"--cpu-time", arguments->cpu_time, quantity_parse_duration, {"cpu_time_usec", NULL}},
        {"--memory", arguments->memory, quantity_parse_size, {"memory_max", NULL}},
        {"--pids", arguments->pids, parse_number, {"pids_max", NULL}},
        {"--io", arguments->io_bps, quantity_parse_size, {"io_read_bps", "io_write_bps"}},
        {"--iops", arguments->iops, parse_number, {"io_read_iops", "io_write_iops"}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        uint64_t value;

        if (!limits[i].text)
            continue;
        if (limits[i].parse(limits[i].text, &value, err) < 0)
            return error_prefix(err, "%s", limits[i].flag);
        if (put_limit(spec, limits[i].names, value) < 0)
            return error_set(err, -ENOMEM, "no memory");
    }
    return 0;
}

/* By what its name ends with or holds, since the list of limits is the API's. */
static int parse_limit(const char *name, const char *text, uint64_t *ret, struct error *err)
{
    if (strstr(name, "_usec"))
        return quantity_parse_duration(text, ret, err);
    if (strstr(name, "_millis"))
        return quantity_parse_cpu(text, ret, err);
    if (strstr(name, "memory") || strstr(name, "swap") || strstr(name, "_bps") ||
        strstr(name, "core_size"))
        return quantity_parse_size(text, ret, err);
    return quantity_parse_unsigned(text, UINT64_MAX, ret, err);
}

static int no_such_limit(const char *text, struct error *err)
{
    return error_set(err, -EINVAL,
                     "--limit %.40s: write NAME=VALUE, as in memory_high=48MiB; hoist(1) lists the "
                     "names",
                     text);
}

static int put_named_limits(const struct arguments *arguments, Hoist__V1__JobSpec *spec,
                            struct error *err)
{
    for (char **text = arguments->limits; text && *text; text++) {
        const char *equals = strchr(*text, '=');
        _cleanup_free_ char *name = equals ? strndup(*text, (size_t)(equals - *text)) : NULL;
        uint64_t value;
        int r;

        if (!name)
            return no_such_limit(*text, err);
        if (parse_limit(name, equals + 1, &value, err) < 0)
            return error_prefix(err, "--limit %s", name);
        r = put_limit(spec, (const char *const[2]){name, NULL}, value);
        if (r == -EINVAL)
            return no_such_limit(*text, err);
        if (r < 0)
            return error_set(err, r, "no memory");
    }
    return 0;
}

static int put_output_cap(const char *text, Hoist__V1__JobSpec *spec, struct error *err)
{
    uint64_t cap;

    if (!text)
        return 0;
    if (quantity_parse_size(text, &cap, err) < 0)
        return error_prefix(err, "--output-cap");
    spec->output_cap = api_new(hoist__v1__amount);
    if (!spec->output_cap)
        return error_set(err, -ENOMEM, "no memory");
    spec->output_cap->value = cap;
    return 0;
}

static int put_output(const struct arguments *arguments, Hoist__V1__JobSpec *spec,
                      struct error *err)
{
    const char *policy = arguments->output_policy;

    if (policy && strcmp(policy, "keep_ends") == 0)
        spec->output_policy = HOIST__V1__OUTPUT_POLICY__OUTPUT_POLICY_KEEP_ENDS;
    else if (policy && strcmp(policy, "stop_job") == 0)
        spec->output_policy = HOIST__V1__OUTPUT_POLICY__OUTPUT_POLICY_STOP_JOB;
    else if (policy)
        return error_set(err, -EINVAL, "--output-policy %.40s: choose one of keep_ends, stop_job",
                         policy);
    return put_output_cap(arguments->output_cap, spec, err);
}

static int put_duration(Google__Protobuf__Duration **field, const char *flag, const char *text,
                        struct error *err)
{
    usec_t duration;

    if (!text)
        return 0;
    if (quantity_parse_duration(text, &duration, err) < 0)
        return error_prefix(err, "%s", flag);
    if (api_duration_set(field, duration) < 0)
        return error_set(err, -ENOMEM, "no memory");
    return 0;
}

static int put_texts(const struct arguments *arguments, Hoist__V1__StartJobRequest *request,
                     struct error *err)
{
    Hoist__V1__JobSpec *spec = request->spec;

    spec->merged = arguments->merged;
    if (api_set_text(&spec->display_name, arguments->name) < 0 ||
        api_set_text(&spec->cwd, arguments->cwd) < 0 ||
        api_set_text(&spec->job_class, arguments->job_class) < 0 ||
        api_set_text(&request->request_id, arguments->request_id) < 0)
        return error_set(err, -ENOMEM, "no memory");
    return 0;
}

int job_flags_to_request(const struct arguments *arguments, Hoist__V1__StartJobRequest **ret,
                         struct error *err)
{
    _cleanup_api_message_ Hoist__V1__StartJobRequest *request =
        api_new(hoist__v1__start_job_request);
    int r;

    if (request)
        request->spec = api_new(hoist__v1__job_spec);
    if (!request || !request->spec)
        return error_set(err, -ENOMEM, "no memory");
    r = put_texts(arguments, request, err);
    if (r == 0)
        r = put_command(arguments, request->spec, err);
    if (r == 0)
        r = put_env(arguments, request->spec, err);
    if (r == 0)
        r = put_labels(arguments, request->spec, err);
    if (r == 0)
        r = put_limits(arguments, request->spec, err);
    if (r == 0)
        r = put_named_limits(arguments, request->spec, err);
    if (r == 0)
        r = put_output(arguments, request->spec, err);
    if (r == 0)
        r = put_duration(&request->spec->timeout, "--timeout", arguments->timeout, err);
    if (r == 0)
        r = put_duration(&request->spec->grace, "--grace", arguments->grace, err);
    if (r == 0)
        *ret = TAKE_PTR(request);
    return r;
}
