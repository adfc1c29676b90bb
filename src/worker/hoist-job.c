/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/hoist-handle.h"

/* The public struct, and behind it what its pointers point to. */
struct public_job {
    struct hoist_job head;
    struct hoist_limit_status limits[_LIMIT_MAX];
    const struct job_info *info;
    struct job_info *owned; /* NULL: `info` is borrowed */
};

static const char *const no_texts[] = {NULL};

static const char *text(const char *text)
{
    return text ? text : "";
}

static const char *const *texts(char **list)
{
    return list ? (const char *const *)list : no_texts;
}

static void show_limits(struct public_job *job)
{
    for (size_t i = 0; i < job->info->limit_count; i++) {
        const struct job_limit *limit = &job->info->limits[i];

        job->limits[i] = (struct hoist_limit_status){
            .name = limit_name(limit->limit),
            .value = limit->value,
            .enforced = limit->enforced,
            .detail = limit->detail,
        };
    }
    job->head.limits = job->limits;
    job->head.limit_count = job->info->limit_count;
}

static void show_usage(const struct cgroup_usage *from, struct hoist_usage *to)
{
    *to = (struct hoist_usage){
        .cpu_usec = from->cpu_usec,
        .cpu_user_usec = from->cpu_user_usec,
        .cpu_system_usec = from->cpu_system_usec,
        .memory_current = from->memory_current,
        .memory_peak = from->memory_peak,
        .io_read_bytes = from->io_read_bytes,
        .io_write_bytes = from->io_write_bytes,
        .io_read_ops = from->io_read_operations,
        .io_write_ops = from->io_write_operations,
        .pids_current = from->pids_current,
    };
}

static void show_end(const struct job_info *info, struct hoist_job *head)
{
    head->state = info->state;
    head->cause = info->cause;
    head->has_exit_code = info->has_exit_code;
    head->exit_code = info->exit_code;
    head->signal = info->signal;
    head->core_dumped = info->core_dumped;
    head->reason = info->reason;
    head->error = text(info->error);
    head->create_time_usec = info->create_time;
    head->start_time_usec = info->start_time;
    head->end_time_usec = info->end_time;
    head->run_time_usec = info->run_time;
}

static void show_rest(const struct job_info *info, struct hoist_job *head)
{
    id_format(&info->id, head->id);
    head->display_name = text(info->spec.display_name);
    head->command = text(info->spec.command);
    head->args = texts(info->spec.args);
    head->output_bytes = info->output.end_offset;
    head->stdout_bytes = info->output.stdout_bytes;
    head->stderr_bytes = info->output.stderr_bytes;
    head->output_complete = info->output.complete;
    head->degradations = texts(info->degradations);
    head->uid = info->uid;
    head->pid = info->pid;
    head->processes_blocked = info->processes_blocked;
    head->blocked_tasks = info->blocked_tasks;
    head->blocked_task_count = info->blocked_task_count;
    head->output_gap_start = info->output.gap_start;
    head->output_gap_end = info->output.gap_end;
    head->output_waiting = info->output.waiting_for_disk;
}

struct hoist_job *hoist_job_borrow(const struct job_info *info)
{
    struct public_job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->info = info;
    job->head.size = sizeof(job->head);
    show_end(info, &job->head);
    show_rest(info, &job->head);
    show_limits(job);
    show_usage(&info->usage.cgroup, &job->head.usage);
    return &job->head;
}

struct hoist_job *hoist_job_new(struct job_info *info)
{
    struct public_job *job = (struct public_job *)hoist_job_borrow(info);

    if (!job)
        return NULL;
    job->owned = info;
    return &job->head;
}

struct hoist_job *hoist_job_free(struct hoist_job *head)
{
    struct public_job *job = (struct public_job *)head;

    if (job)
        job_info_free(job->owned);
    free(job);
    return NULL;
}
