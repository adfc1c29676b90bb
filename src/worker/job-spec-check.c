/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "base/strv.h"
#include "base/utf8.h"
#include "output/cap.h"
#include "worker/failure.h"
#include "worker/job-spec.h"

/*
 * One function for each field. Each adds its issues to the failure's details and goes on; whether
 * anything was wrong is only asked at the end. What is too much (a count, a size) is told apart,
 * since clients treat it differently (HOIST_REASON_TOO_LARGE).
 */

struct checking {
    struct failure *failure;
    unsigned issues;
    unsigned too_large;
};

static void __attribute__((format(printf, 3, 4)))
complain(struct checking *checking, const char *field, const char *format, ...)
{
    char sentence[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    failure_add_detail(checking->failure, field, sentence);
    if (checking->issues++ == 0)
        failure_set(checking->failure, -EINVAL, HOIST_REASON_INVALID_FIELD, "%s: %s", field,
                    sentence);
}

static void __attribute__((format(printf, 3, 4)))
too_large(struct checking *checking, const char *limit, const char *format, ...)
{
    char sentence[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    failure_add_detail(checking->failure, "limit", limit);
    if (checking->too_large++ == 0 && checking->issues == 0)
        failure_set(checking->failure, -E2BIG, HOIST_REASON_TOO_LARGE, "%s", sentence);
}

static void check_display_name(struct checking *checking, const char *name)
{
    struct error err;

    if (!text_is_empty(name) && job_name_check(name, &err) < 0)
        complain(checking, "display_name", "%s", err.text);
}

static bool is_label_end(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool label_key_is_valid(const char *key)
{
    size_t length = strlen(key);

    if (length == 0 || length > 63 || !is_label_end(key[0]) || !is_label_end(key[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_label_end(key[i]) && !strchr("._/-", key[i]))
            return false;
    return true;
}

static void check_label(struct checking *checking, const struct job_label *label)
{
    const char *key = label->key ? label->key : "", *value = label->value ? label->value : "";
    _cleanup_free_ char *shown = utf8_escape(key);

    if (!label_key_is_valid(key))
        complain(checking, "labels", "the key \"%s\" must be 1 to 63 of a-z 0-9 . _ / -", shown);
    if (strlen(value) > JOB_LABEL_VALUE_MAX)
        complain(checking, "labels", "the value of \"%s\" has more than %d bytes", shown,
                 JOB_LABEL_VALUE_MAX);
    if (!utf8_is_valid(value, strlen(value)))
        complain(checking, "labels", "the value of \"%s\" is not UTF-8", shown);
}

static void check_labels(struct checking *checking, const struct job_spec *spec)
{
    if (spec->label_count > JOB_LABELS_MAX) {
        too_large(checking, "labels", "there are %zu labels, %d are allowed", spec->label_count,
                  JOB_LABELS_MAX);
        return;
    }
    for (size_t i = 0; i < spec->label_count; i++) {
        check_label(checking, &spec->labels[i]);
        for (size_t before = 0; before < i; before++)
            if (text_equal(spec->labels[i].key, spec->labels[before].key))
                complain(checking, "labels", "the key \"%s\" is there twice", spec->labels[i].key);
    }
}

static size_t words_size(char *const *list)
{
    size_t size = 0;

    for (; list && *list; list++)
        size += strlen(*list) + 1;
    return size;
}

static void check_words(struct checking *checking, const struct job_spec *spec)
{
    size_t args = spec->args ? strv_length(spec->args) : 0;
    size_t env = spec->env ? strv_length(spec->env) : 0;
    size_t size = words_size(spec->args) + words_size(spec->env) +
                  (spec->command ? strlen(spec->command) + 1 : 0);

    if (text_is_empty(spec->command))
        complain(checking, "command", "it is empty: name a program");
    if (args > JOB_ARGS_MAX)
        too_large(checking, "args", "there are %zu arguments, %d are allowed", args, JOB_ARGS_MAX);
    if (env > JOB_ENV_MAX)
        too_large(checking, "env", "there are %zu environment variables, %d are allowed", env,
                  JOB_ENV_MAX);
    if (size > JOB_WORDS_MAX)
        too_large(checking, "bytes",
                  "command, arguments and environment have %zu bytes, %d are allowed", size,
                  JOB_WORDS_MAX);
}

static bool env_name_is_valid(const char *name, size_t length)
{
    if (length == 0 || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!(name[i] == '_' || (name[i] >= 'a' && name[i] <= 'z') ||
              (name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9')))
            return false;
    return true;
}

static bool env_is_repeated(char *const *env, size_t position, size_t length)
{
    for (size_t before = 0; before < position; before++)
        if (strncmp(env[before], env[position], length) == 0 && env[before][length] == '=')
            return true;
    return false;
}

/* Only names are shown: values may be secrets. */
static void check_env(struct checking *checking, char *const *env)
{
    for (size_t i = 0; env && env[i] && i < JOB_ENV_MAX; i++) {
        size_t length = strcspn(env[i], "=");
        char field[32];

        snprintf(field, sizeof(field), "env[%zu]", i);
        if (env[i][length] != '=')
            complain(checking, field, "there is no \"=\": write NAME=value");
        else if (!env_name_is_valid(env[i], length))
            complain(checking, field, "the name must be letters, digits and _, no digit first");
        else if (env_is_repeated(env, i, length))
            complain(checking, field, "the name %.*s is there twice", (int)MIN(length, (size_t)64),
                     env[i]);
    }
}

static void check_cwd(struct checking *checking, const char *cwd)
{
    if (text_is_empty(cwd))
        return;
    if (cwd[0] != '/')
        complain(checking, "cwd", "it must be an absolute path");
    if (strlen(cwd) > JOB_CWD_MAX)
        complain(checking, "cwd", "it has more than %d bytes", JOB_CWD_MAX);
}

static void check_times(struct checking *checking, const struct job_spec *spec)
{
    if (spec->timeout > JOB_TIMEOUT_MAX)
        complain(checking, "timeout", "it is longer than 366 days");
    if (spec->grace != USEC_INFINITY && spec->grace > JOB_GRACE_MAX)
        complain(checking, "grace", "it is longer than an hour");
    if (spec->stop_signal < 0 || spec->stop_signal > 64)
        complain(checking, "stop_signal", "%d is no signal", spec->stop_signal);
}

static void check_limits(struct checking *checking, const struct limits *limits)
{
    static const struct {
        enum limit limit;
        uint64_t min, max;
        const char *field, *complaint;
    } bounds[] = {
        {LIMIT_CPU_PERIOD, 1000, 1000000, "limits.cpu_period_usec", "it must be 1000 to 1000000"},
        {LIMIT_CPU_WEIGHT, 1, 10000, "limits.cpu_weight", "it must be 1 to 10000"},
        {LIMIT_IO_WEIGHT, 1, 10000, "limits.io_weight", "it must be 1 to 10000"},
        {LIMIT_OOM_GROUP, 0, 1, "limits.oom_group", "it must be 0 or 1"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
        uint64_t value = limits->value[bounds[i].limit];

        if (limit_is_given(limits, bounds[i].limit) &&
            (value < bounds[i].min || value > bounds[i].max))
            complain(checking, bounds[i].field, "%s", bounds[i].complaint);
    }
    if (limit_is_given(limits, LIMIT_MEMORY_MAX) && limit_is_given(limits, LIMIT_MEMORY_HIGH) &&
        limits->value[LIMIT_MEMORY_MAX] != 0 &&
        limits->value[LIMIT_MEMORY_HIGH] > limits->value[LIMIT_MEMORY_MAX])
        complain(checking, "limits.memory_high", "it is above memory_max");
}

static void check_output(struct checking *checking, const struct output_choice *choice)
{
    if (choice->cap > 0 && choice->cap < OUTPUT_CAP_MIN)
        complain(checking, "output_cap", "it must be %llu or more", OUTPUT_CAP_MIN + 0ULL);
    if ((unsigned)choice->policy >= _OUTPUT_POLICY_MAX)
        complain(checking, "output_policy", "%d is none", (int)choice->policy);
}

int job_spec_check(const struct job_spec *spec, struct failure *failure)
{
    struct checking checking = {.failure = failure};

    check_display_name(&checking, spec->display_name);
    check_labels(&checking, spec);
    check_words(&checking, spec);
    check_env(&checking, spec->env);
    check_cwd(&checking, spec->cwd);
    if (!text_is_empty(spec->job_class) && strlen(spec->job_class) > JOB_CLASS_MAX)
        complain(&checking, "job_class", "it has more than %d bytes", JOB_CLASS_MAX);
    check_limits(&checking, &spec->limits);
    check_output(&checking, &spec->output_choice);
    check_times(&checking, spec);
    if (checking.issues > 0)
        return -EINVAL;
    return checking.too_large > 0 ? -E2BIG : 0;
}
