/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WatchJob: one message for each change of state and each interval.
 *
 * The call goes to the core and back once for each message, and the next way begins when the
 * message before was taken by the connection: a reader that doesn't read costs one message and no
 * work.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/call.h"
#include "agent/job-message.h"
#include "agent/request.h"
#include "agent/rpc.h"
#include "base/cleanup.h"

#define INTERVAL_DEFAULT (2 * USEC_PER_SEC)
#define INTERVAL_MIN     (1 * USEC_PER_SEC)
#define INTERVAL_MAX     (60 * USEC_PER_SEC)

/* Whose turn it is, the core's or the connection's, owns it. */
struct job_watch {
    usec_t interval;
    bool has_seen;
    struct worker_seen seen;
    char job[ID_TEXT_MAX]; /* names may come to mean another job */
    bool last;             /* the message says how it ended */
};

/* ---- the core thread ---- */

static int watch_new(const Hoist__V1__WatchJobRequest *request, struct job_watch **ret,
                     struct api_error *error)
{
    struct job_watch *watch;
    usec_t interval;

    if (request_read_name(request->name, error) < 0 ||
        request_read_duration("interval", request->interval, INTERVAL_DEFAULT, INTERVAL_MAX,
                              &interval, error) < 0)
        return -EREMOTEIO;
    if (interval < INTERVAL_MIN)
        return request_refuse("interval", "is shorter than a second", error);
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->interval = interval;
    *ret = watch;
    return 0;
}

/* Arguments and variables may be larger than a message of a stream. */
static void drop_words(Hoist__V1__JobSpec *spec)
{
    for (size_t i = 0; i < spec->n_args; i++)
        free(spec->args[i].data);
    free(spec->args);
    spec->args = NULL;
    spec->n_args = 0;
    for (size_t i = 0; i < spec->n_env; i++)
        api_free(&spec->env[i]->base);
    free(spec->env);
    spec->env = NULL;
    spec->n_env = 0;
}

static void watch_done(struct worker_reply *reply, void *userdata)
{
    Hoist__V1__WatchJobResponse response = HOIST__V1__WATCH_JOB_RESPONSE__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    struct agent_call *call = userdata;
    struct job_watch *watch = call->watch;

    if (reply->failure) {
        agent_call_finish_failure(call, reply->failure);
        return;
    }
    watch->has_seen = true;
    watch->seen = (struct worker_seen){
        .state = reply->job->state,
        .usage = reply->job->usage.cgroup,
        .usage_time = reply->job->usage.read_boot,
    };
    watch->last = job_info_has_ended(reply->job);
    id_format(&reply->job->id, watch->job);
    memcpy(call->answer_job, watch->job, sizeof(watch->job));
    job = job_to_message(reply->job, call->agent->host);
    if (!job) {
        agent_call_finish_errno(call, -ENOMEM);
        return;
    }
    drop_words(job->spec);
    response.job = job;
    agent_call_finish(call, &response.base);
}

void rpc_watch_job(struct agent_call *call)
{
    const Hoist__V1__WatchJobRequest *request =
        (const Hoist__V1__WatchJobRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    struct job_watch *watch;
    int r = call->watch ? 0 : watch_new(request, &call->watch, &call->error);

    if (r == -EREMOTEIO) {
        agent_call_finish_error(call);
        return;
    }
    watch = call->watch;
    if (r == 0)
        r = worker_await_change(call->agent->worker, &caller,
                                watch->has_seen ? watch->job : request->name,
                                watch->has_seen ? &watch->seen : NULL, watch->interval, watch_done,
                                call, &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}

/* ---- the connection thread ---- */

struct watch_source {
    struct source source;
    struct agent_call *call;
    bool ready; /* a message is in call->response */
    bool ended; /* the last one was taken */
};

static void watch_source_free(struct source *source)
{
    free(source);
}

static void watch_deliver(struct agent_call *call, struct grpc_call *grpc)
{
    struct watch_source *source = (struct watch_source *)(void *)call->source;

    source->ready = true;
    grpc_call_resume(grpc);
}

static enum grpc_pull watch_pull(struct grpc_call *grpc, uint8_t *buffer, size_t room,
                                 size_t *ret_size, void *arg)
{
    struct watch_source *source = arg;
    struct agent_call *call = source->call;

    if (!source->ready && call->drains && !source->ended) {
        agent_call_drained(call, grpc);
        return GRPC_PULL_END;
    }
    if (!source->ready)
        return source->ended ? GRPC_PULL_END : GRPC_PULL_WAIT;
    source->ready = false;
    if (buffer_size(&call->response) > room) {
        api_error_set(&call->error, HOIST__V1__REASON__REASON_TOO_LARGE,
                      "what is known of the job doesn't fit into a message; use GetJob");
        agent_call_refuse(call, grpc, &call->error);
        return GRPC_PULL_END;
    }
    *ret_size = buffer_size(&call->response);
    memcpy(buffer, buffer_bytes(&call->response), *ret_size);
    source->ended = call->watch->last;
    if (!source->ended)
        agent_call_again(call);
    return GRPC_PULL_MESSAGE;
}

static const struct grpc_source_ops watch_ops = {.pull = watch_pull};

void rpc_watch_job_here(struct agent_call *call, struct grpc_call *grpc)
{
    struct watch_source *source = calloc(1, sizeof(*source));

    if (!source) {
        (void)grpc_call_fail(grpc, GRPC_STATUS_RESOURCE_EXHAUSTED, "the agent has no memory left",
                             NULL, 0);
        return;
    }
    source->source.free = watch_source_free;
    source->call = call;
    call->source = &source->source;
    call->deliver = watch_deliver;
    agent_call_to_core(call, grpc); /* whose answer comes by this thread's mailbox, later */
    (void)grpc_call_set_source(grpc, &watch_ops, source);
}
