/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the handshake to the session: who it is, and what that lets it do.
 */
#include <errno.h>
#include <stdio.h>

#include "grpc/bounds.h"
#include "grpc/connection-internal.h"

/* ---- what the session asks of its owner ---- */

static void on_request(struct grpc_call *call, const void *message, size_t size, void *arg)
{
    struct connection *connection = arg;
    const struct grpc_server_options *options = connection->host->options;

    options->handlers->request(call, message, size, options->arg);
}

static void on_closed(struct grpc_call *call, const struct grpc_outcome *outcome, void *arg)
{
    struct connection *connection = arg;
    const struct grpc_server_options *options = connection->host->options;

    if (options->handlers->closed)
        options->handlers->closed(call, outcome, options->arg);
}

static void on_draining(struct grpc_call *call, void *arg)
{
    struct connection *connection = arg;
    const struct grpc_server_options *options = connection->host->options;

    if (options->handlers->draining)
        options->handlers->draining(call, options->arg);
}

static void on_refused(struct server_session *session, const char *path,
                       const struct grpc_outcome *outcome, void *arg)
{
    struct connection *connection = arg;
    const struct grpc_server_options *options = connection->host->options;
    char cut[256];

    (void)session;
    snprintf(cut, sizeof(cut), "%s", path);
    if (options->handlers->refused)
        options->handlers->refused(connection->peer.identity, connection->address, cut, outcome,
                                   options->arg);
}

static void on_describe(enum grpc_refusal refusal, const char *text, struct buffer *details,
                        void *arg)
{
    struct connection *connection = arg;
    const struct grpc_server_options *options = connection->host->options;

    if (options->handlers->describe)
        options->handlers->describe(refusal, text, details, options->arg);
}

static bool on_enter(void *arg)
{
    struct connection *connection = arg;

    if (!peers_begin_stream(connection->host->peers, &connection->charge))
        return false;
    atomic_fetch_add_explicit(&connection->host->streams, 1, memory_order_relaxed);
    return true;
}

static void on_leave(void *arg)
{
    struct connection *connection = arg;

    peers_end_stream(connection->host->peers, &connection->charge);
    atomic_fetch_sub_explicit(&connection->host->streams, 1, memory_order_relaxed);
    connection->idle = clock_boot();
}

static void on_wake(void *arg)
{
    struct connection *connection = arg;

    thread_queue(connection->host->thread, &connection->task);
}

static const struct server_session_ops session_ops = {
    .request = on_request,
    .closed = on_closed,
    .draining = on_draining,
    .refused = on_refused,
    .describe = on_describe,
    .enter = on_enter,
    .leave = on_leave,
    .wake = on_wake,
};

/* ---- handshake ---- */

/* Whoever has no valid name is told so by every call, since TLS has no words for it. */
static void identify(struct connection *connection)
{
    int r =
        identity_from_session(connection->tls_session, &connection->identity, &connection->refusal);

    /* The certificates may have been replaced during the handshake. */
    if (r == 0)
        r = connection_check_peer(connection, &connection->refusal);
    if (r == 0) {
        r = peers_authenticate(connection->host->peers, connection->identity.principal,
                               &connection->charge);
        connection->peer.identity = &connection->identity;
        if (r < 0)
            error_set(&connection->refusal, r, "too many connections of %s",
                      connection->identity.principal);
    }
    if (r < 0)
        connection_report(connection, connection->refusal.text);
}

static usec_t boot_from_wall(usec_t wall)
{
    usec_t now = clock_wall();

    if (wall == USEC_INFINITY)
        return USEC_INFINITY;
    return clock_boot() + (wall > now ? wall - now : 0);
}

static int open_session(struct connection *connection)
{
    const struct grpc_server_options *options = connection->host->options;
    struct server_session_options session = {
        .methods = options->methods,
        .method_count = options->method_count,
        .message_max = options->limits.message_bytes,
        .ops = &session_ops,
        .arg = connection,
        .peer = &connection->peer,
        .thread = connection->host->thread,
    };

    connection->refusal = (struct error){0};
    identify(connection);
    if (connection->refusal.code < 0) {
        session.refusal = connection->peer.identity ? GRPC_STATUS_RESOURCE_EXHAUSTED
                                                    : GRPC_STATUS_UNAUTHENTICATED;
        session.refusal_text = connection->refusal.text;
    }
    connection->expires = boot_from_wall(tls_session_peer_not_after(connection->tls_session));
    connection->heard = connection->moved = connection->idle = connection->refused = clock_boot();
    return server_session_new(&session, connection->heard, &connection->session);
}

void connection_turn_handshaking(struct connection *connection)
{
    struct error err;
    int r = tls_session_handshake(connection->tls_session, &err);

    if (r == -EAGAIN)
        return;
    if (r < 0) {
        connection_report(connection, err.text);
        connection_linger(connection);
        return;
    }
    if (open_session(connection) < 0) {
        connection_set_state(connection, CONNECTION_GONE);
        return;
    }
    connection_set_state(connection, CONNECTION_OPEN);
    if (connection->host->is_draining)
        connection_drain(connection);
    connection_turn_open(connection);
}
