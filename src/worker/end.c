/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "worker/job-outcome.h"
#include "worker/operation.h"
#include "worker/reclaim.h"
#include "worker/removal.h"
#include "worker/seal-task.h"

/*
 * The end of a job: hoist-init is gone or has nothing more to say, or there never was one.
 *
 * First the cgroups are removed, since with that come the last figures, which decide whether it was
 * an OOM kill. Then the final state is set and recorded, and who waits is told. A removal that
 * doesn't come to an end doesn't hold up the truth for longer than REMOVE_PATIENCE; it goes on
 * behind it, and until it is through the job's uid stays taken.
 *
 * Three facts tell of an end, and where they don't agree:
 *   exit record, hoist-init lives      the record holds; after EXIT_PATIENCE (watch.c) it is killed
 *   exit record, something in cgroups  the record holds; what is there is killed, and counted as a
 *                                      leftover for as long as it doesn't go
 *   no record, hoist-init is gone      LOST, whatever is left in the cgroups: that is killed
 *   no record, cmd/ is empty           no end: hoist-init has still to say how it was
 *   a record of an earlier boot        holds; without one the job is LOST
 */

#define REMOVE_PATIENCE    (1 * USEC_PER_SEC)
#define REMOVE_DELAY_FIRST (5 * USEC_PER_MSEC)
#define REMOVE_DELAY_MAX   (1 * USEC_PER_SEC)
#define RECORD_RETRY       (1 * USEC_PER_SEC)

static void end_recorded(struct store_reply *reply, void *userdata);

static int record_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job *job = userdata;

    (void)source, (void)usec;
    job_record_end(job);
    return 0;
}

void job_record_end(struct job *job)
{
    if (job->putting)
        return; /* what comes of that leads here again */
    source_drop(&job->record_timer);
    if (job_record_write(job, end_recorded) < 0)
        (void)job_arm(job, &job->record_timer, clock_boot() + RECORD_RETRY, record_again);
}

static void tell_end(struct job *job)
{
    struct worker *worker = job->worker;
    _cleanup_job_info_ struct job_info *info = NULL;

    if (job->end_told)
        return;
    job->end_told = true;
    if (worker->ended && !worker->closing) {
        info = snapshot_job(job);
        if (info)
            worker->ended(info, worker->userdata);
    }
    job_wake_ended(job);
}

/*
 * A full disk is waited for: the exit record in the state file keeps the truth meanwhile, so that
 * who waits may be told already.
 */
static void end_recorded(struct store_reply *reply, void *userdata)
{
    struct job *job = userdata;

    job->pending--;
    if (job->worker->closing)
        return;
    job->recorded |= record_put_is_final(reply->code);
    job->end_recorded = reply->code == 0 || reply->code == -ENOENT;
    if (!job->end_recorded) {
        if (!job->end_told)
            worker_tell_trouble(job->worker, job, &reply->error);
        (void)job_arm(job, &job->record_timer, clock_boot() + RECORD_RETRY, record_again);
    } else if (!job->deleted) {
        job->worker->kept++;
        if (job->worker->rules.room.total.bytes > 0 || job->worker->rules.room.total.percent > 0)
            reclaim_look_soon(job->worker);
    }
    tell_end(job);
    job_advance(job);
}

/* hoist-init has written all that there was, and its END entry. */
static bool output_was_ended(const struct job *job)
{
    return job->has_said && job->said.has_exit && !(job->said.exit.flags & STATE_EXIT_OUTPUT_LOST);
}

/* What the spawner or the agent found out stands; otherwise hoist-init's word decides. */
static void decide(struct job *job)
{
    if (!job->start.failed)
        (void)outcome_decide(&job->outcome, job->has_said ? &job->said : NULL, job->rebooted);
    if (job->has_said && job->said.progress.error_code < 0 && job->start.failure_code == 0)
        job->start.failure_code = job->said.progress.error_code;
    if (job->outcome.end_time == 0)
        job->outcome.end_time = clock_wall();
    if (job->seal == SEAL_DONE) {
        job->outcome.output_end = job->totals.end;
        job->outcome.stdout_bytes = job->totals.stdout_bytes;
        job->outcome.stderr_bytes = job->totals.stderr_bytes;
        job->outcome.output_complete = job->totals.complete;
        job->outcome.gap_start = job->gap.start;
        job->outcome.gap_end = job->gap.end;
    }
}

static void finish(struct job *job)
{
    if (job->finished)
        return;
    job_read_said(job); /* a hoist-init that recovery had to kill may have said more */
    if (!output_was_ended(job) && job_seal(job))
        return;
    if (job->machine.now == HOIST_STATE_STARTING && job_was_executed(job))
        job_set_state(job, HOIST_STATE_RUNNING); /* found again after a restart */
    decide(job);
    job->outcome.cgroups_left = !job->cgroups_gone;
    source_drop(&job->kill_timer);
    job_set_state(job, (enum hoist_state)job->outcome.state);
    job_record_end(job);
}

static int remove_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job *job = userdata;

    (void)source, (void)usec;
    source_drop(&job->remove_timer);
    job_advance(job);
    return 0;
}

static void wait_for_removal(struct job *job)
{
    job->remove_delay =
        job->remove_delay == 0 ? REMOVE_DELAY_FIRST : MIN(job->remove_delay * 2, REMOVE_DELAY_MAX);
    (void)job_arm(job, &job->remove_timer, clock_boot() + job->remove_delay, remove_again);
}

static void removed(const struct spawner_removed *answer, void *userdata)
{
    struct job *job = userdata;

    job->pending--;
    job->removing = false;
    if (answer->code == 0 && !job->finished) {
        job->outcome.usage = answer->usage;
        job->outcome.usage_time = clock_wall();
    }
    job->cgroups_gone = answer->code == 0 || answer->code == -ENOENT;
    if (!job->cgroups_gone) {
        if (answer->code != -EBUSY && job->remove_delay == 0)
            worker_tell_trouble(job->worker, job, &answer->error);
        wait_for_removal(job);
    }
    job_advance(job);
}

static void ask_removal(struct job *job)
{
    job->removing = true;
    if (spawner_remove(job->worker->spawner, &job->specification.id, job->group, removed, job) ==
        0) {
        job->pending++;
        return;
    }
    job->removing = false;
    wait_for_removal(job);
}

static int patience_is_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job *job = userdata;

    (void)source, (void)usec;
    source_drop(&job->patience_timer);
    job_advance(job);
    return 0;
}

void job_end(struct job *job)
{
    struct cgroup_usage usage;

    if (job->ending)
        return;
    job->ending = true;
    job->remove_since = clock_boot();
    job_unwatch(job);
    (void)job_arm(job, &job->patience_timer, job->remove_since + REMOVE_PATIENCE, patience_is_over);
    /* Should the removal not answer in time these are the last figures. */
    if (!job->rebooted && job_read_usage(job, &usage) == 0) {
        job->outcome.usage = usage;
        job->outcome.usage_time = clock_wall();
    }
    job->cgroups_gone = job->rebooted;
}

static void release(struct job *job)
{
    struct worker *worker = job->worker;
    uid_t uid = job->specification.uid;

    if (job->dropped)
        removal_at_once(worker, &job->specification.id);
    job_free(job);
    uid_pool_give_back(&worker->uids, uid);
}

void job_end_advance(struct job *job)
{
    bool impatient = clock_boot() >= job->remove_since + REMOVE_PATIENCE;

    if (!job->cgroups_gone && !job->removing && !job->remove_timer)
        ask_removal(job);
    if (!job->dropped && (job->cgroups_gone || impatient))
        finish(job);
    if (job->cgroups_gone && (job->dropped || job->end_recorded) && job->pending == 0)
        release(job);
}

static void drop_removed(struct store_reply *reply, void *userdata)
{
    struct job *job = userdata;

    job->pending--;
    if (reply->code < 0 && reply->code != -ENOENT)
        worker_tell_trouble(job->worker, job, &reply->error);
    job_advance(job);
}

void job_drop(struct job *job, const struct failure *failure)
{
    const struct control_request request = {.op = CONTROL_KILL};

    job->dropped = true;
    source_drop(&job->record_timer);
    if (job->recorded &&
        store_thread_remove(job->worker->store, &job->specification.id, drop_removed, job) == 0)
        job->pending++;
    if (!job->process_ended)
        (void)spawner_control(job->worker->spawner, &job->init, &request);
    job_wake_failed(job, failure);
}
