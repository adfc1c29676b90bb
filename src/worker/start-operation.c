/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/strv.h"
#include "worker/job-spec.h"
#include "worker/operation.h"

/*
 * StartJob as its caller sees it: is it a retry, is the name free, then the start itself.
 *
 * The registry is asked before the store, and once more behind it: another start may have come in
 * between, and a job enters the registry before its record is asked for.
 */

static void start_failed_before(struct worker_operation *op, const struct job_info *info)
{
    struct failure failure = {.reason = info->reason, .error.code = -EIO, .job = info->id};

    strncpy(failure.error.text, info->error, sizeof(failure.error.text) - 1);
    operation_fail(op, &failure);
}

/* A retry gets what the first request got. */
static void answer_again(struct worker_operation *op)
{
    if (op->reply.job->cause == HOIST_CAUSE_START_FAILED)
        start_failed_before(op, op->reply.job);
    else
        operation_answer(op);
}

static void fail_reused(struct worker_operation *op)
{
    operation_fail_with(op, -EEXIST, HOIST_REASON_REQUEST_ID_REUSED,
                        "the request id \"%.64s\" was used for another specification",
                        op->request_id);
}

static void join_job(struct worker_operation *op, struct job *job)
{
    if (job->specification.digest != job_spec_digest(&op->spec))
        return fail_reused(op);
    if (job->start.pending)
        return operation_wait_for(op, job, OPERATION_WAITS_FOR_START);
    if (job->ending && !job->end_told) { /* whether it was started is known behind that */
        op->woken = join_job;
        return operation_wait_for(op, job, OPERATION_WAITS_FOR_END);
    }
    op->reply.job = snapshot_job(job);
    if (op->reply.job)
        answer_again(op);
    else
        operation_fail_with(op, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory to show the job");
}

static void join_record(struct worker_operation *op, const struct store_record *record)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    struct failure failure = {.reason = HOIST_REASON_STORE_FAILED};

    if (specification_decode(record->spec, record->spec_size, &specification, &failure.error) < 0)
        return operation_fail(op, &failure);
    if (specification.digest != job_spec_digest(&op->spec))
        return fail_reused(op);
    op->reply.job = snapshot_record(record, &failure.error);
    if (op->reply.job)
        answer_again(op);
    else
        operation_fail(op, &failure);
}

static void fail_store(struct worker_operation *op, int code)
{
    operation_fail_with(op, code, HOIST_REASON_STORE_FAILED,
                        code == -ENOBUFS ? "too many requests wait for the records; try again"
                                         : "can't look into the records");
}

static void fail_name_taken(struct worker_operation *op)
{
    operation_fail_with(op, -EEXIST, HOIST_REASON_NAME_TAKEN,
                        "a kept job of yours has the name \"%s\"; remove it or choose another",
                        op->spec.display_name);
}

static void make(struct worker_operation *op)
{
    const struct worker_caller caller = {.principal = op->principal, .all_jobs = op->all_jobs};
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};
    struct job *job;

    if (job_begin(op->worker, &caller, &op->spec, op->request_id, &job, &failure) < 0)
        return operation_fail(op, &failure);
    operation_wait_for(op, job, OPERATION_WAITS_FOR_START);
    job_advance(job);
}

/* The registry's word on both names; true: the operation goes its way. */
static bool meets_a_living_job(struct worker_operation *op)
{
    struct job *job = NULL;

    if (!text_is_empty(op->request_id))
        job = registry_find_request(op->worker, op->principal, op->request_id);
    if (job) {
        join_job(op, job);
        return true;
    }
    if (text_is_empty(op->spec.display_name) ||
        !registry_find_name(op->worker, op->principal, op->spec.display_name))
        return false;
    fail_name_taken(op);
    return true;
}

static void name_looked_up(struct store_reply *reply, void *userdata)
{
    struct worker_operation *op = userdata;

    if (!operation_resumed(op))
        return;
    if (reply->code == 0)
        fail_name_taken(op);
    else if (reply->code != -ENOENT)
        fail_store(op, reply->code);
    else if (!meets_a_living_job(op))
        make(op);
}

static void look_up_name(struct worker_operation *op)
{
    int r;

    if (text_is_empty(op->spec.display_name)) {
        if (!meets_a_living_job(op))
            make(op);
        return;
    }
    r = store_thread_get_by_name(op->worker->store, op->principal, op->spec.display_name,
                                 name_looked_up, op);
    if (r < 0)
        return fail_store(op, r);
    op->pending++;
}

static void request_looked_up(struct store_reply *reply, void *userdata)
{
    struct worker_operation *op = userdata;
    struct job *job;

    if (!operation_resumed(op))
        return;
    job = reply->code == 0 ? registry_find(op->worker, &reply->record->id) : NULL;
    if (job)
        join_job(op, job);
    else if (reply->code == 0)
        join_record(op, reply->record);
    else if (reply->code == -ENOENT)
        look_up_name(op);
    else
        fail_store(op, reply->code);
}

static void look_up_request(struct worker_operation *op)
{
    int r;

    if (text_is_empty(op->request_id))
        return look_up_name(op);
    r = store_thread_get_by_request(op->worker->store, op->principal, op->request_id,
                                    request_looked_up, op);
    if (r < 0)
        return fail_store(op, r);
    op->pending++;
}

int worker_start(struct worker *worker, const struct worker_caller *caller,
                 const struct job_spec *spec, const char *request_id, worker_done_fn *done,
                 void *userdata, struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, NULL, done, userdata);
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};

    if (!op)
        return -ENOMEM;
    op->request_id = strdup(request_id ? request_id : "");
    if (!op->request_id || job_spec_copy(spec, &op->spec) < 0) {
        operation_free(op);
        return -ENOMEM;
    }
    if (ret)
        *ret = op;
    if (!operation_is_allowed(op))
        return 0;
    if (job_spec_check(&op->spec, &failure) < 0)
        operation_fail(op, &failure);
    else if (!meets_a_living_job(op))
        look_up_request(op);
    return 0;
}
