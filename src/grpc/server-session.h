/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "grpc/call.h"
#include "grpc/http2.h"

/*
 * The server's side of one connection: HTTP/2 bytes in, calls out, answers in, HTTP/2 bytes out.
 *
 * No I/O, no clock, no threads: the owner hands in bytes and the time, and takes `http2.out`. The
 * same code serves the daemon, the tests and the fuzzer. Handlers are called at the end of
 * server_session_receive() and server_session_tick(), never from inside nghttp2, so that a request
 * that is reset in the same packet never reaches one.
 */

struct server_session_ops {
    /* As grpc_handlers; `arg` is the session's. */
    void (*request)(struct grpc_call *call, const void *message, size_t size, void *arg);
    void (*closed)(struct grpc_call *call, const struct grpc_outcome *outcome, void *arg);
    void (*draining)(struct grpc_call *call, void *arg);
    void (*refused)(struct server_session *session, const char *path,
                    const struct grpc_outcome *outcome, void *arg);
    void (*describe)(enum grpc_refusal refusal, const char *text, struct buffer *details,
                     void *arg);
    /* May another call begin? false: it is refused. Each true is followed by one leave(). */
    bool (*enter)(void *arg);
    void (*leave)(void *arg);
    /* There is something to send that didn't come of receive() or tick(). */
    void (*wake)(void *arg);
};

struct server_session {
    struct http2 http2;
    const struct server_session_ops *ops;
    void *arg;
    const struct grpc_method *methods;
    size_t method_count;
    size_t message_max;
    const struct grpc_peer *peer; /* borrowed; whose connection it is; NULL in tests */
    struct grpc_thread *thread;   /* borrowed; NULL in tests */

    struct call_list calls; /* all that have a stream */
    struct call_list ready; /* whole requests that no handler has seen */
    struct call_list ended; /* streams that are gone, callback owed */
    unsigned call_count;
    size_t request_bytes;        /* held by incomplete requests */
    size_t answer_bytes;         /* made, and held back by the windows of their streams */
    size_t refused_header_bytes; /* of the header block of a stream that was refused */
    usec_t next_deadline;        /* not later than the earliest of a call */
    bool heard_settings;         /* the peer's preface is complete */
    bool is_draining;            /* the first GOAWAY is out … */
    bool is_drained;             /* … and the second */
    bool is_cut;                 /* by us: calls that end now are UNAVAILABLE */

    enum grpc_status refusal; /* not OK: every call is answered by it … */
    const char *refusal_text; /* … and this; borrowed */
};

struct server_session_options {
    const struct grpc_method *methods;
    size_t method_count;
    size_t message_max; /* 0: GRPC_MESSAGE_MAX */
    const struct server_session_ops *ops;
    void *arg;
    const struct grpc_peer *peer;
    struct grpc_thread *thread;
    /* Not OK: a peer that may call nothing is told so by each of its calls; `peer` may be NULL
     * then. */
    enum grpc_status refusal;
    const char *refusal_text; /* borrowed */
};

/* The server's SETTINGS wait in the output then. 0 or -ENOMEM. */
int server_session_new(const struct server_session_options *options, usec_t now,
                       struct server_session **ret);

/* Every call under way gets its closed(). NULL is fine; returns NULL. */
struct server_session *server_session_free(struct server_session *session);

/* As http2_receive(), then the handlers. */
int server_session_receive(struct server_session *session, const void *data, size_t size,
                           usec_t now);

/* As http2_produce(), then what ended by it. */
int server_session_produce(struct server_session *session, usec_t now);

/* Ends calls that are past their deadline. */
void server_session_tick(struct server_session *session, usec_t now);

/* First half of a graceful end: GOAWAY that lets calls on the way still in, and a PING. */
void server_session_drain_begin(struct server_session *session);

/* Its deadline: ends what has no answer yet as UNAVAILABLE, and lets nothing new in. */
void server_session_drain_end(struct server_session *session, usec_t now);
/* Second half, when the PING was answered (by itself) or takes too long: GOAWAY with the last
 * stream that counts. Once. */
void server_session_drain_finish(struct server_session *session);

/* The peer has lost the right to be here: its calls end as UNAUTHENTICATED with `text` (borrowed),
 * so do those that still come, and GOAWAY tells it to open no more. */
void server_session_expel(struct server_session *session, const char *text, usec_t now);

/* Asks whether the peer is there; any byte from it is the answer. */
void server_session_ping(struct server_session *session);

/* For server-answer.c: the stream of a call is gone, or its end was sent. */
struct grpc_call *server_session_call(struct server_session *session, int32_t stream_id);
