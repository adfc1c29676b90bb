/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/strv.h"
#include "worker/job-outcome.h"
#include "worker/registry.h"

/* What is shown of a job, living or recorded: specification and outcome, flat. */

static int copy_text(const char *text, char **ret)
{
    *ret = strdup(text ? text : "");
    return *ret ? 0 : -ENOMEM;
}

static int info_texts(const struct specification *specification, const struct outcome *outcome,
                      struct job_info *info)
{
    if (job_spec_copy(&specification->spec, &info->spec) < 0 ||
        copy_text(specification->created_by, &info->created_by) < 0 ||
        copy_text(outcome->stopped_by, &info->stopped_by) < 0 ||
        copy_text(outcome->error, &info->error) < 0)
        return -ENOMEM;
    job_spec_forget_values(&info->spec);
    if (outcome->degradations) {
        info->degradations = strv_copy(outcome->degradations);
        if (!info->degradations)
            return -ENOMEM;
    }
    return 0;
}

static void info_limits(const struct outcome *outcome, struct job_info *info)
{
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++) {
        struct job_limit *status = &info->limits[info->limit_count];

        if (!limit_is_given(&outcome->limits, limit))
            continue;
        status->limit = limit;
        status->value = outcome->limits.value[limit];
        status->enforced = (outcome->limit_report.enforced & LIMIT_BIT(limit)) != 0;
        memcpy(status->detail, outcome->limit_report.detail[limit], LIMIT_DETAIL_MAX);
        info->limit_count++;
    }
}

static void info_end(const struct outcome *outcome, struct job_info *info)
{
    info->state = (enum hoist_state)outcome->state;
    info->has_exit_code = outcome->has_exit_code;
    info->exit_code = outcome->exit_code;
    info->signal = outcome->signal;
    info->core_dumped = outcome->core_dumped;
    info->start_time = outcome->start_time;
    info->end_time = outcome->end_time;
    info->run_time = outcome->run_time;
    info->reason = (enum hoist_reason)outcome->reason;
    /* Until the end a cause is only what the end will be attributed to. */
    if (job_info_has_ended(info))
        info->cause = (enum hoist_cause)outcome->cause;
}

unsigned usage_throttled(const struct cgroup_usage *before, const struct cgroup_usage *after)
{
    /* A task may sleep at memory.high for longer than the time between two readings. */
    bool memory = after->memory_high_events > before->memory_high_events ||
                  (after->memory_high_events > 0 &&
                   after->psi_memory_some_usec > before->psi_memory_some_usec);

    return (after->throttled_usec > before->throttled_usec ? (unsigned)JOB_THROTTLED_CPU : 0) |
           (memory ? (unsigned)JOB_THROTTLED_MEMORY : 0);
}

static void info_figures(const struct outcome *outcome, struct job_info *info)
{
    info->output = (struct job_totals){
        .end_offset = outcome->output_end,
        .stdout_bytes = outcome->stdout_bytes,
        .stderr_bytes = outcome->stderr_bytes,
        .gap_start = outcome->gap_start,
        .gap_end = outcome->gap_end,
        .complete = outcome->output_complete,
    };
    info->usage.read_time = outcome->usage_time;
    info->usage.cgroup = outcome->usage;
    info->usage.throttled = usage_throttled(&(struct cgroup_usage){.known = 0}, &outcome->usage);
}

static struct job_info *info_new(const struct specification *specification,
                                 const struct outcome *outcome)
{
    _cleanup_job_info_ struct job_info *info = calloc(1, sizeof(*info));

    if (!info)
        return NULL;
    info->spec = JOB_SPEC_NULL;
    if (info_texts(specification, outcome, info) < 0)
        return NULL;
    info->id = specification->id;
    info->uid = specification->uid;
    info->create_time = specification->create_time;
    info_end(outcome, info);
    info_figures(outcome, info);
    info_limits(outcome, info);
    return TAKE_PTR(info);
}

int job_read_usage(struct job *job, struct cgroup_usage *ret)
{
    if (text_is_empty(job->outcome.cgroup))
        return -ENOENT;
    return spawner_usage(job->worker->spawner, job->outcome.cgroup, ret);
}

/* The index is always ahead of what the state file says of the output. */
static void info_live_output(struct job *job, struct job_info *info)
{
    if (job->index_fd < 0 || output_totals_update(job->index_fd, &job->totals, NULL) < 0)
        return;
    info->output = (struct job_totals){
        .end_offset = job->totals.end,
        .stdout_bytes = job->totals.stdout_bytes,
        .stderr_bytes = job->totals.stderr_bytes,
        .gap_start = job->said.progress.gap_start,
        .gap_end = job->said.progress.gap_end,
        .waiting_for_disk = job->said.progress.flags & STATE_WAITING_FOR_DISK,
        .throttled = job->said.progress.flags & STATE_THROTTLED,
    };
}

static void info_blocked(const struct job *job, struct job_info *info)
{
    /* Without the figure: hoist-init waits for one at least. */
    info->processes_blocked = (uint32_t)MAX(info->usage.cgroup.pids_current, UINT64_C(1));
    info->blocked_task_count = job->blocked.count;
    for (size_t i = 0; i < job->blocked.count; i++) {
        const struct spawn_task *task = &job->blocked.list[i];

        info->blocked_tasks[i] = (struct hoist_blocked_task){task->pid, task->state, ""};
        memcpy(info->blocked_tasks[i].name, task->name, sizeof(task->name));
    }
}

static void info_live(struct job *job, struct job_info *info)
{
    struct cgroup_usage usage;

    info->pid = job->init.pid;
    info_live_output(job, info);
    if (job_was_executed(job)) {
        usec_t now = clock_boot(), started = job->said.progress.started_boot;

        info->start_time = job->said.progress.started_wall;
        info->run_time = now > started ? now - started : 0;
    }
    if (job_read_usage(job, &usage) == 0) {
        info->usage.read_time = clock_wall();
        info->usage.read_boot = clock_boot();
        info->usage.cgroup = usage;
        info->usage.throttled = usage_throttled(&(struct cgroup_usage){.known = 0}, &usage);
    }
    if (job_is_past_its_deadline(job))
        info_blocked(job, info);
}

struct job_info *snapshot_job(struct job *job)
{
    struct job_info *info = info_new(&job->specification, &job->outcome);

    if (info && !job->finished)
        info_live(job, info);
    return info;
}

struct job_info *snapshot_record(const struct store_record *record, struct error *err)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    _cleanup_outcome_ struct outcome outcome = {.state = 0};
    struct job_info *info;

    if (record_decode(record, &specification, &outcome, err) < 0)
        return NULL;
    info = info_new(&specification, &outcome);
    if (!info)
        error_set(err, -ENOMEM, "no memory to show the job");
    return info;
}
