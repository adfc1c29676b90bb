/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

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
 */

void recovery_done(struct recovery *recovery)
{
    store_list_done(&recovery->living);
    free(recovery->unrecorded);
    recovery->unrecorded = NULL;
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

int recovery_read(struct worker *worker, struct store *store, struct recovery *ret,
                  struct error *err)
{
    struct reading reading = {.store = store, .recovery = ret, .err = err};
    const struct store_filter living = {.live_only = true};
    int r = store_list(store, &living, &ret->living, err);

    if (r == 0)
        r = job_dir_list(worker->dir.jobs, directory_found, &reading, err);
    return r;
}

/* --- one job ------------------------------------------------------------------------------------
 */

/* The agent died before it could write down who hoist-init is. */
static int find_unwritten_process(struct job *job)
{
    struct spawn_result found = SPAWN_RESULT_NULL;
    int r = spawner_find(job->worker->spawner, &job->specification.id, job->group, &found);

    if (r < 0)
        return r;
    job->init = (struct pidref){
        .pid = found.pid,
        .start_time = found.start_time,
        .fd = TAKE_FD(found.pidfd),
    };
    if (!job->outcome.cgroup)
        job->outcome.cgroup = strdup(found.cgroup);
    (void)state_file_write_process(job->state_fd, found.pid, found.start_time); /* as at a start */
    return 0;
}

static int reopen_process(struct job *job)
{
    pid_t pid = job->said.has_process ? job->said.pid : job->outcome.pid;
    uint64_t start_time =
        job->said.has_process ? job->said.start_time : job->outcome.pid_start_time;

    return pid == 0 ? find_unwritten_process(job)
                    : spawner_reopen(job->worker->spawner, pid, start_time, &job->init);
}

/* Its files are complete before anything is asked for: one that isn't has never had a reader. */
static bool has_said_nothing(const struct job *job)
{
    if (job->has_said)
        return !job->said.has_exit && job->said.progress.phase == STATE_PHASE_CREATED;
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

static void find_process(struct job *job)
{
    struct error err;
    int r = reopen_process(job);

    job->process_ended = r < 0;
    if (r == -ENOENT && job->outcome.state == HOIST_STATE_STARTING && has_said_nothing(job))
        note_never_started(job);
    if (job->process_ended)
        return;
    job->outcome.pid = job->init.pid;
    job->outcome.pid_start_time = job->init.start_time;
    if (job_watch(job, &err) < 0) {
        worker_tell_trouble(job->worker, job, &err);
        job->process_ended = true; /* its cgroup is removed, and it with it */
    }
}

static void look_at_job(struct job *job)
{
    struct worker *worker = job->worker;
    struct output_files output = OUTPUT_FILES_NULL;

    uid_pool_reserve(&worker->uids, job->specification.uid);
    job->state_fd = job_dir_open_state(worker->dir.jobs, &job->specification.id);
    if (job_dir_open_output(worker->dir.jobs, &job->specification.id, &output, NULL) == 0)
        job->index_fd = TAKE_FD(output.index);
    output_files_close(&output);
    job_read_said(job);
    job->rebooted =
        !id_equal(job->has_said ? &job->said.boot : &job->outcome.boot_id, &worker->boot_id);
    if (job->rebooted)
        job->process_ended = true;
    else
        find_process(job);
    job_read_said(job); /* what was said before the watch began */
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
    look_at_job(job);
    if (job->recorded && was_refused(job)) {
        drop_refused(job);
        return;
    }
    if (job->outcome.state == HOIST_STATE_STARTING) {
        job->start.pending = true;
        job->start.spawn_answered = true;
        job->start.put_answered = job->recorded;
    }
    job_advance(job);
}

static void recover_record(struct worker *worker, const struct store_record *record)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    struct outcome outcome = {.state = 0};
    struct error err;
    struct job *job;

    if (record_decode(record, &specification, &outcome, &err) < 0) {
        worker_tell_trouble(worker, NULL, &err);
        return;
    }
    job = job_new(worker, &specification);
    if (!job) {
        outcome_done(&outcome);
        return;
    }
    outcome_done(&job->outcome);
    job->outcome = outcome;
    state_init(&job->machine, job_state_rules, HOIST_STATE_COUNT,
               MIN(outcome.state, (uint32_t)HOIST_STATE_STOPPING), NULL, job);
    job->recorded = true;
    resume_job(job);
}

/*
 * Its specification is written before anything is started: torn or missing, there is nothing to
 * adopt. What can't be read for want of memory or descriptors may be whole.
 */
static void specification_unread(struct worker *worker, const struct id *id, struct error *err)
{
    bool is_torn = err->code == -EPROTO || err->code == -ENOENT || err->code == -EFBIG;

    if (!is_torn || job_dir_remove(worker->dir.jobs, id, err) < 0)
        worker_tell_trouble(worker, NULL, err);
}

static void recover_directory(struct worker *worker, const struct id *id)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    struct error err;
    struct job *job;

    if (job_dir_read_specification(worker->dir.jobs, id, &specification, &err) < 0) {
        specification_unread(worker, id, &err);
        return;
    }
    job = job_new(worker, &specification);
    if (job && job_record_put(job) == 0)
        resume_job(job);
    else if (job)
        job_free(job); /* the directory is still there next time */
}

void recovery_step(struct worker *worker)
{
    if (--worker->recovering > 0 || !worker->ready_operation)
        return;
    worker->recovered = true;
    if (!worker->ready_operation->answered)
        operation_answer(worker->ready_operation);
    worker->ready_operation = NULL;
}

void recovery_begin(struct worker *worker, const struct recovery *recovery,
                    struct worker_operation *ready)
{
    worker->ready_operation = ready;
    worker->kept = recovery->directories - recovery->unrecorded_count;
    worker->kept -= MIN(worker->kept, recovery->living.count);
    worker->recovering = 1;
    for (size_t i = 0; i < recovery->living.count; i++)
        recover_record(worker, recovery->living.records[i]);
    for (size_t i = 0; i < recovery->unrecorded_count; i++)
        recover_directory(worker, &recovery->unrecorded[i]);
    leftovers_look(worker);
}
