/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "grpc/channel.h"
#include "grpc/http2.h"
#include "grpc/metadata.h"

/*
 * The client's side of one connection: calls in, HTTP/2 bytes out, HTTP/2 bytes in, messages and
 * results out. No I/O, like the server's; what the server sends is as little trusted.
 */

TAILQ_HEAD(client_call_list, grpc_client_call);

struct client_session {
    struct http2 http2;
    char *authority;  /* owned; "host:port" */
    char *user_agent; /* owned */
    size_t message_max;
    struct client_call_list calls; /* that aren't over */
    unsigned call_count;
    usec_t next_deadline; /* not later than the earliest of a call */
    bool heard_settings;
    bool heard_goaway;
    const char *closed_why; /* no more calls, for this reason; borrowed; NULL: ask nghttp2 */
};

struct grpc_client_call {
    struct client_session *session; /* NULL: it is over, the stream is none of its business */
    struct grpc_channel *channel;   /* for those who wait; NULL in tests */
    TAILQ_ENTRY(grpc_client_call) all;
    int32_t stream_id;
    size_t message_max;
    usec_t deadline;
    struct buffer request;   /* framed; what isn't sent */
    struct metadata headers; /* the header block under way */
    bool has_response;       /* :status 200 and the right content-type were seen */
    struct buffer received;  /* framed messages that nobody has taken */
    size_t taken;            /* bytes at its front that were handed out */
    size_t unconsumed;       /* bytes that the server's window doesn't have back */
    bool is_over;            /* `result` is set */
    struct grpc_result result;
};

struct client_session_options {
    const char *authority;
    const char *user_agent;
    size_t message_max; /* 0: GRPC_MESSAGE_MAX */
};

/* The preface and SETTINGS wait in the output then. 0 or -ENOMEM. */
int client_session_new(const struct client_session_options *options, usec_t now,
                       struct client_session **ret);
/* Calls that aren't over become UNAVAILABLE with `why`. NULL is fine; returns NULL. */
struct client_session *client_session_free(struct client_session *session, const char *why);

/* Every call that isn't over ends so. */
void client_session_fail(struct client_session *session, enum grpc_status status, const char *why);

int client_session_receive(struct client_session *session, const void *data, size_t size,
                           usec_t now);
int client_session_produce(struct client_session *session, usec_t now);
/* Ends calls that are past their deadline. */
void client_session_tick(struct client_session *session, usec_t now);
void client_session_ping(struct client_session *session);

/* No new calls: GOAWAY, or broken. */
bool client_session_is_closing(const struct client_session *session);

/* As grpc_client_call_new(); `channel` may be NULL. */
int client_session_call(struct client_session *session, struct grpc_channel *channel,
                        const char *path, const void *request, size_t request_size,
                        const struct grpc_call_options *options, usec_t now,
                        struct grpc_client_call **ret);

/* Ends the call from here: the stream is reset with `error_code` unless the peer has ended it. */
void client_call_end(struct grpc_client_call *call, enum grpc_status status, const char *text,
                     uint32_t error_code);
