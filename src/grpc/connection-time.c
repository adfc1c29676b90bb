/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Everything that a connection waits for has an end (THREATS N7): one timer for all of them, set to
 * the earliest.
 */
#include <errno.h>

#include "grpc/bounds.h"
#include "grpc/connection-internal.h"

static usec_t plus(usec_t moment, usec_t more)
{
    return moment > USEC_INFINITY - more ? USEC_INFINITY : moment + more;
}

/* Something is overdue: true when that ended it. */
static bool tick_open(struct connection *connection, usec_t now)
{
    struct server_session *session = connection->session;
    const char *reason = NULL;

    if (!session->heard_settings && now >= plus(connection->began, GRPC_PREFACE_TIME))
        reason = "no HTTP/2 after the handshake";
    else if (connection->refusal.code < 0 && now >= plus(connection->refused, GRPC_PREFACE_TIME))
        reason = "a peer without a right to be here stayed";
    else if (connection_has_output(connection) && now >= plus(connection->moved, GRPC_STALL_TIME))
        reason = "the peer doesn't read";
    else if (connection->pinged && now >= plus(connection->pinged, GRPC_KEEPALIVE_WAIT))
        reason = "the peer doesn't answer";
    else if (connection->host->is_draining &&
             now >= plus(connection->host->drain_deadline, GRPC_DRAIN_CUT))
        reason = "it didn't end before the shutdown did";
    if (!reason)
        return false;
    connection_cut(connection, reason);
    return true;
}

static void check_expiry(struct connection *connection, usec_t now)
{
    const struct error why = {.code = -EKEYREJECTED,
                              .text = "the client's certificate has expired"};

    if (connection->refusal.code == 0 && now >= connection->expires)
        connection_expel(connection, &why);
}

static void keep_alive(struct connection *connection, usec_t now)
{
    struct server_session *session = connection->session;

    if (session->call_count > 0 && !connection->pinged &&
        now >= plus(connection->heard, GRPC_KEEPALIVE_TIME)) {
        server_session_ping(session);
        connection->pinged = now;
    }
    if (session->call_count == 0 && now >= plus(connection->idle, GRPC_IDLE_TIME))
        server_session_drain_finish(session);
    if (connection->drained && now >= plus(connection->drained, GRPC_DRAIN_NOTICE))
        server_session_drain_finish(session);
    if (connection->drained && !connection->drain_over && now >= connection->host->drain_deadline) {
        connection->drain_over = true;
        server_session_drain_end(session, now);
    }
}

static usec_t next_tick_open(const struct connection *connection)
{
    const struct server_session *session = connection->session;
    usec_t next = session->next_deadline;

    if (!session->heard_settings)
        next = MIN(next, plus(connection->began, GRPC_PREFACE_TIME));
    if (connection->refusal.code < 0)
        next = MIN(next, plus(connection->refused, GRPC_PREFACE_TIME));
    else
        next = MIN(next, connection->expires);
    if (connection_has_output(connection))
        next = MIN(next, plus(connection->moved, GRPC_STALL_TIME));
    if (session->call_count == 0)
        next = MIN(next, plus(connection->idle, GRPC_IDLE_TIME));
    else if (connection->pinged)
        next = MIN(next, plus(connection->pinged, GRPC_KEEPALIVE_WAIT));
    else
        next = MIN(next, plus(connection->heard, GRPC_KEEPALIVE_TIME));
    if (connection->host->is_draining)
        next = MIN(next, connection->drain_over
                             ? plus(connection->host->drain_deadline, GRPC_DRAIN_CUT)
                             : connection->host->drain_deadline);
    if (connection->drained && !session->is_drained)
        next = MIN(next, plus(connection->drained, GRPC_DRAIN_NOTICE));
    return next;
}

usec_t connection_next_tick(const struct connection *connection)
{
    switch ((enum connection_state)connection->state.now) {
    case CONNECTION_HANDSHAKING:
        return plus(connection->began, GRPC_HANDSHAKE_TIME);
    case CONNECTION_OPEN:
        return next_tick_open(connection);
    case CONNECTION_ENDING:
        return plus(connection->moved, GRPC_LINGER_TIME);
    case CONNECTION_LINGERING:
        return plus(connection->began, GRPC_LINGER_TIME);
    case CONNECTION_GONE:
    case _CONNECTION_STATE_MAX:
        break;
    }
    return USEC_INFINITY;
}

void connection_tick(struct connection *connection)
{
    usec_t now = clock_boot();

    if (connection_is(connection, CONNECTION_OPEN)) {
        if (tick_open(connection, now))
            return;
        check_expiry(connection, now);
        keep_alive(connection, now);
        server_session_tick(connection->session, now);
        return;
    }
    if (now < connection_next_tick(connection))
        return;
    if (connection_is(connection, CONNECTION_HANDSHAKING))
        connection_report(connection, "the TLS handshake took too long");
    connection_set_state(connection, CONNECTION_GONE);
}
