/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A connection lives in turns: epoll or a timer queues it, its turn reads what there is (within a
 * budget), lets the session answer, writes as much as the socket takes, and sets one timer for
 * whatever it waits for next. Epoll is edge-triggered: `may_read` and `may_write` remember the
 * edges until a call says EAGAIN, or a read gets less than it asked for. The latter says nothing of
 * the stream's end, which may lie behind those bytes without an edge of its own: it is read for
 * once an edge has told of it.
 *
 * The end is not a plain close: a close with unread bytes in the socket makes the kernel send a
 * reset that overtakes the alert or GOAWAY which says why. So the sending side is shut down, and
 * what comes in is dropped for a moment (THREATS T8).
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "grpc/connection-internal.h"

static const struct state_rule connection_rules[] = {
    [CONNECTION_HANDSHAKING] = {"HANDSHAKING", STATE_BIT(CONNECTION_OPEN) |
                                                   STATE_BIT(CONNECTION_LINGERING) |
                                                   STATE_BIT(CONNECTION_GONE)},
    [CONNECTION_OPEN] = {"OPEN", STATE_BIT(CONNECTION_ENDING) | STATE_BIT(CONNECTION_GONE)},
    [CONNECTION_ENDING] = {"ENDING", STATE_BIT(CONNECTION_LINGERING) | STATE_BIT(CONNECTION_GONE)},
    [CONNECTION_LINGERING] = {"LINGERING", STATE_BIT(CONNECTION_GONE)},
    [CONNECTION_GONE] = {"GONE", 0},
};
_Static_assert(ARRAY_SIZE(connection_rules) == _CONNECTION_STATE_MAX, "a rule for each state");

void connection_set_state(struct connection *connection, enum connection_state to)
{
    int r = state_move(&connection->state, to);

    assert(r == 0);
    (void)r;
    connection->began = clock_boot();
}

void connection_report(struct connection *connection, const char *reason)
{
    const struct grpc_server_options *options = connection->host->options;

    if (options->handlers->connection_failed)
        options->handlers->connection_failed(connection->address, reason, options->arg);
}

/* ---- turns ---- */

static void turn(struct thread_task *task)
{
    struct connection *connection = (void *)((char *)task - offsetof(struct connection, task));

    connection_tick(connection);
    if (connection_is(connection, CONNECTION_HANDSHAKING))
        connection_turn_handshaking(connection);
    else if (connection_is(connection, CONNECTION_OPEN))
        connection_turn_open(connection);
    if (connection_is(connection, CONNECTION_ENDING))
        connection_turn_ending(connection);
    if (connection_is(connection, CONNECTION_LINGERING))
        connection_turn_lingering(connection);
    if (connection_is(connection, CONNECTION_GONE))
        connection_free(connection);
    else
        grpc_timer_set(connection->timer, connection_next_tick(connection));
}

static void on_event(int fd, uint32_t events, void *arg)
{
    struct connection *connection = arg;

    (void)fd;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->may_read = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->has_hung_up = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        connection->may_write = true;
    thread_queue(connection->host->thread, &connection->task);
}

static void on_timer(void *arg)
{
    struct connection *connection = arg;

    thread_queue(connection->host->thread, &connection->task);
}

/* ---- for the server ---- */

struct connection *connection_new(struct connection_host *host, int fd, const char *address,
                                  struct tls_context *tls, struct peers_charge *charge)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection)
        return NULL;
    connection->host = host;
    connection->task.run = turn;
    connection->fd = fd;
    snprintf(connection->address, sizeof(connection->address), "%s", address);
    connection->charge = *charge;
    *charge = (struct peers_charge){0};
    connection->tls = tls_context_ref(tls);
    state_init(&connection->state, connection_rules, ARRAY_SIZE(connection_rules),
               CONNECTION_HANDSHAKING, NULL, NULL);
    connection->began = clock_boot();
    atomic_fetch_add_explicit(&host->connection_count, 1, memory_order_relaxed);
    return connection;
}

void connection_start(struct connection *connection)
{
    struct grpc_thread *thread = connection->host->thread;

    LIST_INSERT_HEAD(&connection->host->connections, connection, siblings);
    connection->is_watched = true;
    connection->timer = grpc_timer_new(thread, on_timer, connection);
    if (!connection->timer ||
        tls_session_new_server(connection->tls, connection->fd, &connection->tls_session, NULL) <
            0 ||
        grpc_thread_add_fd(thread, connection->fd,
                           EPOLLIN | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET, on_event,
                           connection) < 0) {
        connection_free(connection);
        return;
    }
    connection->peer.session = connection->tls_session;
    connection->peer.address = connection->address;
    connection->may_read = connection->may_write = true;
    thread_queue(thread, &connection->task);
}

static void connection_unlink(struct connection *connection)
{
    struct grpc_thread *thread = connection->host->thread;

    if (!connection->is_watched)
        return;
    LIST_REMOVE(connection, siblings);
    thread_dequeue(thread, &connection->task);
    grpc_thread_remove_fd(thread, connection->fd);
    connection->timer = grpc_timer_free(connection->timer);
}

struct connection *connection_free(struct connection *connection)
{
    struct connection_host *host;

    if (!connection)
        return NULL;
    host = connection->host;
    if (connection_is(connection, CONNECTION_OPEN)) /* the server ends */
        connection->session->is_cut = true;
    connection->session = server_session_free(connection->session);
    connection_unlink(connection);
    connection->tls_session = tls_session_free(connection->tls_session);
    connection->tls = tls_context_unref(connection->tls);
    connection->fd = fd_close(connection->fd);
    atomic_fetch_sub_explicit(&host->connection_count, 1, memory_order_relaxed);
    if (peers_leave(host->peers, &connection->charge))
        host->emptied(host->emptied_arg);
    free(connection);
    return NULL;
}

void connection_drain(struct connection *connection)
{
    if (connection_is(connection, CONNECTION_HANDSHAKING))
        connection_set_state(connection, CONNECTION_GONE);
    else if (connection_is(connection, CONNECTION_OPEN) && !connection->drained) {
        connection->drained = clock_boot();
        server_session_drain_begin(connection->session);
    }
    thread_queue(connection->host->thread, &connection->task);
}

void connection_cut(struct connection *connection, const char *reason)
{
    if (!connection_is(connection, CONNECTION_OPEN))
        return;
    if (reason)
        connection_report(connection, reason);
    connection->session->is_cut = true;
    http2_refuse(&connection->session->http2, NGHTTP2_NO_ERROR, reason);
    connection->moved = clock_boot(); /* GOAWAY has a moment to get out */
    connection_set_state(connection, CONNECTION_ENDING);
    thread_queue(connection->host->thread, &connection->task);
}

int connection_check_peer(const struct connection *connection, struct error *err)
{
    const struct tls_context *tls = connection->host->tls;

    if (!tls || tls == connection->tls) /* its handshake was judged by it */
        return 0;
    return tls_session_check_peer(connection->tls_session, tls, err);
}

void connection_expel(struct connection *connection, const struct error *why)
{
    connection->refusal = *why;
    connection->refused = clock_boot();
    connection_report(connection, why->text);
    server_session_expel(connection->session, connection->refusal.text, connection->refused);
    thread_queue(connection->host->thread, &connection->task);
}

void connection_judge(struct connection *connection)
{
    struct error why;

    if (connection_is(connection, CONNECTION_OPEN) && connection->refusal.code == 0 &&
        connection_check_peer(connection, &why) < 0)
        connection_expel(connection, &why);
}

struct connection *connection_next(struct connection *connection)
{
    return LIST_NEXT(connection, siblings);
}
