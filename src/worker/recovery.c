/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/strv.h"
#include "worker/job-dir.h"
#include "worker/job-outcome.h"
#include "worker/leftovers.h"
#include "worker/operation.h"

/*
 * Finding the jobs again after a restart.
 *
 * Three witnesses are asked: the records, the jobs' directories, the cgroups.
 *   record of a living job   hoist-init lives (same boot, same pid and start time): watched on;
 *                            gone: its state file tells the end, or it is LOST
 *   directory, no record     the agent died between the two: entered from its specification, then
 *                            treated like a record
 *   cgroup, no living job    killed and removed (leftovers.c)
 * A start that was never acknowledged (the state file doesn't say who hoist-init is) is ended:
 * nobody was promised that it runs. Nothing is ever started here, so nothing runs twice.
 *
 * Only a certain answer ends a job. A witness who can't be asked (no memory or descriptors are
 * left, a file can't be read) is asked again, in the same order, and everything behind it waits:
 * above all the removal of what belongs to no job.
 */

#define SHORTAGE_PAUSE (100 * USEC_PER_MSEC)

void recovery_done(struct worker *worker)
{
    struct recovery *recovery = &worker->recovery;

    source_drop(&recovery->again);
    store_list_done(&recovery->living);
    free(recovery->unrecorded);
    recovery->unrecorded = NULL;
    recovery->unrecorded_count = 0;
}

struct reading {
    struct store *store;
    struct recovery *recovery;
    struct error *err;
};

static int note_unrecorded(struct recovery *recovery, const struct id *id)
{
    struct id *more =
        reallocarray(recovery->unrecorded, recovery->unrecorded_count + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    recovery->unrecorded = more;
    recovery->unrecorded[recovery->unrecorded_count++] = *id;
    return 0;
}

static int directory_found(const struct id *id, void *userdata)
{
    struct reading *reading = userdata;
    _cleanup_store_record_ struct store_record *record = NULL;
    int r = store_get(reading->store, id, &record, reading->err);

    reading->recovery->directories++;
    return r == -ENOENT ? note_unrecorded(reading->recovery, id) : r;
}

int recovery_read(struct worker *worker, struct store *store, struct error *err)
{
    struct reading reading = {.store = store, .recovery = &worker->recovery, .err = err};
    const struct store_filter living = {.live_only = true};
    int r = store_list(store, &living, &worker->recovery.living, err);

    if (r == 0)
        r = job_dir_list(worker->dir.jobs, directory_found, &reading, err);
    return r;
}

/* --- one job ------------------------------------------------------------------------------------
 */

/* Its files are complete before anything is asked for: one that isn't has never had a reader. */
static bool has_said_nothing(const struct job *job, const struct recovery_finding *finding)
{
    if (finding->has_said)
        return !finding->said.has_exit && finding->said.progress.phase == STATE_PHASE_CREATED;
    return job->state_fd == -ENOENT || state_file_is_unwritten(job->state_fd);
}

/*
 * The agent died before the spawner had done anything. The start was never acknowledged: nothing is
 * left of it, so that the same request, tried again, starts the job.
 */
static void note_never_started(struct job *job)
{
    job->start.failed = true;
    job->start.failure = SPAWN_FAILURE_UNAVAILABLE;
    job->start.failure_code = -ENOENT;
}

static int open_files(struct job *job, struct error *err)
{
    struct worker *worker = job->worker;
    struct output_files output = OUTPUT_FILES_NULL;
    int r;

    job->state_fd = job_dir_open_state(worker->dir.jobs, &job->specification.id);
    if (error_is_shortage(job->state_fd))
        return error_set(err, job->state_fd, "can't open the job's file state: %s",
                         strerrordesc_np(-job->state_fd));
    r = job_dir_open_output(worker->dir.jobs, &job->specification.id, &output, err);
    if (r == 0)
        job->index_fd = TAKE_FD(output.index);
    output_files_close(&output);
    return error_is_shortage(r) ? r : 0;
}

/* Negative: a shortage; the job is as if it had not been looked at, but for what it has open. */
static int look_at_job(struct job *job, struct error *err)
{
    struct worker *worker = job->worker;
    struct recovery_finding *finding = &worker->recovery.finding;
    int r = open_files(job, err);

    if (r < 0)
        return r;
    finding->has_said =
        job->state_fd >= 0 && state_file_read(job->state_fd, &finding->said, NULL) == 0;
    job->rebooted = !id_equal(finding->has_said ? &finding->said.boot : &job->outcome.boot_id,
                              &worker->boot_id);
    job->process_ended = job->rebooted;
    return 0;
}

/*
 * A record that could not be committed may come back all the same, from a journal whose fsync(2)
 * failed. Its start was refused and its directory removed, last of all; in the same boot nothing
 * else takes a directory away before its record.
 */
static bool was_refused(const struct job *job)
{
    return job->outcome.state == HOIST_STATE_STARTING && !job->rebooted &&
           !job_dir_exists(job->worker->dir.jobs, &job->specification.id);
}

static void drop_refused(struct job *job)
{
    const struct failure nobody_asks = {.reason = HOIST_REASON_STORE_FAILED};

    job_drop(job, &nobody_asks);
    job_advance(job);
}

/* As after a spawner's answer: whether the command was executed is still to be heard. */
static void resume_job(struct job *job)
{
    uid_pool_reserve(&job->worker->uids, job->specification.uid);
    job_read_said(job); /* also what was said before the watch began */
    if (job->recorded && was_refused(job)) {
        drop_refused(job);
        return;
    }
    if (!job->process_ended)
        job_stop_with_all(job);
    if (job->outcome.state == HOIST_STATE_STARTING) {
        job->start.pending = true;
        job->start.spawn_answered = true;
        job->start.put_answered |= job->recorded;
    } else if (job->stop_wanted) {
        job_send_stop(job);
    }
    job_advance(job);
}

/* --- who is its hoist-init ----------------------------------------------------------------------
 */

static void recover_more(struct worker *worker);
static void recover_later(struct worker *worker, const struct id *job, struct error *why);

static struct spawn_process written_process(const struct job *job)
{
    const struct recovery_finding *finding = &job->worker->recovery.finding;

    if (finding->has_said && finding->said.has_process)
        return (struct spawn_process){finding->said.pid, finding->said.start_time};
    return (struct spawn_process){job->outcome.pid, job->outcome.pid_start_time};
}

/* What the agent that started it could no longer write down. */
static void write_missing(struct job *job, const struct spawn_result *found)
{
    if (written_process(job).pid == 0)
        (void)state_file_write_process(job->state_fd, found->pid,
                                       found->start_time); /* as at a start */
    if (text_is_empty(job->outcome.cgroup))
        job_note_cgroup(job, found->cgroup);
}

static int take_process(struct job *job, struct spawn_result *found, struct error *err)
{
    int r;

    job->init = (struct pidref){
        .pid = found->pid,
        .start_time = found->start_time,
        .fd = TAKE_FD(found->pidfd),
    };
    r = job_watch(job, err);
    if (r < 0) {
        job_unwatch(job);
        pidref_done(&job->init);
        return r;
    }
    write_missing(job, found);
    job->outcome.pid = job->init.pid;
    job->outcome.pid_start_time = job->init.start_time;
    return 0;
}

static void process_is_gone(struct job *job, int code)
{
    job->process_ended = true;
    if (code == -ENOENT && job->outcome.state == HOIST_STATE_STARTING &&
        has_said_nothing(job, &job->worker->recovery.finding))
        note_never_started(job);
}

/* The three that say so: spawn_find(). */
static bool is_gone(int code)
{
    return code == -ESRCH || code == -ENOENT || code == -EOPNOTSUPP;
}

static void process_found(struct spawner_found *found, void *userdata)
{
    struct job *job = userdata;
    struct worker *worker = job->worker;
    int r = found->code;

    job->pending--;
    if (is_gone(r))
        process_is_gone(job, r);
    else if (r == 0)
        r = take_process(job, &found->result, &found->error);
    if (r < 0 && !is_gone(r))
        return recover_later(worker, &job->specification.id, &found->error);
    job->sought = false;
    worker->recovery.sought = NULL;
    resume_job(job);
    recover_more(worker);
}

static int seek_process(struct job *job, struct error *err)
{
    const struct spawn_process written = written_process(job);
    int r = spawner_find(job->worker->spawner, &job->specification.id, job->group, &written,
                         process_found, job);

    job->pending += r == 0;
    return r < 0 ? error_set(err, r, "nobody can be asked for its hoist-init: %s",
                             strerrordesc_np(-r))
                 : 0;
}

/* --- all of them --------------------------------------------------------------------------------
 *
 * Each of these returns a negative errno when it is to be called again, and has changed nothing
 * then.
 */

/* `outcome`: as it was recorded, which is the job's then; NULL: nothing is known. */
static int enter(struct worker *worker, struct specification *specification,
                 struct outcome *outcome, bool recorded, struct error *err)
{
    struct job *job = job_new(worker, specification);
    int r;

    if (!job)
        return error_set(err, -ENOMEM, "no memory for a job");
    if (outcome) {
        outcome_done(&job->outcome);
        job->outcome = *outcome;
        *outcome = (struct outcome){.state = 0};
        state_init(&job->machine, job_state_rules, HOIST_STATE_COUNT,
                   MIN(job->outcome.state, (uint32_t)HOIST_STATE_STOPPING), NULL, job);
    }
    job->recorded = recorded;
    r = look_at_job(job, err);
    if (r == 0 && !recorded)
        r = job_record_put_found(job, err);
    if (r < 0) {
        job_free(job);
        return r;
    }
    if (job->rebooted) {
        resume_job(job);
        return 0;
    }
    job->sought = true;
    worker->recovery.sought = job;
    return 0;
}

/*
 * Its specification is written before anything is started: torn or missing, there is nothing to
 * adopt. One that the disk doesn't give, or that somebody has made unreadable, may be a job's that
 * runs, with a uid that nobody else is to get. Anything but a file is nothing of ours.
 */
static int specification_unread(struct worker *worker, const struct id *id, struct error *err)
{
    bool is_torn = err->code == -EPROTO || err->code == -ENOENT || err->code == -EFBIG;

    if (error_is_shortage(err->code) || err->code == -EIO || err->code == -EACCES)
        return err->code;
    if (!is_torn || job_dir_remove(worker->dir.jobs, id, err) < 0)
        worker_tell_trouble_of(worker, id, err);
    return 0;
}

static int recover_directory(struct worker *worker, const struct id *id, bool recorded,
                             struct error *err)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};

    if (job_dir_read_specification(worker->dir.jobs, id, &specification, err) < 0)
        return specification_unread(worker, id, err);
    return enter(worker, &specification, NULL, recorded, err);
}

/* That is no reason to end its job. It is told once the job was entered all the same. */
static int recover_damaged(struct worker *worker, const struct id *id, struct error *err)
{
    const struct error damage = *err;
    int r = recover_directory(worker, id, true, err);

    if (r == 0)
        worker_tell_trouble_of(worker, id, &damage);
    return r;
}

static int recover_record(struct worker *worker, const struct store_record *record,
                          struct error *err)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    struct outcome outcome = {.state = 0};
    int r = record_decode(record, &specification, &outcome, err);

    if (r < 0 && !error_is_shortage(r))
        return recover_damaged(worker, &record->id, err);
    if (r == 0)
        r = enter(worker, &specification, &outcome, true, err);
    outcome_done(&outcome);
    return r;
}

static const struct id *next_id(const struct recovery *recovery)
{
    return recovery->next < recovery->living.count
               ? &recovery->living.records[recovery->next]->id
               : &recovery->unrecorded[recovery->next - recovery->living.count];
}

static int recover_next(struct worker *worker, struct error *err)
{
    const struct recovery *recovery = &worker->recovery;

    return recovery->next < recovery->living.count
               ? recover_record(worker, recovery->living.records[recovery->next], err)
               : recover_directory(worker, next_id(recovery), false, err);
}

void recovery_tell(struct worker *worker, const struct id *job, const struct error *why)
{
    if (worker->recovery.told == why->code)
        return;
    worker->recovery.told = why->code;
    worker_tell_trouble_of(worker, job, why);
}

/* -EPIPE: there is no spawner any more, which its owner knows. A shortage is everybody's; of what
 * else is in the way each job is told. */
static void recover_later(struct worker *worker, const struct id *job, struct error *why)
{
    struct recovery *recovery = &worker->recovery;

    if (!error_is_shortage(why->code) && !id_equal(job, &recovery->told_of))
        recovery->told = 0;
    recovery->told_of = *job;
    error_prefix(why, "the job can't be found again yet, and all others wait for it");
    if (why->code != -EPIPE)
        recovery_tell(worker, job, why);
    (void)sd_event_source_set_time_relative(recovery->again, SHORTAGE_PAUSE);
    (void)sd_event_source_set_enabled(recovery->again, SD_EVENT_ONESHOT);
}

/* One after the other: each goes on when the spawner has said who its hoist-init is. */
static void recover_more(struct worker *worker)
{
    struct recovery *recovery = &worker->recovery;
    size_t count = recovery->living.count + recovery->unrecorded_count;
    struct error err;

    for (; !recovery->sought && recovery->next < count; recovery->next++)
        if (recover_next(worker, &err) < 0)
            return recover_later(worker, next_id(recovery), &err);
    if (recovery->sought) {
        if (seek_process(recovery->sought, &err) < 0)
            recover_later(worker, &recovery->sought->specification.id, &err);
        return;
    }
    recovery_done(worker);
    leftovers_look(worker);
}

static int recover_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    recover_more(userdata);
    return 0;
}

void recovery_step(struct worker *worker)
{
    if (--worker->recovering > 0 || !worker->ready_operation)
        return;
    worker->recovered = true;
    if (!worker->ready_operation->answered)
        operation_answer(worker->ready_operation);
    worker->ready_operation = NULL;
    operations_wake_recovered(worker);
}

int recovery_prepare(struct worker *worker)
{
    int r = sd_event_add_time_relative(worker->event, &worker->recovery.again, CLOCK_BOOTTIME, 0,
                                       USEC_PER_MSEC, recover_again, worker);

    return r < 0 ? r : sd_event_source_set_enabled(worker->recovery.again, SD_EVENT_OFF);
}

void recovery_begin(struct worker *worker, struct worker_operation *ready)
{
    const struct recovery *recovery = &worker->recovery;

    worker->ready_operation = ready;
    worker->kept = recovery->directories - recovery->unrecorded_count;
    worker->kept -= MIN(worker->kept, recovery->living.count);
    worker->recovering = 1;
    recover_more(worker);
}
