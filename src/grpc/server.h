/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "grpc/status.h"

/*
 * A gRPC server: one accept thread, N connection threads, mutual TLS 1.3, HTTP/2.
 *
 * Every connection belongs to one thread (the one with the fewest streams when it came) and all
 * that happens to it and its calls happens there: callbacks are called on that thread, and every
 * function that takes a `struct grpc_call *`, `struct grpc_thread *` or `struct grpc_timer *` may
 * be called on that thread only. What other threads need is a `struct grpc_call_ref` and the
 * functions marked "any thread". Callbacks must not block.
 *
 * A unary call, answered by another thread:
 *
 *     request():  state->ref = grpc_call_ref_new(call); send the work to the core thread; return;
 *     core:       grpc_call_post(ref, answer, work);
 *     answer(call, work):  if (call) grpc_call_reply(call, bytes, size);  free(work);
 *     closed():   the call is over for whatever reason; tell the core if it is still at work.
 *
 * Deadlines, cancellation, limits on peers, malformed requests and unknown methods are the layer's
 * own affair: the handler sees well-formed calls of known methods of identified principals only.
 */

struct buffer;
struct error;
struct identity;    /* grpc/identity.h: who the certificate says the peer is */
struct tls_context; /* grpc/tls.h */
struct tls_session; /* grpc/tls.h */

struct grpc_server;
struct grpc_thread;
struct grpc_call;
struct grpc_call_ref;
struct grpc_timer;

/* ---- methods and handlers ---- */

enum grpc_kind {
    GRPC_KIND_UNARY,
    GRPC_KIND_SERVER_STREAMING,
};

struct grpc_method {
    const char *path; /* "/hoist.v1.JobService/StartJob", compared byte by byte */
    enum grpc_kind kind;
    unsigned id; /* the caller's own; what authorisation should key on */
};

/* How a call ended, for the log. */
struct grpc_outcome {
    enum grpc_status status; /* what was sent, or CANCELLED / DEADLINE_EXCEEDED / UNAVAILABLE */
    bool delivered;          /* the trailers were handed to the connection whole */
    usec_t duration;         /* since its HEADERS arrived */
    uint64_t sent_bytes;     /* message bytes without framing */
};

/* What the layer refuses by itself and a client may want to tell apart by more than the status. */
enum grpc_refusal {
    GRPC_REFUSAL_UNKNOWN_METHOD, /* UNIMPLEMENTED */
    GRPC_REFUSAL_NOBODY,         /* UNAUTHENTICATED: the certificate names no principal, or not any
                                    more */
    GRPC_REFUSAL_TOO_MANY,       /* RESOURCE_EXHAUSTED: connections or streams of one principal */
    GRPC_REFUSAL_TOO_LARGE,      /* RESOURCE_EXHAUSTED: the request message */
    GRPC_REFUSAL_DRAINED,        /* UNAVAILABLE: not over when the drain had to be */
};

struct grpc_handlers {
    /*
     * The request of a call is complete: exactly one message, valid during the callback. The
     * handler answers now or later, exactly once: grpc_call_reply(), grpc_call_fail() or, for a
     * streaming method, grpc_call_set_source().
     */
    void (*request)(struct grpc_call *call, const void *message, size_t size, void *arg);

    /*
     * Called exactly once for each call that request() was called for, when it is over: answered
     * and sent, cancelled by the client, past its deadline, or its connection gone. `call` is valid
     * until this returns. Free what grpc_call_set_user() holds here. May be NULL.
     */
    void (*closed)(struct grpc_call *call, const struct grpc_outcome *outcome, void *arg);

    /*
     * The server drains: called once for each call that has no answer yet. What has no end of its
     * own is better ended now, by grpc_call_fail(), than at the deadline. A source that waits is
     * asked again afterwards. May be NULL.
     */
    void (*draining)(struct grpc_call *call, void *arg);

    /*
     * Called for each call that the layer refused by itself, so that it can be logged: unknown
     * method, malformed, too many. `path` is what the client wrote (hostile; cut to 255 bytes),
     * `identity` may be NULL. May be NULL.
     */
    void (*refused)(const struct identity *identity, const char *peer, const char *path,
                    const struct grpc_outcome *outcome, void *arg);

    /*
     * Appends the details that go with a refusal of the layer's own, as for grpc_call_fail(), to
     * `details`; `text` is the sentence that is sent. NULL: none are.
     */
    void (*describe)(enum grpc_refusal refusal, const char *text, struct buffer *details,
                     void *arg);

    /*
     * A connection was refused or cut by the layer (TLS, identity, protocol, limit): `reason` is
     * one sentence for the log. May be NULL. Rate-limit it.
     */
    void (*connection_failed)(const char *peer, const char *reason, void *arg);

    /*
     * On each connection thread before its first connection and after its last: make and free what
     * the handlers want there (grpc_thread_set_user). A negative errno from thread_start fails
     * grpc_server_new(). May be NULL.
     */
    int (*thread_start)(struct grpc_thread *thread, void *arg);
    void (*thread_stop)(struct grpc_thread *thread, void *arg);
};

/* Zero means the default of grpc/bounds.h. */
struct grpc_server_limits {
    unsigned connections;                 /* in all */
    unsigned unauthenticated_connections; /* still in their TLS handshake */
    unsigned connections_per_address;
    unsigned connections_per_principal;
    unsigned streams_per_principal; /* calls under way, over all connections */
    size_t message_bytes;           /* largest request */
};

struct grpc_server_options {
    int listen_fd;           /* borrowed, listening, any stream family; made non-blocking */
    unsigned threads;        /* 0: one for each CPU this process may use */
    struct tls_context *tls; /* server context; a reference is taken */
    const struct grpc_method *methods; /* must outlive the server */
    size_t method_count;
    const struct grpc_handlers *handlers; /* must outlive the server */
    void *arg;                            /* for the handlers */
    struct grpc_server_limits limits;
};

/* ---- the server: any thread ---- */

/*
 * Starts the threads and accepts at once. Returns 0 or a negative errno with a sentence; nothing
 * runs then.
 */
int grpc_server_new(const struct grpc_server_options *options, struct grpc_server **ret,
                    struct error *err);

/*
 * Cuts what is left, joins the threads, frees. Every call under way gets its closed(). Refs that
 * are still held stay safe: a post to one runs with a NULL call in the poster's thread. NULL is
 * fine; returns NULL. Not from a connection thread.
 */
struct grpc_server *grpc_server_free(struct grpc_server *server);
static inline void grpc_server_freep(struct grpc_server **server)
{
    *server = grpc_server_free(*server);
}

/*
 * Stops accepting and sends GOAWAY on every connection; calls under way may end until `deadline`
 * (clock_boot()), then they end as UNAVAILABLE (GRPC_REFUSAL_DRAINED), and GRPC_DRAIN_CUT later the
 * connection is cut. Returns at once. grpc_server_drained_fd() becomes readable
 * when the last connection is gone (an eventfd that the server owns; leave its count alone).
 */
void grpc_server_drain(struct grpc_server *server, usec_t deadline);
int grpc_server_drained_fd(const struct grpc_server *server);

/*
 * The context for connections that come from now on; a reference is taken. Those that are open are
 * judged by it within moments: who isn't welcome any more, because its certificate was revoked or
 * its CA is gone, has its calls ended as UNAUTHENTICATED, and its connection by GOAWAY. (Who
 * expires fares the same without being asked for.) Returns 0, or -ENOMEM when not every thread
 * could be told: newcomers are judged by it, but call it again for the others.
 */
int grpc_server_set_tls(struct grpc_server *server, struct tls_context *tls);

/* Whose connection a call came by; borrowed. */
struct grpc_peer {
    const struct identity *identity;
    const struct tls_session *session;
    const char *address; /* "127.0.0.1:4711" */
};

struct grpc_server_counts {
    unsigned connections;
    unsigned unauthenticated_connections;
    unsigned streams;
};
void grpc_server_count(struct grpc_server *server, struct grpc_server_counts *ret);

/* ---- a call: its own thread ---- */

unsigned grpc_call_method(const struct grpc_call *call);                 /* grpc_method.id */
const char *grpc_call_path(const struct grpc_call *call);                /* grpc_method.path */
const struct identity *grpc_call_identity(const struct grpc_call *call); /* never NULL */
const char *grpc_call_peer(const struct grpc_call *call);                /* "127.0.0.1:4711" */
usec_t grpc_call_started(const struct grpc_call *call);                  /* clock_boot() */
usec_t grpc_call_deadline(const struct grpc_call *call); /* clock_boot(); USEC_INFINITY: none */
struct grpc_thread *grpc_call_thread(const struct grpc_call *call);

/* The first request header of that (lower case) name, NUL-terminated, or NULL. */
const char *grpc_call_header(const struct grpc_call *call, const char *name);

void grpc_call_set_user(struct grpc_call *call, void *user);
void *grpc_call_user(const struct grpc_call *call);

/*
 * Answers a unary call with one message (copied) and OK.
 * Returns 0; -EALREADY when it was answered before; -EMSGSIZE; -ENOBUFS (its peer lets too many
 * answers wait); -ENOMEM (the client then gets RESOURCE_EXHAUSTED: the call is answered whatever is
 * returned).
 */
int grpc_call_reply(struct grpc_call *call, const void *message, size_t size);

/*
 * Ends a call without an answer. `text` (UTF-8, may be NULL) is cut to GRPC_MESSAGE_TEXT_MAX;
 * `details` (NULL: none) is a serialised google.rpc.Status of at most GRPC_DETAILS_MAX bytes, left
 * out when it is larger. With a source: as if the source had returned the end. Returns 0 or
 * -EALREADY.
 */
int grpc_call_fail(struct grpc_call *call, enum grpc_status status, const char *text,
                   const void *details, size_t details_size);

/* ---- server streaming: its own thread ---- */

/*
 * A source is asked for the next message whenever flow control and the connection's output have
 * room for it, and never otherwise, so that a slow reader costs one message at most.
 */
#define GRPC_PULL_MAX                                                                              \
    (64 * 1024 + 64) /* bytes of one message: 64 KiB of content and what stands around it */

enum grpc_pull {
    GRPC_PULL_MESSAGE = 1, /* *ret_size bytes (0 is an empty message) were put into `buffer` */
    GRPC_PULL_WAIT,        /* nothing now: ask again after grpc_call_resume() */
    GRPC_PULL_END,         /* the stream is over, with OK */
};

struct grpc_source_ops {
    /*
     * Writes one message of at most `room` (= GRPC_PULL_MAX) bytes. Returns an enum grpc_pull, or
     * calls grpc_call_fail() itself and returns GRPC_PULL_END to end with an error. Must not block.
     */
    enum grpc_pull (*pull)(struct grpc_call *call, uint8_t *buffer, size_t room, size_t *ret_size,
                           void *arg);
};

/* Gives the call its source; `ops` must outlive the call. Headers are sent at once. 0 or -EALREADY.
 */
int grpc_call_set_source(struct grpc_call *call, const struct grpc_source_ops *ops, void *arg);

/* The source has something again. Harmless when it wasn't waiting or the call is answered. */
void grpc_call_resume(struct grpc_call *call);

/* ---- calls from other threads ---- */

/* A counted handle on a call that may be gone. NULL when there is no memory. */
struct grpc_call_ref *grpc_call_ref_new(struct grpc_call *call);      /* the call's thread */
struct grpc_call_ref *grpc_call_ref_ref(struct grpc_call_ref *ref);   /* any thread */
struct grpc_call_ref *grpc_call_ref_unref(struct grpc_call_ref *ref); /* any thread; NULL */
static inline void grpc_call_ref_unrefp(struct grpc_call_ref **ref)
{
    *ref = grpc_call_ref_unref(*ref);
}

/*
 * Any thread: runs `run(call, arg)` on the call's thread, soon and in the order of posting; `call`
 * is NULL when the call is over. `run` is called exactly once in every case, also while the server
 * is being freed (then perhaps in the poster's own thread), so it may free `arg`. There is no
 * failure: memory for it was set aside with the ref, up to one post at a time for each ref; a
 * second one before the first has run needs memory and aborts the call when there is none.
 */
void grpc_call_post(struct grpc_call_ref *ref, void (*run)(struct grpc_call *call, void *arg),
                    void *arg);

/* ---- connection threads ---- */

void grpc_thread_set_user(struct grpc_thread *thread, void *user);
void *grpc_thread_user(const struct grpc_thread *thread);
unsigned grpc_thread_index(const struct grpc_thread *thread); /* 0 … threads - 1 */

/* Any thread: runs `run(thread, arg)` on that thread; exactly once. 0 or -ENOMEM (it won't run). */
int grpc_thread_post(struct grpc_thread *thread, void (*run)(struct grpc_thread *thread, void *arg),
                     void *arg);

/*
 * Watches `fd` (borrowed) with the thread's epoll, level-triggered: `ready(fd, events, arg)` with
 * EPOLL* bits. Returns 0 or a negative errno; -EEXIST when it is watched already.
 */
int grpc_thread_add_fd(struct grpc_thread *thread, int fd, uint32_t events,
                       void (*ready)(int fd, uint32_t events, void *arg), void *arg);
/* Before the fd is closed. Unknown ones are ignored. */
void grpc_thread_remove_fd(struct grpc_thread *thread, int fd);

/*
 * A one-shot timer of a thread, off until it is set. NULL when there is no memory; then setting
 * never fails. It may be set again and freed from its own callback.
 */
struct grpc_timer *grpc_timer_new(struct grpc_thread *thread, void (*elapsed)(void *arg),
                                  void *arg);
void grpc_timer_set(struct grpc_timer *timer, usec_t when);   /* clock_boot(); USEC_INFINITY: off */
struct grpc_timer *grpc_timer_free(struct grpc_timer *timer); /* NULL is fine; returns NULL */
