/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/call.h"

#include <assert.h>
#include <errno.h>

#include "grpc/bounds.h"
#include "grpc/server-session.h"

static const struct state_rule call_rules[] = {
    [CALL_RECEIVING] = {"RECEIVING",
                        STATE_BIT(CALL_READY) | STATE_BIT(CALL_ANSWERED) | STATE_BIT(CALL_CLOSED)},
    [CALL_READY] = {"READY",
                    STATE_BIT(CALL_HANDLING) | STATE_BIT(CALL_ANSWERED) | STATE_BIT(CALL_CLOSED)},
    [CALL_HANDLING] = {"HANDLING", STATE_BIT(CALL_STREAMING) | STATE_BIT(CALL_ANSWERED) |
                                       STATE_BIT(CALL_CLOSED)},
    [CALL_STREAMING] = {"STREAMING", STATE_BIT(CALL_ANSWERED) | STATE_BIT(CALL_CLOSED)},
    [CALL_ANSWERED] = {"ANSWERED", STATE_BIT(CALL_CLOSED)},
    [CALL_CLOSED] = {"CLOSED", 0},
};
_Static_assert(ARRAY_SIZE(call_rules) == _CALL_STATE_MAX, "a rule for each state");

void call_move(struct grpc_call *call, enum call_state to)
{
    int r = state_move(&call->state, to);

    assert(r == 0);
    (void)r;
}

struct grpc_call *call_new(struct server_session *session, int32_t stream_id, usec_t now)
{
    struct grpc_call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    call->session = session;
    call->stream_id = stream_id;
    call->started = now;
    call->deadline = USEC_INFINITY;
    call->request_deadline = now + GRPC_REQUEST_TIME;
    state_init(&call->state, call_rules, ARRAY_SIZE(call_rules), CALL_RECEIVING, NULL, NULL);
    return call;
}

struct grpc_call *call_free(struct grpc_call *call)
{
    if (!call)
        return NULL;
    if (call->ref)
        call_ref_detach(TAKE_PTR(call->ref));
    metadata_done(&call->headers);
    buffer_done(&call->request);
    buffer_done(&call->pending);
    grpc_result_done(&call->end);
    free(call);
    return NULL;
}

unsigned grpc_call_method(const struct grpc_call *call)
{
    return call->method->id;
}

const char *grpc_call_path(const struct grpc_call *call)
{
    return call->method->path;
}

const struct identity *grpc_call_identity(const struct grpc_call *call)
{
    return call->session->peer->identity;
}

const char *grpc_call_peer(const struct grpc_call *call)
{
    return call->session->peer->address;
}

usec_t grpc_call_started(const struct grpc_call *call)
{
    return call->started;
}

usec_t grpc_call_deadline(const struct grpc_call *call)
{
    return call->deadline;
}

struct grpc_thread *grpc_call_thread(const struct grpc_call *call)
{
    return call->session->thread;
}

const char *grpc_call_header(const struct grpc_call *call, const char *name)
{
    return metadata_get(&call->headers, name);
}

void grpc_call_set_user(struct grpc_call *call, void *user)
{
    call->user = user;
}

void *grpc_call_user(const struct grpc_call *call)
{
    return call->user;
}
