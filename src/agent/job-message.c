/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/job-message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/usage-message.h"
#include "api/moment.h"
#include "base/signal-name.h"
#include "base/strv.h"
#include "worker/job-info.h"

/*
 * Every step fills one part of the message and returns 0 or -ENOMEM; job_to_message() calls them in
 * turn and throws the message away when one fails.
 */
typedef int job_part_fn(const struct job_info *info, Hoist__V1__Job *job);

static int set_moment(Google__Protobuf__Timestamp **field, usec_t wall)
{
    return wall > 0 ? api_timestamp_set(field, wall) : 0;
}

static int fill_name(const struct job_info *info, Hoist__V1__Job *job)
{
    char id[ID_TEXT_MAX], name[ID_TEXT_MAX + 8];

    snprintf(name, sizeof(name), "jobs/%s", id_format(&info->id, id));
    return api_set_text(&job->name, name);
}

static int fill_labels(const struct job_info *info, Hoist__V1__JobSpec *spec)
{
    for (size_t i = 0; i < info->spec.label_count; i++) {
        int r =
            api_append_entry(&hoist__v1__job_spec__labels_entry__descriptor, &spec->n_labels,
                             &spec->labels, info->spec.labels[i].key, info->spec.labels[i].value);

        if (r < 0)
            return r;
    }
    return 0;
}

static int fill_words(const struct job_info *info, Hoist__V1__JobSpec *spec)
{
    const char *command = info->spec.command ? info->spec.command : "";
    int r = api_set_bytes(&spec->command, command, strlen(command));

    for (size_t i = 0; r == 0 && i < strv_length(info->spec.args); i++)
        r = api_append_bytes(&spec->n_args, &spec->args, info->spec.args[i],
                             strlen(info->spec.args[i]));
    for (size_t i = 0; r == 0 && i < strv_length(info->spec.env); i++) {
        Hoist__V1__EnvVar *variable = api_new(hoist__v1__env_var);

        r = variable ? api_set_text(&variable->name, info->spec.env[i]) : -ENOMEM;
        if (r == 0)
            r = api_append_take(&spec->n_env, &spec->env, variable);
        if (r < 0)
            api_free(&variable->base);
    }
    return r;
}

static int fill_spec_limits(const struct job_info *info, Hoist__V1__JobSpec *spec)
{
    int r = 0;

    spec->limits = api_new(hoist__v1__limits);
    if (!spec->limits)
        return -ENOMEM;
    for (unsigned limit = 0; r == 0 && limit < _LIMIT_MAX; limit++)
        if (limit_is_given(&info->spec.limits, limit))
            r = api_limits_set(spec->limits, limit_name(limit), info->spec.limits.value[limit]);
    return r;
}

static int fill_spec_output(const struct job_info *info, Hoist__V1__JobSpec *spec)
{
    spec->output_cap = api_new(hoist__v1__amount);
    if (!spec->output_cap)
        return -ENOMEM;
    spec->output_cap->value = info->spec.output.cap;
    spec->output_policy = info->spec.output.stop_at_cap
                              ? HOIST__V1__OUTPUT_POLICY__OUTPUT_POLICY_STOP_JOB
                              : HOIST__V1__OUTPUT_POLICY__OUTPUT_POLICY_KEEP_ENDS;
    return 0;
}

static int fill_spec(const struct job_info *info, Hoist__V1__Job *job)
{
    Hoist__V1__JobSpec *spec = api_new(hoist__v1__job_spec);
    int r;

    if (!spec)
        return -ENOMEM;
    job->spec = spec;
    spec->merged = info->spec.merged;
    r = api_set_text(&spec->display_name, info->spec.display_name);
    if (r == 0)
        r = api_set_text(&spec->cwd, info->spec.cwd);
    if (r == 0)
        r = api_set_text(&spec->job_class, info->spec.job_class);
    if (r == 0)
        r = api_set_text(&spec->stop_signal,
                         signal_name(info->spec.stop_signal ? info->spec.stop_signal : 15));
    if (r == 0 && info->spec.timeout > 0)
        r = api_duration_set(&spec->timeout, info->spec.timeout);
    if (r == 0 && info->spec.grace != USEC_INFINITY)
        r = api_duration_set(&spec->grace, info->spec.grace);
    if (r == 0)
        r = fill_labels(info, spec);
    if (r == 0)
        r = fill_words(info, spec);
    if (r == 0)
        r = fill_spec_output(info, spec);
    return r < 0 ? r : fill_spec_limits(info, spec);
}

static int fill_end(const struct job_info *info, Hoist__V1__Job *job)
{
    int r;

    job->state = (Hoist__V1__JobState)info->state;
    job->cause = (Hoist__V1__Cause)info->cause;
    job->reason = (Hoist__V1__Reason)info->reason;
    job->exit_code = info->exit_code;
    job->has_exit_code = info->has_exit_code;
    job->signal = info->signal;
    job->core_dumped = info->core_dumped;
    job->job_uid = info->uid;
    job->pid = (uint32_t)info->pid;
    r = api_set_text(&job->error, info->error);
    if (r == 0)
        r = api_set_text(&job->created_by, info->created_by);
    return r < 0 ? r : api_set_text(&job->stopped_by, info->stopped_by);
}

static int fill_blocked(const struct job_info *info, Hoist__V1__Job *job)
{
    job->processes_blocked = info->processes_blocked;
    for (size_t i = 0; i < info->blocked_task_count; i++) {
        const struct hoist_blocked_task *from = &info->blocked_tasks[i];
        Hoist__V1__BlockedTask *task = api_new(hoist__v1__blocked_task);
        int r;

        if (!task)
            return -ENOMEM;
        task->pid = (uint32_t)from->pid;
        r = api_set_text(&task->name, from->name);
        if (r == 0)
            r = api_set_text(&task->state, (const char[]){from->state, '\0'});
        if (r == 0)
            r = api_append_take(&job->n_blocked_tasks, &job->blocked_tasks, task);
        if (r < 0) {
            api_free(&task->base);
            return r;
        }
    }
    return 0;
}

static int fill_times(const struct job_info *info, Hoist__V1__Job *job)
{
    int r = set_moment(&job->create_time, info->create_time);

    if (r == 0)
        r = set_moment(&job->start_time, info->start_time);
    if (r == 0)
        r = set_moment(&job->end_time, info->end_time);
    if (r == 0 && info->start_time > 0)
        r = api_duration_set(&job->run_time, info->run_time);
    return r;
}

static int fill_output(const struct job_info *info, Hoist__V1__Job *job)
{
    Hoist__V1__OutputTotals *output = api_new(hoist__v1__output_totals);

    if (!output)
        return -ENOMEM;
    output->end_offset = info->output.end_offset;
    output->stdout_bytes = info->output.stdout_bytes;
    output->stderr_bytes = info->output.stderr_bytes;
    output->complete = info->output.complete;
    output->gap_start = info->output.gap_start;
    output->gap_end = info->output.gap_end;
    output->waiting_for_disk = info->output.waiting_for_disk;
    output->throttled = info->output.throttled;
    job->output = output;
    return 0;
}

static int fill_usage(const struct job_info *info, Hoist__V1__Job *job)
{
    if (info->usage.read_time == 0)
        return 0;
    job->usage = usage_to_message(&info->usage);
    return job->usage ? 0 : -ENOMEM;
}

static int fill_limits(const struct job_info *info, Hoist__V1__Job *job)
{
    for (size_t i = 0; i < info->limit_count; i++) {
        Hoist__V1__LimitStatus *status = api_new(hoist__v1__limit_status);
        int r;

        if (!status)
            return -ENOMEM;
        status->value = info->limits[i].value;
        status->enforced = info->limits[i].enforced;
        r = api_set_text(&status->name, limit_name(info->limits[i].limit));
        if (r == 0)
            r = api_set_text(&status->detail, info->limits[i].detail);
        if (r == 0)
            r = api_append_take(&job->n_limits, &job->limits, status);
        if (r < 0) {
            api_free(&status->base);
            return r;
        }
    }
    return 0;
}

static int fill_degradations(const struct job_info *info, Hoist__V1__Job *job)
{
    for (size_t i = 0; i < strv_length(info->degradations); i++) {
        int r = api_append_text(&job->n_degradations, &job->degradations, info->degradations[i]);

        if (r < 0)
            return r;
    }
    return 0;
}

Hoist__V1__Job *job_to_message(const struct job_info *info, const char *host)
{
    static job_part_fn *const parts[] = {
        fill_name,   fill_spec,  fill_end,    fill_times,        fill_blocked,
        fill_output, fill_usage, fill_limits, fill_degradations,
    };
    _cleanup_api_message_ Hoist__V1__Job *job = api_new(hoist__v1__job);

    if (!job || api_set_text(&job->host, host) < 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i](info, job) < 0)
            return NULL;
    return TAKE_PTR(job);
}
