/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/state.h"
#include "grpc/metadata.h"
#include "grpc/server.h"

/*
 * A call as the server's session keeps it, from its HEADERS to the close of its stream. The public
 * functions on it are in grpc/server.h; this is for the files that carry it out.
 *
 *   RECEIVING ─► READY ─► HANDLING ─► STREAMING ─► ANSWERED ─► CLOSED
 *        └─────────┴──────────┴───────────────────────▲
 * and from each state to CLOSED, when the stream or the connection goes.
 */
enum call_state {
    CALL_RECEIVING, /* the request isn't whole */
    CALL_READY,     /* it is; the handler is next */
    CALL_HANDLING,  /* the handler has it */
    CALL_STREAMING, /* it has a source */
    CALL_ANSWERED,  /* how it ends is decided; what was to be sent is being sent */
    CALL_CLOSED,    /* the stream is gone */
    _CALL_STATE_MAX,
};

struct server_session;

TAILQ_HEAD(call_list, grpc_call);

struct grpc_call {
    struct server_session *session;
    TAILQ_ENTRY(grpc_call) all;   /* session->calls */
    TAILQ_ENTRY(grpc_call) queue; /* session->ready or session->ended … */
    struct call_list *queued;     /* … this one; NULL: neither */
    struct state_machine state;
    int32_t stream_id;
    bool was_handled; /* request() was called: closed() is owed */

    const struct grpc_method *method; /* NULL: unknown */
    struct metadata headers;
    struct buffer request; /* framed bytes as they come */
    bool request_ended;    /* END_STREAM */
    bool is_admitted;      /* counted by the owner of the session */
    usec_t started;
    usec_t deadline;
    usec_t request_deadline; /* for the whole request to arrive */

    const struct grpc_source_ops *source;
    void *source_arg;
    bool is_waiting;   /* the source has nothing */
    bool is_deferred;  /* nghttp2 asks for data after a resume only */
    bool headers_sent; /* response HEADERS, not a Trailers-Only */
    size_t
        direct_size; /* payload that was pulled straight into the output, behind its frame head */
    struct buffer pending; /* framed bytes that wait for flow control */
    struct grpc_result end;
    uint64_t sent_bytes;
    bool was_delivered; /* the stream closed in peace after its end was sent */

    void *user;
    struct grpc_call_ref *ref; /* NULL: nobody asked for one; counted */
};

/* Moves it; the edge is legal or the caller has a bug. */
void call_move(struct grpc_call *call, enum call_state to);

static inline bool call_is(const struct grpc_call *call, enum call_state state)
{
    return call->state.now == state;
}

/* Starts in RECEIVING; NULL when there is no memory. */
struct grpc_call *call_new(struct server_session *session, int32_t stream_id, usec_t now);
/* Not queued anywhere any more. Returns NULL. */
struct grpc_call *call_free(struct grpc_call *call);

/* call-ref.c: the call is over; refs on it answer NULL from now on. */
void call_ref_detach(struct grpc_call_ref *ref);
