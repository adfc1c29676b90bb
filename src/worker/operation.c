/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/operation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "base/name.h"
#include "base/strv.h"
#include "worker/ended-jobs.h"

#define TIMER_ACCURACY USEC_PER_MSEC
#define CANDIDATES_MAX 8 /* of an ambiguous prefix: what a person can choose from */

void worker_list_free(struct worker_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        job_info_free(list->jobs[i]);
    free(list->jobs);
    free(list->next_page_token);
    free(list);
}

void worker_output_free(struct worker_output *output)
{
    if (!output)
        return;
    output->data = fd_close(output->data);
    output->index = fd_close(output->index);
    output->state = fd_close(output->state);
    free(output->index_path);
    free(output);
}

static void reply_done(struct worker_reply *reply)
{
    failure_free(reply->failure);
    job_info_free(reply->job);
    worker_list_free(reply->list);
    worker_output_free(reply->output);
    *reply = (struct worker_reply){.failure = NULL};
}

/* The first name is looked at in worker->operations, the second in worker->answers. */
void operation_free(struct worker_operation *op)
{
    DL_DELETE(op->worker->operations, op);
    if (op->answered)
        DL_DELETE2(op->worker->answers, op, answer_prev, answer_next);
    operation_stop_waiting(op);
    source_drop(&op->timer);
    reply_done(&op->reply);
    free(op->principal);
    free(op->name);
    free(op->request_id);
    job_spec_done(&op->spec);
    free(op);
}

struct worker_operation *operation_new(struct worker *worker, const struct worker_caller *caller,
                                       const char *name, worker_done_fn *done, void *userdata)
{
    struct worker_operation *op = calloc(1, sizeof(*op));

    if (!op)
        return NULL;
    *op = (struct worker_operation){
        .worker = worker,
        .done = done,
        .userdata = userdata,
        .all_jobs = caller->all_jobs,
        .spec = JOB_SPEC_NULL,
        .principal = strdup(caller->principal),
        .name = strdup(name ? name : ""),
    };
    DL_APPEND(worker->operations, op);
    if (op->principal && op->name)
        return op;
    operation_free(op);
    return NULL;
}

bool operation_may_see(const struct worker_operation *op, const char *owner)
{
    return op->all_jobs || text_equal(op->principal, owner);
}

int operation_arm(struct worker_operation *op, usec_t deadline, job_timer_fn *fn)
{
    source_drop(&op->timer);
    return sd_event_add_time(op->worker->event, &op->timer, CLOCK_BOOTTIME, deadline,
                             TIMER_ACCURACY, fn, op);
}

/* --- answers ------------------------------------------------------------------------------------
 */

void operation_answer(struct worker_operation *op)
{
    operation_stop_waiting(op);
    source_drop(&op->timer);
    op->answered = true;
    DL_APPEND2(op->worker->answers, op, answer_prev, answer_next);
    (void)sd_event_source_set_enabled(op->worker->answer_source, SD_EVENT_ONESHOT);
}

void operation_fail(struct worker_operation *op, const struct failure *failure)
{
    struct failure *copy = calloc(1, sizeof(*copy));

    if (copy) {
        copy->error = failure->error;
        copy->reason = failure->reason;
        copy->job = failure->job;
        for (size_t i = 0; i < failure->detail_count; i++)
            failure_add_detail(copy, failure->details[i].key, failure->details[i].value);
    }
    reply_done(&op->reply);
    op->reply.failure = copy;
    operation_answer(op);
}

void operation_fail_with(struct worker_operation *op, int code, enum hoist_reason reason,
                         const char *format, ...)
{
    struct failure failure = {.reason = reason, .error.code = code};
    va_list args;

    va_start(args, format);
    vsnprintf(failure.error.text, sizeof(failure.error.text), format, args);
    va_end(args);
    operation_fail(op, &failure);
}

void operation_answer_job(struct worker_operation *op, struct job *job)
{
    if (!op->knows_tasks && job_is_past_its_deadline(job) && job_ask_for_tasks(job)) {
        operation_stop_waiting(op);
        source_drop(&op->timer);
        return operation_wait_for(op, job, OPERATION_WAITS_FOR_TASKS);
    }
    op->reply.job = snapshot_job(job);
    if (!op->reply.job)
        return operation_fail_with(op, -ENOMEM, HOIST_REASON_UNSPECIFIED,
                                   "no memory to show the job");
    if (op->shown)
        op->shown(op, job);
    operation_answer(op);
}

void operation_answer_record(struct worker_operation *op, const struct store_record *record)
{
    struct failure failure = {.reason = HOIST_REASON_STORE_FAILED};

    op->reply.job = snapshot_record(record, &failure.error);
    if (!op->reply.job)
        return operation_fail(op, &failure);
    if (op->shows_ended)
        ended_jobs_keep(op->worker, record, op->reply.job);
    operation_answer(op);
}

bool operation_resumed(struct worker_operation *op)
{
    op->pending--;
    if (!op->cancelled && !op->worker->closing)
        return true;
    if (op->pending == 0)
        operation_free(op);
    return false;
}

void worker_cancel(struct worker_operation *op)
{
    if (op->pending == 0) {
        operation_free(op);
        return;
    }
    op->cancelled = true;
    operation_stop_waiting(op);
    source_drop(&op->timer);
}

/* --- waiting for a job --------------------------------------------------------------------------
 */

void operation_wait_for(struct worker_operation *op, struct job *job, enum operation_wait what)
{
    op->job = job;
    op->waits_for = what;
    DL_APPEND2(job->waiting, op, job_prev, job_next);
}

void operation_wait_for_recovery(struct worker_operation *op)
{
    op->awaits_recovery = true;
}

void operation_stop_waiting(struct worker_operation *op)
{
    if (op->job)
        DL_DELETE2(op->job->waiting, op, job_prev, job_next);
    op->job = NULL;
    op->awaits_recovery = false;
}

static void wake(struct worker_operation *op, struct job *job)
{
    bool answered_once_told = op->waits_for == OPERATION_WAITS_FOR_TASKS;

    operation_stop_waiting(op);
    op->knows_tasks |= answered_once_told;
    if (op->woken && !answered_once_told)
        op->woken(op, job);
    else
        operation_answer_job(op, job);
}

void job_wake(struct job *job, enum operation_wait what)
{
    struct worker_operation *op, *next;

    DL_FOREACH_SAFE2(job->waiting, op, next, job_next)
    {
        if (op->waits_for == what)
            wake(op, job);
    }
}

/* Who still waits for the start learns why it failed, and which job tells the story. */
static void fail_start(struct worker_operation *op, const struct job *job)
{
    struct failure failure = {
        .reason = (enum hoist_reason)job->outcome.reason,
        .error.code = job->start.failure_code < 0 ? job->start.failure_code : -EIO,
        .job = job->specification.id,
    };

    snprintf(failure.error.text, sizeof(failure.error.text), "%s",
             job->outcome.error ? job->outcome.error : "");
    operation_fail(op, &failure);
}

void job_wake_ended(struct job *job)
{
    struct worker_operation *op, *next;

    DL_FOREACH_SAFE2(job->waiting, op, next, job_next)
    {
        if (op->waits_for == OPERATION_WAITS_FOR_START)
            fail_start(op, job);
        else
            wake(op, job);
    }
}

void job_wake_failed(struct job *job, const struct failure *failure)
{
    struct worker_operation *op, *next;

    DL_FOREACH_SAFE2(job->waiting, op, next, job_next)
    {
        if (op->goes_on)
            wake(op, job);
        else
            operation_fail(op, failure);
    }
}

void operations_wake_recovered(struct worker *worker)
{
    struct worker_operation *op, *next;

    DL_FOREACH_SAFE(worker->operations, op, next)
    {
        if (!op->awaits_recovery)
            continue;
        operation_stop_waiting(op);
        op->woken(op, NULL);
    }
}

/* --- finding the job that a name means ----------------------------------------------------------
 */

static void not_found(struct worker_operation *op)
{
    operation_fail_with(op, -ENOENT, HOIST_REASON_JOB_NOT_FOUND, "there is no job \"%.64s\"",
                        op->name);
}

static void store_failed(struct worker_operation *op, int code)
{
    operation_fail_with(op, code, HOIST_REASON_STORE_FAILED,
                        code == -ENOBUFS ? "too many requests wait for the records; try again"
                                         : "can't look into the records");
}

/* The registry is ahead of the record of a living job. */
static void found(struct worker_operation *op, struct store_record **record)
{
    struct job *job = registry_find(op->worker, &(*record)->id);

    op->found(op, job, job ? NULL : record);
}

static void fail_ambiguous(struct worker_operation *op, const struct store_list *list)
{
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};

    failure_set(&failure, -ENOTUNIQ, HOIST_REASON_AMBIGUOUS_ID,
                "\"%.64s\" fits more than one job; give more digits", op->name);
    for (size_t i = 0; i < list->count; i++) {
        char id[ID_TEXT_MAX];

        failure_add_detail(&failure, "candidate", id_format(&list->records[i]->id, id));
    }
    operation_fail(op, &failure);
}

static void prefix_looked_up(struct store_reply *reply, void *userdata)
{
    struct worker_operation *op = userdata;

    if (!operation_resumed(op))
        return;
    if (reply->code < 0)
        store_failed(op, reply->code);
    else if (reply->list.count == 0)
        not_found(op);
    else if (reply->list.count > 1)
        fail_ambiguous(op, &reply->list);
    else
        found(op, &reply->list.records[0]);
}

static const char *bare_name(const struct worker_operation *op)
{
    return text_starts_with(op->name, "jobs/") ? op->name + strlen("jobs/") : op->name;
}

static void find_prefix(struct worker_operation *op)
{
    struct id low, high;
    int r;

    if (id_parse_prefix(bare_name(op), &low, &high) < 0)
        return not_found(op);
    r = store_thread_find_range(op->worker->store, op->all_jobs ? NULL : op->principal, &low, &high,
                                CANDIDATES_MAX, prefix_looked_up, op);
    if (r < 0)
        return store_failed(op, r);
    op->pending++;
}

static void name_looked_up(struct store_reply *reply, void *userdata)
{
    struct worker_operation *op = userdata;

    if (!operation_resumed(op))
        return;
    if (reply->code == -ENOENT)
        find_prefix(op);
    else if (reply->code < 0)
        store_failed(op, reply->code);
    else
        found(op, &reply->record);
}

static void find_name(struct worker_operation *op)
{
    struct job *job = registry_find_name(op->worker, op->principal, op->name);
    int r;

    if (job)
        return op->found(op, job, NULL);
    r = store_thread_get_by_name(op->worker->store, op->principal, op->name, name_looked_up, op);
    if (r < 0)
        return store_failed(op, r);
    op->pending++;
}

static void id_looked_up(struct store_reply *reply, void *userdata)
{
    struct worker_operation *op = userdata;

    if (!operation_resumed(op))
        return;
    if (reply->code == -ENOENT ||
        (reply->code == 0 && !operation_may_see(op, reply->record->owner)))
        not_found(op);
    else if (reply->code < 0)
        store_failed(op, reply->code);
    else
        found(op, &reply->record);
}

/* True: answered, by what was read of it before. */
static bool show_ended(struct worker_operation *op, const struct id *id)
{
    _cleanup_job_info_ struct job_info *info =
        op->shows_ended ? ended_jobs_find(op->worker, id) : NULL;

    if (!info || !operation_may_see(op, info->created_by))
        return false;
    op->reply.job = TAKE_PTR(info);
    operation_answer(op);
    return true;
}

static void find_id(struct worker_operation *op, const struct id *id)
{
    struct job *job = registry_find(op->worker, id);
    int r;

    if (job && operation_may_see(op, job->specification.created_by))
        return op->found(op, job, NULL);
    if (show_ended(op, id))
        return;
    r = store_thread_get(op->worker->store, id, id_looked_up, op);
    if (r < 0)
        return store_failed(op, r);
    op->pending++;
}

/* Four to seven hex digits may be a display name too: the caller's own names win. */
static void find(struct worker_operation *op)
{
    struct id id;

    if (id_parse(bare_name(op), &id) == 0)
        return find_id(op, &id);
    if (bare_name(op) == op->name && op->name[0] && job_name_check(op->name, NULL) == 0)
        return find_name(op);
    find_prefix(op);
}

bool operation_is_allowed(struct worker_operation *op)
{
    if (op->worker->recovered)
        return true;
    operation_fail_with(op, -EAGAIN, HOIST_REASON_SHUTTING_DOWN,
                        "the agent is still finding its jobs again; try again");
    return false;
}

int operation_begin(struct worker_operation *op, operation_found_fn *found_fn,
                    struct worker_operation **ret)
{
    if (ret)
        *ret = op;
    op->found = found_fn;
    if (operation_is_allowed(op))
        find(op);
    return 0;
}
