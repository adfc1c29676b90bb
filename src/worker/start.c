/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "worker/environment.h"
#include "worker/job-dir.h"
#include "worker/job-outcome.h"
#include "worker/job-spec.h"
#include "worker/operation.h"
#include "worker/removal.h"
#include "worker/reservation.h"

/*
 * The start of a job.
 *
 * The directory with everything preallocated is made first: it is the intent that a recovery finds.
 * Then the spawner and the store are asked at the same time, and the start is decided when both
 * have answered and hoist-init has said, by the state file or by its death, what became of the
 * command.
 */

/* From the spawner's answer to hoist-init's word. Mounts and exec take milliseconds. */
#define START_TIMEOUT (30 * USEC_PER_SEC)

/* The agent's rules; hoist-init isn't billed for what it writes for a job, so it keeps to the job's
 * own limit of writing itself. */
static struct output_rules output_rules_for(const struct worker *worker,
                                            const struct job_spec *spec)
{
    struct output_rules rules = output_rules_choose(&worker->rules.output, &spec->output_choice);
    const struct limits *limits = &spec->limits;

    if (rules.rate == OUTPUT_RATE_OF_LIMITS)
        rules.rate =
            limit_is_given(limits, LIMIT_IO_WRITE_BPS) ? limits->value[LIMIT_IO_WRITE_BPS] : 0;
    return rules;
}

static int draft_specification(struct worker *worker, const struct worker_caller *caller,
                               const struct job_spec *spec, const char *request_id,
                               struct specification *ret)
{
    int r = id_new(&ret->id);

    if (r == 0)
        r = job_spec_copy(spec, &ret->spec);
    if (r < 0)
        return r;
    ret->digest = job_spec_digest(spec);
    ret->spec.output = output_rules_for(worker, spec);
    ret->create_time = clock_wall();
    ret->created_by = strdup(caller->principal);
    ret->request_id = strdup(request_id ? request_id : "");
    if (ret->spec.grace == USEC_INFINITY)
        ret->spec.grace = worker->grace;
    if (ret->spec.stop_signal == 0)
        ret->spec.stop_signal = SIGTERM;
    return ret->created_by && ret->request_id ? 0 : -ENOMEM;
}

/* That of a profile is nobody's to take: it lies outside of the pool, and giving it back does
 * nothing. */
static int take_uid(struct worker *worker, const struct job_spec *spec, uid_t *ret)
{
    if (spec->profile_uid != 0) {
        *ret = spec->profile_uid;
        return 0;
    }
    if (worker->uids.count > 0)
        return uid_pool_take(&worker->uids, ret);
    *ret = worker->uid_fixed;
    return 0;
}

static char **command_line(const struct job_spec *spec)
{
    _cleanup_strv_ char **argv = NULL;

    if (strv_append(&argv, spec->command) < 0)
        return NULL;
    for (char **arg = spec->args; arg && *arg; arg++)
        if (strv_append(&argv, *arg) < 0)
            return NULL;
    return TAKE_PTR(argv);
}

static void start_fails(struct job *job, int code, enum spawn_failure failure, const char *sentence)
{
    job->start.failed = true;
    job->start.failure = failure;
    job->start.failure_code = code;
    job->process_ended = true;
    (void)outcome_start_failed(&job->outcome, job_reason_of(failure), sentence);
}

static int start_timed_out(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job *job = userdata;

    (void)source, (void)usec;
    source_drop(&job->patience_timer);
    job->start.failed = true;
    job->start.failure = SPAWN_FAILURE_ISOLATION;
    job->start.failure_code = -ETIMEDOUT;
    (void)outcome_start_failed(&job->outcome, HOIST_REASON_ISOLATION_FAILED,
                               "hoist-init has not started the command in time");
    (void)pidref_kill(&job->init, SIGKILL); /* its end is the next fact */
    return 0;
}

void job_note_cgroup(struct job *job, const char *cgroup)
{
    struct cgroup_usage usage;

    free(job->outcome.cgroup);
    job->outcome.cgroup = strdup(cgroup);
    if (job_read_usage(job, &usage) == 0)
        job->outcome.oom_of_all_before = usage.oom_of_all;
}

/* hoist-init runs: remember who it is, on disk too, and listen to it. */
static void spawn_succeeded(struct job *job, struct spawn_result *result)
{
    struct error err;

    job->init = (struct pidref){
        .pid = result->pid,
        .start_time = result->start_time,
        .fd = TAKE_FD(result->pidfd),
    };
    job->outcome.pid = result->pid;
    job->outcome.pid_start_time = result->start_time;
    job->outcome.limit_report = result->limits;
    job_note_cgroup(job, result->cgroup);
    if (job->worker->spawner->degradations)
        job->outcome.degradations = strv_copy(job->worker->spawner->degradations);
    /* Already allocated: it can't meet a full disk. If it fails all the same, recovery will kill
     * the job instead of finding it. */
    (void)state_file_write_process(job->state_fd, result->pid, result->start_time);
    if (job_watch(job, &err) < 0) {
        worker_tell_trouble(job->worker, job, &err);
        (void)pidref_kill(&job->init, SIGKILL);
        start_fails(job, err.code, SPAWN_FAILURE_SPAWN, err.text);
        return;
    }
    (void)job_arm(job, &job->patience_timer, clock_boot() + START_TIMEOUT, start_timed_out);
    job_read_said(job);
}

static void spawn_answered(struct spawner_started *started, void *userdata)
{
    struct job *job = userdata;

    job->pending--;
    job->start.spawn_answered = true;
    job_spec_forget_values(&job->specification.spec);
    if (started->code == 0)
        spawn_succeeded(job, &started->result);
    else
        start_fails(job, started->code, started->failure, started->error.text);
    job->outcome.limit_report.refused = started->result.limits.refused;
    job_advance(job);
}

static int ask_spawner(struct job *job, const struct job_files *files)
{
    const struct job_spec *spec = &job->specification.spec;
    _cleanup_strv_ char **argv = command_line(spec),
                        **env = environment_build(&job->specification.id, spec->env);
    const struct spawn_spec spawn = {
        .id = job->specification.id,
        .group = job->group,
        .argv = argv,
        .env = env,
        .cwd = spec->cwd ? spec->cwd : "",
        .uid = job->specification.uid,
        .network = spec->network,
        .profile = spec->profile,
        .limits = spec->limits,
        .warn_unenforced = spec->warn_unenforced,
        .timeout = spec->timeout,
        .grace = spec->grace,
        .adopt_wait = job->worker->rules.adopt_wait,
        .stop_signal = spec->stop_signal,
        .merged = spec->merged,
        .output = spec->output,
    };
    int r = argv && env ? 0 : -ENOMEM;

    if (r == 0)
        r = spawner_spawn(
            job->worker->spawner, &spawn,
            &(struct spawn_files){files->output.data, files->output.index, files->state},
            spawn_answered, job);
    if (r == 0)
        job->pending++;
    return r;
}

/* The record is asked for first: should the queue of the store be full, nothing has been started.
 */
static int ask_both(struct job *job, const struct job_files *files, struct failure *failure)
{
    int r = job_record_put(job);

    if (r < 0)
        return failure_set(failure, r, HOIST_REASON_STORE_FAILED,
                           r == -ENOBUFS ? "too many requests wait for the records; try again"
                                         : "the job can't be recorded");
    r = ask_spawner(job, files);
    if (r < 0) {
        job->start.spawn_answered = true;
        start_fails(job, r, r == -ENOMEM ? SPAWN_FAILURE_SPAWN : SPAWN_FAILURE_UNAVAILABLE,
                    "the launcher takes no requests now; try again");
    }
    return 0;
}

static void undo_make(struct worker *worker, const struct specification *specification)
{
    uid_pool_give_back(&worker->uids, specification->uid);
    removal_at_once(worker, &specification->id);
}

/* NULL: `failure` says why, and nothing is left. */
static struct job *make_job(struct worker *worker, struct specification *specification,
                            struct job_files *files, struct failure *failure)
{
    struct job *job;
    struct error err;
    int r;

    if (worker->living >= worker->rules.jobs_max ||
        take_uid(worker, &specification->spec, &specification->uid) < 0) {
        failure_set(failure, -EUSERS, HOIST_REASON_TOO_MANY_JOBS,
                    "%zu jobs are living, which is all that this agent has room for",
                    worker->living);
        return NULL;
    }
    r = reservation_check(worker, &specification->spec.limits, failure);
    if (r < 0) {
        uid_pool_give_back(&worker->uids, specification->uid);
        return NULL;
    }
    r = job_dir_create(worker->dir.jobs, specification, &worker->boot_id, files, &err);
    if (r < 0) {
        uid_pool_give_back(&worker->uids, specification->uid);
        failure_set(failure, r, HOIST_REASON_OUTPUT_FAILED, "%s", err.text);
        return NULL;
    }
    job = job_new(worker, specification);
    if (!job) {
        undo_make(worker, specification);
        failure_set(failure, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory for a job");
    }
    return job;
}

int job_begin(struct worker *worker, const struct worker_caller *caller,
              const struct job_spec *spec, const char *request_id, struct job **ret,
              struct failure *failure)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    _cleanup_job_files_ struct job_files files = JOB_FILES_NULL;
    struct job *job;
    int r = draft_specification(worker, caller, spec, request_id, &specification);

    if (r < 0)
        return failure_set(failure, r, HOIST_REASON_UNSPECIFIED, "no memory for a job");
    job = make_job(worker, &specification, &files, failure);
    if (!job)
        return failure->error.code;
    job->start.pending = true;
    job->index_fd = fd_duplicate(files.output.index);
    job->state_fd = fd_duplicate(files.state);
    r = ask_both(job, &files, failure);
    if (r < 0) {
        undo_make(worker, &job->specification);
        job_free(job);
        return r;
    }
    *ret = job;
    return 0;
}

static void unrecorded(struct job *job)
{
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};

    failure_set(&failure, job->start.put_code, HOIST_REASON_STORE_FAILED,
                "the job can't be recorded, and was ended%s: %s",
                job_was_executed(job) ? " after it had run for a moment" : " before it ran",
                job->start.put_error.text);
    job_drop(job, &failure);
}

/* As hoistd's own refusals tell it (agent/limit-choice.h). */
static void add_refused_limit(uint32_t refused, struct failure *failure)
{
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++) {
        if (!(refused & LIMIT_BIT(limit)))
            continue;
        failure_add_detail(failure, "limit", limit_name(limit));
        if (limit_controller(limit))
            failure_add_detail(failure, "controller", limit_controller(limit));
    }
}

static void refused(struct job *job)
{
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};

    failure_set(&failure, job->start.failure_code, job_reason_of(job->start.failure), "%s",
                job->outcome.error ? job->outcome.error : "");
    add_refused_limit(job->outcome.limit_report.refused, &failure);
    job_drop(job, &failure);
}

static bool is_undecided(const struct job *job)
{
    return !job->start.put_answered || !job->start.spawn_answered ||
           !(job_was_executed(job) || job->process_ended);
}

void job_start_advance(struct job *job)
{
    if (!job->start.pending || is_undecided(job))
        return;
    job->start.pending = false;
    source_drop(&job->patience_timer);
    if (job->start.put_code < 0) {
        unrecorded(job);
    } else if (job->start.failed && spawn_failure_leaves_nothing(job->start.failure)) {
        refused(job);
    } else if (job_was_executed(job)) {
        job->outcome.start_time = job->said.progress.started_wall;
        job_set_state(job, HOIST_STATE_RUNNING);
        job_wake(job, OPERATION_WAITS_FOR_START);
        if (job->stop_wanted)
            job_send_stop(job);
        else if (job->said.progress.phase == STATE_PHASE_STOPPING)
            job_notice_stopping(job);
    }
}
