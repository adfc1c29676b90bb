/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/call.h"

#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/call-log.h"
#include "agent/failure-message.h"
#include "agent/job-message.h"
#include "agent/output-source.h"
#include "api/reason.h"
#include "base/error.h"

static void agent_call_free(struct agent_call *call)
{
    grpc_call_ref_unref(call->ref);
    worker_output_free(call->output);
    free(call->watch);
    api_error_done(&call->error);
    buffer_done(&call->response);
    job_info_free(call->shown);
    api_free(call->request);
    free(call);
}

static void agent_call_hold(struct agent_call *call)
{
    __atomic_fetch_add(&call->holders, 1, __ATOMIC_RELAXED);
}

static void agent_call_release(struct agent_call *call)
{
    if (__atomic_sub_fetch(&call->holders, 1, __ATOMIC_ACQ_REL) == 0)
        agent_call_free(call);
}

struct worker_caller agent_call_caller(const struct agent_call *call)
{
    return (struct worker_caller){
        .principal = call->identity.principal,
        .all_jobs = call->all_jobs,
    };
}

/* ---- answers, on the connection thread ---- */

void agent_call_refuse(struct agent_call *call, struct grpc_call *grpc,
                       const struct api_error *error)
{
    _cleanup_buffer_ struct buffer details = {0};

    call->reason = api_reason_name((int)error->reason);
    (void)api_error_pack_details(error, &details); /* without memory the code still goes out */
    (void)grpc_call_fail(grpc, (enum grpc_status)error->code, error->text, buffer_bytes(&details),
                         buffer_size(&details));
}

static void agent_call_refuse_memory(struct agent_call *call, struct grpc_call *grpc)
{
    call->reason = "no memory";
    (void)grpc_call_fail(grpc, GRPC_STATUS_RESOURCE_EXHAUSTED, "the agent has no memory left", NULL,
                         0);
}

void agent_call_answer(struct agent_call *call, struct grpc_call *grpc,
                       const ProtobufCMessage *response)
{
    _cleanup_buffer_ struct buffer bytes = {0};

    if (api_pack(response, &bytes) < 0)
        agent_call_refuse_memory(call, grpc);
    else
        (void)grpc_call_reply(grpc, buffer_bytes(&bytes), buffer_size(&bytes));
}

void agent_call_drained(struct agent_call *call, struct grpc_call *grpc)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};

    api_error_set(&error, HOIST__V1__REASON__REASON_SHUTTING_DOWN,
                  "the agent is going down; go on when it is back");
    agent_call_refuse(call, grpc, &error);
}

static void agent_call_show(struct agent_call *call, struct grpc_call *grpc)
{
    _cleanup_api_message_ Hoist__V1__Job *job = job_to_message(call->shown, call->agent->host);

    if (job)
        agent_call_answer(call, grpc, &job->base);
    else
        agent_call_refuse_memory(call, grpc);
}

/* The answer comes back from the core; `grpc` is NULL when the call is over meanwhile. */
static void agent_call_deliver(struct grpc_call *grpc, void *arg)
{
    struct agent_call *call = arg;

    if (grpc)
        memcpy(call->job, call->answer_job, sizeof(call->job));
    if (grpc && call->error.code != 0)
        agent_call_refuse(call, grpc, &call->error);
    else if (grpc && call->output)
        output_source_start(call, grpc);
    else if (grpc && call->deliver)
        call->deliver(call, grpc);
    else if (grpc && call->shown)
        agent_call_show(call, grpc);
    else if (grpc)
        (void)grpc_call_reply(grpc, buffer_bytes(&call->response), buffer_size(&call->response));
    agent_call_release(call);
}

/* ---- the core thread ---- */

static void agent_call_post_answer(struct agent_call *call)
{
    call->operation = NULL;
    call->finished = true;
    grpc_call_post(call->ref, agent_call_deliver, call); /* hands over the core's hold */
}

void agent_call_finish(struct agent_call *call, const ProtobufCMessage *response)
{
    buffer_done(&call->response); /* of the message before */
    if (api_pack(response, &call->response) < 0) {
        agent_call_finish_errno(call, -ENOMEM);
        return;
    }
    agent_call_post_answer(call);
}

void agent_call_finish_error(struct agent_call *call)
{
    agent_call_post_answer(call);
}

void agent_call_finish_failure(struct agent_call *call, const struct failure *failure)
{
    if (!id_is_nil(&failure->job))
        id_format(&failure->job, call->answer_job);
    failure_to_error(failure, &call->error);
    agent_call_post_answer(call);
}

void agent_call_finish_errno(struct agent_call *call, int code)
{
    struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};

    error_set(&failure.error, code, "%s", strerror(-code));
    if (code == -EAGAIN) {
        failure.reason = HOIST_REASON_SHUTTING_DOWN;
        error_set(&failure.error, code, "the agent is still finding its jobs; try again");
    }
    agent_call_finish_failure(call, &failure);
}

void agent_call_finish_output(struct agent_call *call)
{
    agent_call_post_answer(call);
}

void agent_call_done_job(struct worker_reply *reply, void *userdata)
{
    struct agent_call *call = userdata;

    if (reply->failure) {
        agent_call_finish_failure(call, reply->failure);
        return;
    }
    id_format(&reply->job->id, call->answer_job);
    call->shown = TAKE_PTR(reply->job);
    agent_call_post_answer(call);
}

static void agent_call_begin(struct core_task *task)
{
    struct agent_call *call =
        (struct agent_call *)(void *)((char *)task - offsetof(struct agent_call, begin));

    call->finished = false;
    if (!call->agent->worker) {
        api_error_set(&call->error, HOIST__V1__REASON__REASON_SHUTTING_DOWN,
                      "the agent is going down; try again");
        agent_call_finish_error(call);
        return;
    }
    call->method->core(call);
}

/* The call is over on the connection's side: what is still at work for it may stop. */
static void agent_call_cancelled(struct core_task *task)
{
    struct agent_call *call =
        (struct agent_call *)(void *)((char *)task - offsetof(struct agent_call, cancel));

    if (!call->finished) {
        if (call->operation)
            worker_cancel(call->operation);
        call->operation = NULL;
        call->finished = true;
        agent_call_release(call); /* the core's */
    }
    agent_call_release(call); /* the connection's */
}

/* ---- the connection thread ---- */

void agent_call_to_core(struct agent_call *call, struct grpc_call *grpc)
{
    call->ref = grpc_call_ref_new(grpc);
    if (!call->ref) {
        agent_call_refuse_memory(call, grpc);
        return;
    }
    agent_call_hold(call);
    call->begin.run = agent_call_begin;
    core_post(call->agent->core, &call->begin);
}

void agent_call_again(struct agent_call *call)
{
    agent_call_hold(call);
    core_post(call->agent->core, &call->begin);
}

static struct agent_call *agent_call_new(struct agent *agent, struct grpc_call *grpc)
{
    const struct method *method = &methods[grpc_call_method(grpc)];
    struct agent_call *call = calloc(1, sizeof(*call));
    const char *role;
    enum scope scope;

    if (!call)
        return NULL;
    call->agent = agent;
    call->method = method;
    call->identity = *grpc_call_identity(grpc);
    role = role_known(call->identity.role);
    scope = role_scope(call->identity.role, method->permission);
    call->role = role ? role : "";
    call->all_jobs = scope == SCOPE_ALL && method->permission != PERMISSION_NONE;
    call->holders = 1;
    return call;
}

static bool agent_call_is_allowed(const struct agent_call *call)
{
    return role_scope(call->identity.role, call->method->permission) != SCOPE_NOTHING;
}

static int agent_call_unpack(struct agent_call *call, const void *message, size_t size,
                             struct api_error *error)
{
    struct error cause;

    if (api_unpack(call->method->request, API_FROM_CLIENT, message, size, &call->request, &cause) <
        0)
        return api_error_set_from_unpack(error, &cause);
    return 0;
}

static void agent_request(struct grpc_call *grpc, const void *message, size_t size, void *arg)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct agent_call *call = agent_call_new(arg, grpc);

    if (!call) {
        (void)grpc_call_fail(grpc, GRPC_STATUS_RESOURCE_EXHAUSTED, "the agent has no memory left",
                             NULL, 0);
        return;
    }
    grpc_call_set_user(grpc, call);
    if (!agent_call_is_allowed(call)) {
        access_refuse(call->identity.principal, call->identity.role, call->method->permission,
                      &error);
        agent_call_refuse(call, grpc, &error);
    } else if (agent_call_unpack(call, message, size, &error) < 0) {
        agent_call_refuse(call, grpc, &error);
    } else if (call->method->here) {
        call->method->here(call, grpc);
    } else {
        agent_call_to_core(call, grpc);
    }
}

static void agent_closed(struct grpc_call *grpc, const struct grpc_outcome *outcome, void *arg)
{
    struct agent_call *call = grpc_call_user(grpc);

    (void)arg;
    if (!call)
        return;
    call_log(call, grpc, outcome);
    if (call->source)
        call->source->free(call->source);
    call->source = NULL;
    if (call->ref) {
        call->cancel.run = agent_call_cancelled;
        core_post(call->agent->core, &call->cancel); /* hands over the connection's hold */
    } else {
        agent_call_release(call);
    }
}

/* A source has its last words first. */
static void agent_draining(struct grpc_call *grpc, void *arg)
{
    struct agent_call *call = grpc_call_user(grpc);

    (void)arg;
    if (!call || !call->method->lasts)
        return;
    call->drains = true;
    if (!call->source && call->method->grpc.kind == GRPC_KIND_UNARY)
        agent_call_drained(call, grpc);
}

/* What the gRPC layer refuses by itself carries a reason as well. */
static void agent_describe(enum grpc_refusal refusal, const char *text, struct buffer *details,
                           void *arg)
{
    static const Hoist__V1__Reason reasons[] = {
        [GRPC_REFUSAL_UNKNOWN_METHOD] = HOIST__V1__REASON__REASON_UNKNOWN_METHOD,
        [GRPC_REFUSAL_NOBODY] = HOIST__V1__REASON__REASON_IDENTITY_INVALID,
        [GRPC_REFUSAL_TOO_MANY] = HOIST__V1__REASON__REASON_TOO_MANY_STREAMS,
        [GRPC_REFUSAL_TOO_LARGE] = HOIST__V1__REASON__REASON_TOO_LARGE,
        [GRPC_REFUSAL_DRAINED] = HOIST__V1__REASON__REASON_SHUTTING_DOWN,
    };
    _cleanup_api_error_ struct api_error error = {.code = 0};

    (void)arg;
    api_error_set(&error, reasons[refusal], "%s", text);
    if (refusal == GRPC_REFUSAL_TOO_LARGE)
        error.code = GRPC_STATUS_RESOURCE_EXHAUSTED; /* gRPC's own code for it */
    (void)api_error_pack_details(&error, details);   /* without memory the status still goes out */
}

const struct grpc_handlers agent_handlers = {
    .request = agent_request,
    .closed = agent_closed,
    .draining = agent_draining,
    .describe = agent_describe,
    .refused = call_log_refused,
    .connection_failed = call_log_connection,
    .thread_start = output_source_thread_start,
    .thread_stop = output_source_thread_stop,
};
