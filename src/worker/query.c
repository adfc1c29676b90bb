/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/strv.h"
#include "worker/cgroup-figures.h"
#include "worker/operation.h"

/* Get, wait and watch: what changes nothing. */

#define SAMPLE_INTERVAL (1 * USEC_PER_SEC)

/* --- get ----------------------------------------------------------------------------------------
 */

static double rate(uint64_t before, uint64_t after, usec_t interval)
{
    return after > before ? (double)(after - before) * 1e6 / (double)interval : 0;
}

static void fill_rates(const struct cgroup_usage *before, usec_t before_time,
                       struct job_usage *usage)
{
    const struct cgroup_usage *after = &usage->cgroup;

    if (before_time == 0 || usage->read_boot <= before_time)
        return;
    usage->interval = usage->read_boot - before_time;
    /* A microsecond of CPU in a microsecond is all of one CPU. */
    usage->cpu_percent = rate(before->cpu_usec, after->cpu_usec, usage->interval) / 1e4;
    usage->io_ops_per_second =
        rate(before->io_read_operations + before->io_write_operations,
             after->io_read_operations + after->io_write_operations, usage->interval);
    usage->io_bytes_per_second =
        rate(before->io_read_bytes + before->io_write_bytes,
             after->io_read_bytes + after->io_write_bytes, usage->interval);
    usage->throttled = usage_throttled(before, after);
}

/* All that the kernel counts while it does, afterwards what was kept. Without memory: nothing. */
static void fill_statistics(const struct worker_operation *op, const struct job *job)
{
    struct job_usage *usage = op->reply.job ? &op->reply.job->usage : NULL;

    if (!usage || !(op->get & WORKER_GET_STATISTICS))
        return;
    if (!job || job->finished || text_is_empty(job->outcome.cgroup) ||
        spawner_statistics(op->worker->spawner, job->outcome.cgroup, &usage->statistics) < 0)
        (void)cgroup_figures_kept(&usage->cgroup, &usage->statistics);
}

static void add_rates(struct worker_operation *op, struct job *job)
{
    (void)job;
    fill_rates(&op->before, op->before_time, &op->reply.job->usage);
}

static void add_statistics_and_rates(struct worker_operation *op, struct job *job)
{
    fill_statistics(op, job);
    add_rates(op, job);
}

static void answer_get(struct worker_operation *op, struct job *job)
{
    op->shown = add_statistics_and_rates;
    operation_answer_job(op, job);
}

static int sample_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker_operation *op = userdata;
    struct job *job = op->job;

    (void)source, (void)usec;
    source_drop(&op->timer);
    operation_stop_waiting(op);
    answer_get(op, job);
    return 0;
}

/* Waits on the job as well: should it end meanwhile its final figures are the answer. */
static void get_found(struct worker_operation *op, struct job *job, struct store_record **record)
{
    if (!job) {
        operation_answer_record(op, *record);
        return fill_statistics(op, NULL);
    }
    if (!(op->get & WORKER_GET_SAMPLE) || job->finished || job_read_usage(job, &op->before) < 0)
        return answer_get(op, job);
    op->before_time = clock_boot();
    if (operation_arm(op, op->before_time + SAMPLE_INTERVAL, sample_again) < 0)
        return answer_get(op, job);
    operation_wait_for(op, job, OPERATION_WAITS_FOR_END);
}

int worker_get(struct worker *worker, const struct worker_caller *caller, const char *name,
               unsigned flags, worker_done_fn *done, void *userdata, struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, name, done, userdata);

    if (!op)
        return -ENOMEM;
    op->get = flags;
    op->shows_ended = !(flags & WORKER_GET_STATISTICS); /* which are added to the answer */
    return operation_begin(op, get_found, ret);
}

/* --- wait ---------------------------------------------------------------------------------------
 */

static int wait_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker_operation *op = userdata;

    (void)source, (void)usec;
    operation_answer_job(op, op->job);
    return 0;
}

static void wait_found(struct worker_operation *op, struct job *job, struct store_record **record)
{
    if (!job)
        return operation_answer_record(op, *record);
    if (job->end_told || op->duration == 0)
        return operation_answer_job(op, job);
    if (op->duration != USEC_INFINITY &&
        operation_arm(op, clock_boot() + op->duration, wait_timed_out) < 0)
        return operation_fail_with(op, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory to wait");
    operation_wait_for(op, job, OPERATION_WAITS_FOR_END);
}

int worker_wait(struct worker *worker, const struct worker_caller *caller, const char *name,
                usec_t timeout, worker_done_fn *done, void *userdata, struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, name, done, userdata);

    if (!op)
        return -ENOMEM;
    op->duration = timeout;
    op->shows_ended = true;
    return operation_begin(op, wait_found, ret);
}

/* --- changes ------------------------------------------------------------------------------------
 */

static void answer_change(struct worker_operation *op, struct job *job)
{
    operation_stop_waiting(op);
    op->shown = add_rates;
    operation_answer_job(op, job);
}

static int delay_has_passed(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker_operation *op = userdata;

    (void)source, (void)usec;
    answer_change(op, op->job);
    return 0;
}

/* A final state counts when it is safe, as for those who wait for the end. */
static bool has_changed(const struct worker_operation *op, const struct job *job)
{
    return job->end_told || op->seen == HOIST_STATE_UNSPECIFIED ||
           (!job->finished && job->outcome.state != (uint32_t)op->seen);
}

static void change_found(struct worker_operation *op, struct job *job, struct store_record **record)
{
    if (!job)
        return operation_answer_record(op, *record);
    if (has_changed(op, job))
        return answer_change(op, job);
    if (operation_arm(op, clock_boot() + op->duration, delay_has_passed) < 0)
        return operation_fail_with(op, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory to wait");
    op->woken = answer_change;
    operation_wait_for(op, job, OPERATION_WAITS_FOR_CHANGE);
}

int worker_await_change(struct worker *worker, const struct worker_caller *caller, const char *name,
                        const struct worker_seen *seen, usec_t delay, worker_done_fn *done,
                        void *userdata, struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, name, done, userdata);

    if (!op)
        return -ENOMEM;
    op->duration = delay;
    op->shows_ended = true;
    if (seen) {
        op->seen = seen->state;
        op->before = seen->usage;
        op->before_time = seen->usage_time;
    }
    return operation_begin(op, change_found, ret);
}
