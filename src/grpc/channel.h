/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "grpc/status.h"

/*
 * The client: one connection to one server, any number of calls on it, all from one thread.
 *
 * Nothing happens behind the caller's back: bytes move only inside grpc_channel_dispatch() and the
 * functions that say they wait. Who has an event loop polls grpc_channel_fd() for
 * grpc_channel_events() until grpc_channel_timeout() and calls grpc_channel_dispatch(); who has
 * none uses the waiting functions. Both may be mixed.
 *
 * Waiting functions take an `interrupt_fd` (FD_NONE: none): when it becomes readable (a signalfd,
 * an eventfd, a self-pipe) they return -EINTR at once and leave it unread; the call they waited for
 * goes on and can be waited for again, cancelled, or left alone while another call is made.
 *
 * Whatever the server sends is checked; a broken server ends the call with a status made here
 * (INTERNAL, UNAVAILABLE, RESOURCE_EXHAUSTED), never with a crash or endless memory.
 */

struct error;
struct tls_context; /* grpc/tls.h */

struct grpc_channel;
struct grpc_client_call;

struct grpc_channel_options {
    const char *host; /* a name or an address; also what the server's certificate must be for */
    uint16_t port;
    struct tls_context *tls;  /* client context; a reference is taken */
    const char *server_name;  /* instead of `host` for the certificate and SNI; NULL: host */
    usec_t connect_timeout;   /* TCP, TLS and the first SETTINGS together; 0: 10 s */
    usec_t keepalive;         /* PING after so long without a byte; 0: 30 s; USEC_INFINITY: never */
    usec_t keepalive_timeout; /* the connection is dead when no byte follows; 0: 10 s */
    size_t message_bytes;     /* largest response message; 0: GRPC_MESSAGE_MAX */
    const char *user_agent;   /* NULL: "hoist/<version>" */
};

/*
 * Connects, shakes hands, verifies, and waits for the server's SETTINGS. Tries the addresses of a
 * name one after the other. Errors, with a sentence that says what to look at: -ECONNREFUSED,
 * -ETIMEDOUT, -EHOSTUNREACH … as connect(2); -ENOENT the name can't be resolved; -EKEYREJECTED the
 * server's certificate is not trusted; -EACCES the server refused our certificate; -EPROTO it
 * doesn't speak TLS 1.3 or HTTP/2; -EINTR interrupt_fd became readable.
 */
int grpc_channel_connect(const struct grpc_channel_options *options, int interrupt_fd,
                         struct grpc_channel **ret, struct error *err);

/* Frees the calls' connection; calls must have been freed before. NULL is fine; returns NULL. */
struct grpc_channel *grpc_channel_free(struct grpc_channel *channel);
static inline void grpc_channel_freep(struct grpc_channel **channel)
{
    *channel = grpc_channel_free(*channel);
}

/* ---- for event loops ---- */

int grpc_channel_fd(const struct grpc_channel *channel);
short grpc_channel_events(const struct grpc_channel *channel);   /* POLLIN | POLLOUT */
usec_t grpc_channel_timeout(const struct grpc_channel *channel); /* clock_boot(); USEC_INFINITY */

/*
 * Moves what can be moved without waiting and checks the timers. Returns 0, or a negative errno
 * with a sentence once the connection is dead (every call then has its result, UNAVAILABLE);
 * further calls return the same.
 */
int grpc_channel_dispatch(struct grpc_channel *channel, struct error *err);

/*
 * One poll(2), bounded by `deadline` (clock_boot()), and one dispatch. Returns 0 (something may
 * have happened), -ETIMEDOUT, -EINTR (interrupt_fd), or as dispatch.
 */
int grpc_channel_wait(struct grpc_channel *channel, usec_t deadline, int interrupt_fd,
                      struct error *err);

/* The connection takes no new calls (GOAWAY or dead): connect another. */
bool grpc_channel_is_closing(const struct grpc_channel *channel);

/* ---- calls ---- */

struct grpc_metadata_pair {
    const char *name;  /* lower case, no "grpc-" prefix, no "-bin" suffix */
    const char *value; /* printable ASCII */
};

struct grpc_call_options {
    usec_t deadline; /* clock_boot(); 0 or USEC_INFINITY: none; sent as grpc-timeout and kept here
                        too */
    const struct grpc_metadata_pair *metadata;
    size_t metadata_count;
};

/*
 * Starts a call with its one request message (copied). `options` may be NULL. The result of a call
 * that can't be started on a closing connection is UNAVAILABLE at once. Returns 0 or -ENOMEM,
 * -EINVAL (a metadata pair, the path), -EMSGSIZE.
 */
int grpc_client_call_new(struct grpc_channel *channel, const char *path, const void *request,
                         size_t request_size, const struct grpc_call_options *options,
                         struct grpc_client_call **ret);

/* Resets the stream when it is still open. NULL is fine; returns NULL. */
struct grpc_client_call *grpc_client_call_free(struct grpc_client_call *call);
static inline void grpc_client_call_freep(struct grpc_client_call **call)
{
    *call = grpc_client_call_free(*call);
}

/* Resets the stream; the result becomes CANCELLED unless there is one already. */
void grpc_client_call_cancel(struct grpc_client_call *call);

/*
 * The next message if one is complete: 1 and the bytes, valid until the next function on this call;
 * 0 when none is there now. Messages that arrived before an error are handed out before the error
 * shows. Flow control follows the reader: what isn't taken isn't fetched beyond the window.
 */
int grpc_client_call_next(struct grpc_client_call *call, const uint8_t **ret_message,
                          size_t *ret_size);

/* How it ended; NULL while it goes on or messages are left to take. Borrowed from the call. */
const struct grpc_result *grpc_client_call_result(struct grpc_client_call *call);

/*
 * Waits for the next message: 1 and the bytes; 0 when the call is over (see its result); -EINTR; a
 * dead connection is a result, not an error.
 */
int grpc_client_call_read(struct grpc_client_call *call, int interrupt_fd,
                          const uint8_t **ret_message, size_t *ret_size);

/*
 * One unary call from start to end. The result is in *ret_result whenever 0 is returned; the
 * response message was appended to `response` if its status is OK. A server that sends OK with no
 * message or with two gets INTERNAL here. Returns 0, -EINTR (the call was cancelled), -ENOMEM,
 * -EINVAL, -EMSGSIZE.
 */
int grpc_channel_unary(struct grpc_channel *channel, const char *path, const void *request,
                       size_t request_size, const struct grpc_call_options *options,
                       int interrupt_fd, struct buffer *response, struct grpc_result *ret_result);
