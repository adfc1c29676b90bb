/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "agent/core.h"
#include "agent/method.h"
#include "api/error.h"
#include "base/buffer.h"
#include "base/id.h"
#include "grpc/identity.h"
#include "worker/worker.h"

struct agent;
struct job_watch;
struct source;

/*
 * One call on its way: from the connection thread, which unpacks and authorises, to the core
 * thread, which does it, and back with the answer.
 *
 * It is held by both sides: by the connection until the call is closed, and by the core from
 * agent_call_to_core() until the answer has been handed over. Whichever lets go last frees it. What
 * lies between the comments below belongs to one side at a time.
 */
struct agent_call {
    struct agent *agent;
    const struct method *method;
    struct identity identity;
    const char *role;          /* a known one, or "" */
    bool all_jobs;             /* authorised for everybody's jobs */
    ProtobufCMessage *request; /* owned; read-only once made */

    /* The core thread's, until the answer is posted; then the connection thread's. */
    struct worker_operation *operation;
    bool finished;
    struct buffer response;
    struct job_info *shown; /* instead of `response`: made a message on the connection thread */
    struct api_error error;
    struct worker_output *output; /* StreamOutput: what to stream */
    struct job_watch *watch;      /* WatchJob: where it stands; freed with the call */
    char answer_job[ID_TEXT_MAX]; /* which job it was about; "": none */

    /* The connection thread's. */
    char job[ID_TEXT_MAX]; /* answer_job once the answer is here: for the log */
    const char *reason;    /* of the refusal, for the log; NULL: none */
    struct source *source; /* a streaming call's; freed by its `free` */
    bool drains;           /* its source ends it, agent_call_drained(), rather than to wait */
    /* What becomes of an answer that is no error; NULL: it is the reply of a unary call. */
    void (*deliver)(struct agent_call *call, struct grpc_call *grpc);

    /* Plumbing. */
    struct grpc_call_ref *ref;
    struct core_task begin, cancel;
    unsigned holders; /* atomic */
};

/* What streams on a connection thread (GRPC pull) and has to go with its call. */
struct source {
    void (*free)(struct source *source);
};

/* The handlers for the server: they make and unmake the calls. */
extern const struct grpc_handlers agent_handlers;

/* As the worker wants to know who asks; valid as long as the call. */
struct worker_caller agent_call_caller(const struct agent_call *call);

/* Connection thread: answers at once. */
void agent_call_answer(struct agent_call *call, struct grpc_call *grpc,
                       const ProtobufCMessage *response);
void agent_call_refuse(struct agent_call *call, struct grpc_call *grpc,
                       const struct api_error *error);

/* The same for a call that a drain ends: where it was it may go on later. */
void agent_call_drained(struct agent_call *call, struct grpc_call *grpc);

/* Connection thread: method->core will run on the core thread. */
void agent_call_to_core(struct agent_call *call, struct grpc_call *grpc);

/*
 * The same once more, after an answer was delivered: for calls that are answered with a stream of
 * messages, each of which is asked for when the one before was taken.
 */
void agent_call_again(struct agent_call *call);

/*
 * Core thread, exactly once for each way there, with the operation over. `response` is packed at
 * once. A failure of the worker becomes the error that clients see (agent/failure-message.h).
 */
void agent_call_finish(struct agent_call *call, const ProtobufCMessage *response);
void agent_call_finish_error(struct agent_call *call); /* call->error is filled */
void agent_call_finish_failure(struct agent_call *call, const struct failure *failure);

/* Core thread: the operation could not even begin (what the worker returned). */
void agent_call_finish_errno(struct agent_call *call, int code);

/* Core thread: worker_done_fn that answers with the reply's job as hoist.v1.Job. `userdata` is the
 * call. */
void agent_call_done_job(struct worker_reply *reply, void *userdata);

/* Core thread: the output in call->output goes to the connection thread, which starts to stream. */
void agent_call_finish_output(struct agent_call *call);
