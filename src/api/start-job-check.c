/* SPDX-License-Identifier: Apache-2.0 */
#include "api/start-job-check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "api/moment.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "base/signal-name.h"
#include "base/utf8.h"

#define FIELD_TEXT_MAX 96
#define LABEL_KEY_MAX  63
#define ENV_NAME_MAX   255
#define COMMAND_MAX    4095 /* PATH_MAX without its NUL */
#define GRACE_MAX      (24 * 3600 * USEC_PER_SEC)
#define BYTES_MAX      ((uint64_t)INT64_MAX) /* what a cgroup control file takes */
#define CPU_MILLIS_MAX UINT64_C(8192000)     /* NR_CPUS_RANGE_END of x86 */
#define PIDS_MAX       UINT64_C(4194304)     /* PID_MAX_LIMIT */
#define IOPS_MAX       UINT64_C(4294967295)
#define OPEN_FILES_MAX UINT64_C(1073741816) /* the kernel's largest fs.nr_open */

struct issue {
    char field[FIELD_TEXT_MAX];
    char text[ERROR_TEXT_MAX];
};

struct issues {
    struct issue list[START_JOB_ISSUES_MAX];
    unsigned count;  /* may be more than fit into the list */
    bool only_sizes; /* each says that something is too large */
};

/* An issue of any kind with the field that `field` describes; the sentence follows the field's
 * path. */
static void issue_add(struct issues *issues, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void issue_add(struct issues *issues, const char *field, const char *format, ...)
{
    va_list arguments;

    issues->only_sizes = false;
    if (issues->count++ >= START_JOB_ISSUES_MAX)
        return;
    struct issue *issue = &issues->list[issues->count - 1];

    (void)snprintf(issue->field, sizeof(issue->field), "%s", field);
    va_start(arguments, format);
    (void)vsnprintf(issue->text, sizeof(issue->text), format, arguments);
    va_end(arguments);
}

/* The issue that there is too much of something. */
static void issue_add_size(struct issues *issues, const char *field, size_t size, size_t max,
                           const char *unit)
{
    bool only_sizes = issues->count == 0 || issues->only_sizes;

    issue_add(issues, field, "has %zu %s; at most %zu are allowed", size, unit, max);
    issues->only_sizes = only_sizes;
}

static const char *field_at(char text[static FIELD_TEXT_MAX], const char *list, size_t index,
                            const char *member)
{
    (void)snprintf(text, FIELD_TEXT_MAX, "%s[%zu]%s", list, index, member);
    return text;
}

static bool is_alnum_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool label_key_is_valid(const char *key)
{
    size_t length = strlen(key);

    if (length == 0 || length > LABEL_KEY_MAX || !is_alnum_lower(key[0]) ||
        !is_alnum_lower(key[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_alnum_lower(key[i]) && !strchr("._/-", key[i]))
            return false;
    return true;
}

static bool env_name_is_valid(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t length = strlen(name);

    return length > 0 && strchr(letters, name[0]) &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") ==
               length;
}

static bool holds_nul(const ProtobufCBinaryData *bytes)
{
    return bytes->len > 0 && memchr(bytes->data, '\0', bytes->len);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A text that is twice in the list, or NULL. Sorts a copy: the lists are a client's. */
static const char *find_duplicate(const char **texts, size_t count)
{
    qsort(texts, count, sizeof(*texts), compare_texts);
    for (size_t i = 1; i < count; i++)
        if (strcmp(texts[i - 1], texts[i]) == 0)
            return texts[i];
    return NULL;
}

static void check_display_name(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    struct error err;

    if (spec->display_name[0] && job_name_check(spec->display_name, &err) < 0)
        issue_add(issues, "spec.display_name", "is wrong: %s", err.text);
}

static void check_labels(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    const char *keys[START_JOB_LABELS_MAX];
    char field[FIELD_TEXT_MAX];

    if (spec->n_labels > START_JOB_LABELS_MAX) {
        issue_add_size(issues, "spec.labels", spec->n_labels, START_JOB_LABELS_MAX, "labels");
        return;
    }
    for (size_t i = 0; i < spec->n_labels; i++) {
        keys[i] = spec->labels[i]->key;
        if (!label_key_is_valid(keys[i]))
            issue_add(issues, field_at(field, "spec.labels", i, ".key"),
                      "must match [a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?");
        if (strlen(spec->labels[i]->value) > START_JOB_LABEL_VALUE_MAX)
            issue_add_size(issues, field_at(field, "spec.labels", i, ".value"),
                           strlen(spec->labels[i]->value), START_JOB_LABEL_VALUE_MAX, "bytes");
    }
    if (find_duplicate(keys, spec->n_labels))
        issue_add(issues, "spec.labels", "has a key twice");
}

static void check_command(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    char field[FIELD_TEXT_MAX];

    if (spec->command.len == 0)
        issue_add(issues, "spec.command", "is empty: it must name a program");
    else if (holds_nul(&spec->command))
        issue_add(issues, "spec.command", "holds a NUL");
    else if (spec->command.len > COMMAND_MAX)
        issue_add_size(issues, "spec.command", spec->command.len, COMMAND_MAX, "bytes");
    if (spec->n_args > START_JOB_ARGS_MAX)
        issue_add_size(issues, "spec.args", spec->n_args, START_JOB_ARGS_MAX, "arguments");
    for (size_t i = 0; i < spec->n_args; i++)
        if (holds_nul(&spec->args[i]))
            issue_add(issues, field_at(field, "spec.args", i, ""), "holds a NUL");
}

static void check_env(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    const char *names[START_JOB_ENV_MAX];
    char field[FIELD_TEXT_MAX];
    const char *duplicate;

    if (spec->n_env > START_JOB_ENV_MAX) {
        issue_add_size(issues, "spec.env", spec->n_env, START_JOB_ENV_MAX, "variables");
        return;
    }
    for (size_t i = 0; i < spec->n_env; i++) {
        names[i] = spec->env[i]->name;
        if (!env_name_is_valid(names[i]))
            issue_add(issues, field_at(field, "spec.env", i, ".name"),
                      "must match [A-Za-z_][A-Za-z0-9_]*");
        else if (strlen(names[i]) > ENV_NAME_MAX)
            issue_add_size(issues, field_at(field, "spec.env", i, ".name"), strlen(names[i]),
                           ENV_NAME_MAX, "bytes");
        if (holds_nul(&spec->env[i]->value))
            issue_add(issues, field_at(field, "spec.env", i, ".value"), "holds a NUL");
    }
    duplicate = find_duplicate(names, spec->n_env);
    if (duplicate && env_name_is_valid(duplicate))
        issue_add(issues, "spec.env", "has the variable %.64s twice", duplicate);
}

/* What the kernel copies for execve(2), as far as it is the client's. */
static void check_bytes(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    size_t sum = spec->command.len + 1;

    for (size_t i = 0; i < spec->n_args; i++)
        sum += spec->args[i].len + 1;
    for (size_t i = 0; i < spec->n_env; i++)
        sum += strlen(spec->env[i]->name) + 1 + spec->env[i]->value.len + 1;
    if (sum > START_JOB_BYTES_MAX)
        issue_add_size(issues, "spec.args", sum, START_JOB_BYTES_MAX,
                       "bytes together with command and env");
}

static void check_cwd_and_class(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    if (spec->cwd[0] && spec->cwd[0] != '/')
        issue_add(issues, "spec.cwd", "is not absolute: it must begin with /");
    if (strlen(spec->cwd) > START_JOB_CWD_MAX)
        issue_add_size(issues, "spec.cwd", strlen(spec->cwd), START_JOB_CWD_MAX, "bytes");
    if (spec->job_class[0] && !principal_is_valid(spec->job_class))
        issue_add(issues, "spec.job_class",
                  "is no name of a class: it must match [a-z0-9][a-z0-9._-]{0,62}");
}

static void check_amount(const char *name, const Hoist__V1__Amount *amount, uint64_t min,
                         uint64_t max, struct issues *issues)
{
    char field[FIELD_TEXT_MAX];

    if (!amount || (amount->value >= min && amount->value <= max))
        return;
    (void)snprintf(field, sizeof(field), "spec.limits.%s", name);
    issue_add(issues, field, "is %llu; it must lie between %llu and %llu",
              (unsigned long long)amount->value, (unsigned long long)min, (unsigned long long)max);
}

/* What is kept for a job it must be able to use. */
static void check_kept(const char *name, const Hoist__V1__Amount *kept, const char *most_name,
                       const Hoist__V1__Amount *most, struct issues *issues)
{
    char field[FIELD_TEXT_MAX];

    if (!kept || !most || most->value == 0 || kept->value <= most->value)
        return;
    (void)snprintf(field, sizeof(field), "spec.limits.%s", name);
    issue_add(issues, field, "is above %s", most_name);
}

static void check_limits(const Hoist__V1__Limits *limits, struct issues *issues)
{
    if (!limits)
        return;
    check_amount("cpu_millis", limits->cpu_millis, 0, CPU_MILLIS_MAX, issues);
    check_amount("cpu_weight", limits->cpu_weight, 1, 10000, issues);
    check_amount("cpu_period_usec", limits->cpu_period_usec, 1000, 1000000, issues);
    check_amount("cpu_time_usec", limits->cpu_time_usec, 0, BYTES_MAX, issues);
    check_amount("memory_max", limits->memory_max, 0, BYTES_MAX, issues);
    check_amount("memory_high", limits->memory_high, 0, BYTES_MAX, issues);
    check_amount("swap_max", limits->swap_max, 0, BYTES_MAX, issues);
    check_amount("oom_group", limits->oom_group, 0, 1, issues);
    check_amount("pids_max", limits->pids_max, 0, PIDS_MAX, issues);
    check_amount("io_weight", limits->io_weight, 1, 10000, issues);
    check_amount("io_read_bps", limits->io_read_bps, 0, BYTES_MAX, issues);
    check_amount("io_write_bps", limits->io_write_bps, 0, BYTES_MAX, issues);
    check_amount("io_read_iops", limits->io_read_iops, 0, IOPS_MAX, issues);
    check_amount("io_write_iops", limits->io_write_iops, 0, IOPS_MAX, issues);
    check_amount("open_files", limits->open_files, 3, OPEN_FILES_MAX, issues);
    check_amount("core_size", limits->core_size, 0, BYTES_MAX, issues);
    check_amount("memory_low", limits->memory_low, 0, BYTES_MAX, issues);
    check_amount("memory_reserved", limits->memory_reserved, 0, BYTES_MAX, issues);
    check_amount("cpu_reserved_millis", limits->cpu_reserved_millis, 0, CPU_MILLIS_MAX, issues);
    check_kept("memory_low", limits->memory_low, "memory_max", limits->memory_max, issues);
    check_kept("memory_reserved", limits->memory_reserved, "memory_max", limits->memory_max,
               issues);
    check_kept("cpu_reserved_millis", limits->cpu_reserved_millis, "cpu_millis", limits->cpu_millis,
               issues);
    if (limits->memory_max && limits->memory_high && limits->memory_max->value > 0 &&
        limits->memory_high->value > limits->memory_max->value)
        issue_add(issues, "spec.limits.memory_high", "is above memory_max");
}

static void check_output(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    uint64_t cap = spec->output_cap ? spec->output_cap->value : 0;

    if (cap > 0 && (cap < START_JOB_OUTPUT_CAP_MIN || cap > START_JOB_OUTPUT_CAP_MAX))
        issue_add(issues, "spec.output_cap",
                  "is %llu; it must be 0 (no cap) or lie between %llu and %llu",
                  (unsigned long long)cap, (unsigned long long)START_JOB_OUTPUT_CAP_MIN,
                  (unsigned long long)START_JOB_OUTPUT_CAP_MAX);
    if (!protobuf_c_enum_descriptor_get_value(&hoist__v1__output_policy__descriptor,
                                              (int)spec->output_policy))
        issue_add(issues, "spec.output_policy", "is %d, which is none that this agent knows",
                  (int)spec->output_policy);
}

static void check_duration(const char *field, const Google__Protobuf__Duration *duration,
                           usec_t max, struct issues *issues)
{
    struct error err;
    usec_t value;

    if (api_duration_read(duration, 0, &value, &err) < 0)
        issue_add(issues, field, "%s", err.text);
    else if (value > max)
        issue_add(issues, field, "is longer than %llu seconds",
                  (unsigned long long)(max / USEC_PER_SEC));
}

static void check_ending(const Hoist__V1__JobSpec *spec, struct issues *issues)
{
    struct error err;
    int signal;

    check_duration("spec.timeout", spec->timeout, API_DURATION_MAX, issues);
    check_duration("spec.grace", spec->grace, GRACE_MAX, issues);
    if (spec->stop_signal[0] && signal_from_name(spec->stop_signal, &signal, &err) < 0)
        issue_add(issues, "spec.stop_signal", "%s", err.text);
}

static void check_request_id(const char *id, struct issues *issues)
{
    size_t length = strlen(id);

    if (length > START_JOB_REQUEST_ID_MAX)
        issue_add_size(issues, "request_id", length, START_JOB_REQUEST_ID_MAX, "characters");
    for (size_t i = 0; i < length; i++)
        if (id[i] < ' ' || id[i] > '~') {
            issue_add(issues, "request_id", "holds a character that is not printable ASCII");
            return;
        }
}

/* All of them as one error. */
static int issues_report(const struct issues *issues, struct api_error *ret)
{
    const struct issue *first = &issues->list[0];
    char key[32];

    if (issues->count == 0)
        return 0;
    if (issues->count == 1)
        (void)api_error_set(ret, HOIST__V1__REASON__REASON_INVALID_FIELD, "%s %s", first->field,
                            first->text);
    else
        (void)api_error_set(ret, HOIST__V1__REASON__REASON_INVALID_FIELD,
                            "%s %s (the first of %u issues)", first->field, first->text,
                            issues->count);
    if (issues->only_sizes) {
        ret->reason = HOIST__V1__REASON__REASON_TOO_LARGE;
        api_error_add(ret, "limit", "%s", first->field);
    }
    for (unsigned i = 0; i < MIN(issues->count, (unsigned)START_JOB_ISSUES_MAX); i++) {
        (void)snprintf(key, sizeof(key), "field.%u", i);
        api_error_add(ret, key, "%s", issues->list[i].field);
        (void)snprintf(key, sizeof(key), "issue.%u", i);
        api_error_add(ret, key, "%s", issues->list[i].text);
    }
    return -EREMOTEIO;
}

int start_job_check(const Hoist__V1__StartJobRequest *request, struct api_error *ret)
{
    const Hoist__V1__JobSpec *spec = request->spec;
    struct issues issues = {0};

    if (spec) {
        check_command(spec, &issues);
        check_bytes(spec, &issues);
        check_env(spec, &issues);
        check_display_name(spec, &issues);
        check_labels(spec, &issues);
        check_cwd_and_class(spec, &issues);
        check_limits(spec->limits, &issues);
        check_output(spec, &issues);
        check_ending(spec, &issues);
    } else {
        issue_add(&issues, "spec", "is missing");
    }
    check_request_id(request->request_id, &issues);
    return issues_report(&issues, ret);
}
