/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/signal-name.h"
#include "worker/operation.h"
#include "worker/removal.h"

/* Stop, signal, delete: what changes a job from outside. */

/* StopJob answers within grace + 2 s, whatever the tree does. */
#define STOP_ANSWER_MARGIN (2 * USEC_PER_SEC)

/* --- stop ---------------------------------------------------------------------------------------
 */

static int stop_is_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker_operation *op = userdata;

    (void)source, (void)usec;
    operation_answer_job(op, op->job);
    return 0;
}

static void stop_and_wait(struct worker_operation *op, struct job *job, usec_t grace)
{
    usec_t wanted = grace == USEC_INFINITY ? job->specification.spec.grace : grace;

    job_stop(job, op->principal, op->signal, grace);
    if (operation_arm(op, clock_boot() + wanted + STOP_ANSWER_MARGIN, stop_is_late) < 0)
        return operation_answer_job(op, job);
    operation_wait_for(op, job, OPERATION_WAITS_FOR_END);
}

static void stop_found(struct worker_operation *op, struct job *job, struct store_record **record)
{
    if (!job)
        operation_answer_record(op, *record);
    else if (job->end_told)
        operation_answer_job(op, job);
    else
        stop_and_wait(op, job, op->duration);
}

int worker_stop(struct worker *worker, const struct worker_caller *caller, const char *name,
                int signal, usec_t grace, worker_done_fn *done, void *userdata,
                struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, name, done, userdata);

    if (!op)
        return -ENOMEM;
    op->signal = signal;
    op->duration = grace;
    return operation_begin(op, stop_found, ret);
}

/* --- signal -------------------------------------------------------------------------------------
 */

static void fail_ended(struct worker_operation *op)
{
    operation_fail_with(op, -ESRCH, HOIST_REASON_JOB_ENDED,
                        "the job has ended; there is nothing to signal");
}

static void send_signal(struct worker_operation *op, struct job *job)
{
    const struct control_request request = {.op = CONTROL_SIGNAL, .signal = op->signal};
    int r =
        job->process_ended ? -ESRCH : spawner_control(op->worker->spawner, &job->init, &request);

    if (r == -ESRCH)
        fail_ended(op);
    else if (r < 0)
        operation_fail_with(op, r, HOIST_REASON_UNSPECIFIED, "can't send signal %s: %s",
                            signal_name(op->signal), strerrordesc_np(-r));
    else
        operation_answer_job(op, job);
}

/* Before the command was executed there is nobody to take it: it waits as StartJob does. */
static void signal_found(struct worker_operation *op, struct job *job, struct store_record **record)
{
    (void)record;
    if (!job || job->process_ended)
        return fail_ended(op);
    if (!job->start.pending)
        return send_signal(op, job);
    op->woken = send_signal;
    operation_wait_for(op, job, OPERATION_WAITS_FOR_START);
}

int worker_signal(struct worker *worker, const struct worker_caller *caller, const char *name,
                  int signal, worker_done_fn *done, void *userdata, struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, name, done, userdata);

    if (!op)
        return -ENOMEM;
    op->signal = signal;
    return operation_begin(op, signal_found, ret);
}

/* --- delete -------------------------------------------------------------------------------------
 */

static void files_gone(struct worker *worker, void *userdata)
{
    struct worker_operation *op = userdata;

    (void)worker;
    if (operation_resumed(op))
        operation_answer(op);
}

static void deleted(struct store_reply *reply, void *userdata)
{
    struct worker_operation *op = userdata;

    if (reply->code == 0) { /* also when nobody waits for it any more */
        record_removed(op->worker, &op->id);
        removal_ask(op->worker, &op->id, files_gone, op);
        return;
    }
    if (!operation_resumed(op))
        return;
    if (reply->code == -ENOENT)
        operation_answer(op);
    else
        operation_fail_with(op, reply->code, HOIST_REASON_STORE_FAILED,
                            "the record can't be removed: %.180s", reply->error.text);
}

static void delete_record(struct worker_operation *op, const struct id *id)
{
    int r;

    op->id = *id;
    r = store_thread_remove(op->worker->store, id, deleted, op);
    if (r < 0)
        return operation_fail_with(op, r, HOIST_REASON_STORE_FAILED, "the record can't be removed");
    op->pending++;
}

/* Its cgroups may still be on their way out: the registry keeps it until then, unseen. */
static void delete_ended(struct worker_operation *op, struct job *job)
{
    if (!job->finished)
        return operation_fail_with(
            op, -EBUSY, HOIST_REASON_JOB_RUNNING,
            "the job can't be ended: processes of it are blocked; try again");
    if (!job->recorded)
        return operation_fail_with(op, -EAGAIN, HOIST_REASON_STORE_FAILED,
                                   "the job's record can't be written yet; try again");
    job->deleted = true;
    if (!job->end_recorded)
        op->worker->kept++; /* it counts as kept until the removal is through */
    delete_record(op, &job->specification.id);
}

static int delete_is_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker_operation *op = userdata;
    struct job *job = op->job;

    (void)source, (void)usec;
    operation_stop_waiting(op);
    delete_ended(op, job);
    return 0;
}

static void delete_found(struct worker_operation *op, struct job *job, struct store_record **record)
{
    usec_t wait;

    if (!job)
        return delete_record(op, &(*record)->id);
    if (job->end_told)
        return delete_ended(op, job);
    if (!op->flag && !job->finished)
        return operation_fail_with(op, -EBUSY, HOIST_REASON_JOB_RUNNING,
                                   "the job has not ended; stop it first, or delete it with force");
    wait = job->specification.spec.grace + STOP_ANSWER_MARGIN;
    job_stop(job, op->principal, 0, USEC_INFINITY);
    op->woken = delete_ended;
    if (operation_arm(op, clock_boot() + wait, delete_is_late) < 0)
        return operation_fail_with(op, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory to wait");
    operation_wait_for(op, job, OPERATION_WAITS_FOR_END);
}

int worker_delete(struct worker *worker, const struct worker_caller *caller, const char *name,
                  bool force, worker_done_fn *done, void *userdata, struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, name, done, userdata);

    if (!op)
        return -ENOMEM;
    op->flag = force;
    return operation_begin(op, delete_found, ret);
}

/* --- all of them --------------------------------------------------------------------------------
 */

static struct job *first_that_lives(struct worker *worker)
{
    for (struct job *job = worker->jobs; job; job = job->hh.next)
        if (!job->end_told && !job->dropped)
            return job;
    return NULL;
}

/* Waits for one after the other: the last one to end is met in any order. */
static void stop_all_goes_on(struct worker_operation *op, struct job *ended)
{
    struct job *job = first_that_lives(op->worker);

    (void)ended;
    op->woken = stop_all_goes_on;
    if (job)
        operation_wait_for(op, job, OPERATION_WAITS_FOR_END);
    else if (!op->worker->recovered)
        operation_wait_for_recovery(op);
    else
        operation_answer(op);
}

/* Those that were found again meanwhile have the same time as the others, from then on. */
static int stop_all_is_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker_operation *op = userdata;
    usec_t now = clock_boot(), latest = 0;

    (void)source, (void)usec;
    for (struct job *job = op->worker->jobs; job; job = job->hh.next)
        if (!job->end_told)
            latest = MAX(latest, job->kill_deadline);
    if (latest <= now || operation_arm(op, latest + STOP_ANSWER_MARGIN, stop_all_is_late) < 0)
        operation_answer(op);
    return 0;
}

void job_stop_with_all(struct job *job)
{
    if (job->worker->stopping)
        job_stop(job, "", 0, job->worker->stop_grace);
}

int worker_stop_all(struct worker *worker, usec_t grace, worker_done_fn *done, void *userdata,
                    struct worker_operation **ret)
{
    const struct worker_caller caller = {.principal = "", .all_jobs = true};
    struct worker_operation *op = operation_new(worker, &caller, NULL, done, userdata);
    usec_t longest = worker->recovered ? 0 : worker->grace;

    if (!op)
        return -ENOMEM;
    if (ret)
        *ret = op;
    op->goes_on = true;
    worker->stopping = true;
    worker->stop_grace = grace;
    for (struct job *job = worker->jobs; job; job = job->hh.next) {
        longest = MAX(longest, grace == USEC_INFINITY ? job->specification.spec.grace : grace);
        job_stop_with_all(job);
    }
    if (operation_arm(op, clock_boot() + longest + STOP_ANSWER_MARGIN, stop_all_is_late) < 0)
        operation_answer(op);
    else
        stop_all_goes_on(op, NULL);
    return 0;
}
