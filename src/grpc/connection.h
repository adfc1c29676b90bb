/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "grpc/peers.h"
#include "grpc/server.h"

/*
 * One accepted connection: its socket, TLS, HTTP/2 session and timers, on the thread that it was
 * given to.
 */

struct connection;
struct tls_context;

#define CONNECTION_ADDRESS_MAX 64

LIST_HEAD(connection_list, connection);

/* What the connections of one thread share. */
struct connection_host {
    struct grpc_thread *thread;
    const struct grpc_server_options *options; /* borrowed, of the server */
    struct peers *peers;
    struct connection_list connections;
    struct tls_context *tls; /* counted; by which peers are judged anew; NULL: as they came */
    atomic_uint streams;     /* read by the accept thread to find the least busy thread */
    atomic_uint connection_count;
    bool is_draining; /* newcomers are told at once */
    usec_t drain_deadline;
    void (*emptied)(void *arg); /* the last connection of a closed server has gone */
    void *emptied_arg;
};

/*
 * Any thread: makes one of `fd` (taken on success), not yet at work. `address` is "127.0.0.1:4711".
 * Takes the charge on success. NULL: no memory.
 */
struct connection *connection_new(struct connection_host *host, int fd, const char *address,
                                  struct tls_context *tls, struct peers_charge *charge);

/* The host's thread, once: begins the handshake. It frees itself when it is over. */
void connection_start(struct connection *connection);

/* Closes and frees; calls under way get their closed(). Returns NULL; NULL is fine. */
struct connection *connection_free(struct connection *connection);

/* Host's thread: GOAWAY; what is under way may end until the host's deadline. */
void connection_drain(struct connection *connection);

/* Host's thread: GOAWAY and end now. `reason` is static, for the log; NULL: not worth one. */
void connection_cut(struct connection *connection, const char *reason);

/* Host's thread: is the peer still welcome by the host's `tls`? If not its calls end as
 * UNAUTHENTICATED with the reason, which is logged too, and GOAWAY is the last that it hears. */
void connection_judge(struct connection *connection);

/* For walking host->connections; another one may be freed meanwhile, this one not. */
struct connection *connection_next(struct connection *connection);
