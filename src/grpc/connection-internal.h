/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"
#include "base/state.h"
#include "grpc/connection.h"
#include "grpc/identity.h"
#include "grpc/server-session.h"
#include "grpc/thread.h"
#include "grpc/tls.h"

/*
 * What the files of a connection share: connection.c (its life and turns), connection-io.c (bytes),
 * connection-time.c (what is overdue), connection-open.c (from the handshake to the session).
 */

enum connection_state {
    CONNECTION_HANDSHAKING,
    CONNECTION_OPEN,
    CONNECTION_ENDING,    /* no more is read; the rest goes out */
    CONNECTION_LINGERING, /* nothing goes out; what comes in is dropped */
    CONNECTION_GONE,
    _CONNECTION_STATE_MAX,
};

struct connection {
    LIST_ENTRY(connection) siblings; /* host->connections */
    struct connection_host *host;
    struct thread_task task;
    struct grpc_timer *timer;
    struct state_machine state;
    int fd;
    bool is_watched;
    char address[CONNECTION_ADDRESS_MAX];
    struct peers_charge charge;
    struct tls_context *tls; /* counted */
    struct tls_session *tls_session;
    struct server_session *session; /* since OPEN */
    struct identity identity;
    struct grpc_peer peer;
    struct error refusal; /* why it may call nothing; code 0: it may */

    bool may_read;
    bool may_write;
    bool has_hung_up; /* the peer sends no more: its end has to be read, and no event tells again */
    size_t unsent;    /* encrypted bytes that waited after the last turn */
    size_t lingered;  /* bytes dropped */
    usec_t began;     /* the present state */
    usec_t heard;     /* last byte from the peer */
    usec_t pinged;    /* 0: no PING is out */
    usec_t moved;     /* last byte that the socket took, or nothing was to be sent */
    usec_t idle;      /* since when no call is under way */
    usec_t expires;   /* its certificate; clock_boot() */
    usec_t refused;   /* since when it may call nothing, if `refusal` says so */
    usec_t drained;   /* when draining began; 0: it hasn't */
    bool drain_over;  /* its deadline has come: no call goes on */
};

/* The edge is legal or the caller has a bug. */
void connection_set_state(struct connection *connection, enum connection_state to);

static inline bool connection_is(const struct connection *connection, enum connection_state state)
{
    return connection->state.now == state;
}

/* 0, or why the peer is not welcome by the host's present certificates and lists. */
int connection_check_peer(const struct connection *connection, struct error *err);

/* What connection_judge() does to one who isn't. In OPEN; once. */
void connection_expel(struct connection *connection, const struct error *why);

/* Tells the handlers why a connection was refused or cut. */
void connection_report(struct connection *connection, const char *reason);

/* ---- connection-io.c ---- */

/* Bytes wait to be sent, before or behind TLS. */
bool connection_has_output(const struct connection *connection);

/* One turn of a connection in OPEN: reads, answers, writes. */
void connection_turn_open(struct connection *connection);
/* … in ENDING: writes the rest, says goodbye. */
void connection_turn_ending(struct connection *connection);
/* … in LINGERING: drops what comes. */
void connection_turn_lingering(struct connection *connection);

/* Stops speaking; the alert or GOAWAY is on its way. */
void connection_linger(struct connection *connection);

/* ---- connection-open.c ---- */

/* One turn in HANDSHAKING; it may be OPEN afterwards. */
void connection_turn_handshaking(struct connection *connection);

/* ---- connection-time.c ---- */

/* Carries out what is overdue. */
void connection_tick(struct connection *connection);
/* When something will be; clock_boot(). */
usec_t connection_next_tick(const struct connection *connection);
