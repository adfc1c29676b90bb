/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A connection lives in turns: epoll or a timer queues it, its turn reads what there is (within a
 * budget), lets the session answer, writes as much as the socket takes, and sets one timer for
 * whatever it waits for next. Epoll is edge-triggered: `may_read` and `may_write` remember the
 * edges until a call says EAGAIN.
 *
 * The end is not a plain close: a close with unread bytes in the socket makes the kernel send a
 * reset that overtakes the alert or GOAWAY which says why. So the sending side is shut down, and
 * what comes in is dropped for a moment (THREATS T8).
 */
#include "grpc/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/state.h"
#include "grpc/bounds.h"
#include "grpc/identity.h"
#include "grpc/server-session.h"
#include "grpc/thread.h"
#include "grpc/tls.h"

enum connection_state {
    CONNECTION_HANDSHAKING,
    CONNECTION_OPEN,
    CONNECTION_ENDING,    /* no more is read; the rest goes out */
    CONNECTION_LINGERING, /* nothing goes out; what comes in is dropped */
    CONNECTION_GONE,
    _CONNECTION_STATE_MAX,
};

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
    size_t unsent;   /* encrypted bytes that waited after the last turn */
    size_t lingered; /* bytes dropped */
    usec_t began;    /* the present state */
    usec_t heard;    /* last byte from the peer */
    usec_t pinged;   /* 0: no PING is out */
    usec_t moved;    /* last byte that the socket took, or nothing was to be sent */
    usec_t idle;     /* since when no call is under way */
    usec_t expires;  /* its certificate; clock_boot() */
    usec_t drained;  /* when draining began; 0: it hasn't */
};

static void set_state(struct connection *connection, enum connection_state to)
{
    int r = state_move(&connection->state, to);

    assert(r == 0);
    (void)r;
    connection->began = clock_boot();
}

static bool is(const struct connection *connection, enum connection_state state)
{
    return connection->state.now == state;
}

static void report(struct connection *connection, const char *reason)
{
    const struct grpc_server_options *options = connection->host->options;

    if (options->handlers->connection_failed)
        options->handlers->connection_failed(connection->address, reason, options->arg);
}

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
    .refused = on_refused,
    .enter = on_enter,
    .leave = on_leave,
    .wake = on_wake,
};

/* ---- the end ---- */

/* Stops speaking; the alert or GOAWAY is on its way. */
static void linger(struct connection *connection)
{
    set_state(connection, CONNECTION_LINGERING);
    if (shutdown(connection->fd, SHUT_WR) < 0) /* the peer is gone */
        set_state(connection, CONNECTION_GONE);
}

static void turn_lingering(struct connection *connection)
{
    uint8_t *buffer = thread_read_buffer(connection->host->thread);
    ssize_t n;

    while (connection->lingered < GRPC_LINGER_BYTES) {
        n = recv(connection->fd, buffer, THREAD_READ_SIZE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break;
        connection->lingered += (size_t)n;
    }
    set_state(connection, CONNECTION_GONE);
}

static bool has_output(const struct connection *connection)
{
    return buffer_size(&connection->session->http2.out) > 0 ||
           tls_session_unsent(connection->tls_session) > 0;
}

/* ---- writing ---- */

/* One round: some plaintext into TLS. False: nothing to write, or nothing can be written. */
static bool write_some(struct connection *connection, size_t *budget)
{
    struct buffer *out = &connection->session->http2.out;
    ssize_t n;

    if (buffer_size(out) == 0 &&
        (server_session_produce(connection->session, clock_boot()) < 0 || buffer_size(out) == 0))
        return false;
    if (!connection->may_write)
        return false;
    n = tls_session_write(connection->tls_session, buffer_bytes(out), buffer_size(out), NULL);
    if (n == -EAGAIN) {
        connection->may_write = false;
        return false;
    }
    if (n <= 0) {
        set_state(connection, CONNECTION_GONE);
        return false;
    }
    buffer_consume(out, (size_t)n);
    *budget -= MIN(*budget, (size_t)n);
    connection->moved = connection->session->http2.now;
    return true;
}

static void flush(struct connection *connection)
{
    int r = connection->may_write ? tls_session_flush(connection->tls_session, NULL) : -EAGAIN;
    size_t unsent = tls_session_unsent(connection->tls_session);

    if (r == -EAGAIN)
        connection->may_write = connection->may_write && unsent == 0;
    else if (r < 0) {
        set_state(connection, CONNECTION_GONE);
        return;
    }
    if (unsent < connection->unsent || !has_output(connection))
        connection->moved = clock_boot();
    connection->unsent = unsent;
}

/* Keeps the output's memory only while there are calls that use it. */
static void release_output(struct connection *connection)
{
    if (connection->session->call_count == 0 && buffer_size(&connection->session->http2.out) == 0)
        buffer_done(&connection->session->http2.out);
}

static void write_all(struct connection *connection)
{
    size_t budget = GRPC_TURN_WRITE_BYTES;

    while (budget > 0 && write_some(connection, &budget))
        ;
    if (is(connection, CONNECTION_GONE))
        return;
    flush(connection);
    if (is(connection, CONNECTION_GONE))
        return;
    if (budget == 0)
        thread_queue(connection->host->thread, &connection->task);
    release_output(connection);
}

/* ---- open ---- */

/* What TLS says when nothing more will come. */
static void read_failed(struct connection *connection, ssize_t n, const struct error *err)
{
    if (n < 0 && n != -ECONNRESET)
        report(connection, err->text);
    set_state(connection, CONNECTION_GONE);
}

static void take_input(struct connection *connection, const uint8_t *data, size_t size)
{
    usec_t now = clock_boot();

    connection->heard = now;
    connection->pinged = 0;
    if (server_session_receive(connection->session, data, size, now) == 0)
        return;
    report(connection,
           connection->session->http2.failure ? connection->session->http2.failure : "no memory");
    set_state(connection, CONNECTION_ENDING);
}

static void read_all(struct connection *connection)
{
    uint8_t *buffer = thread_read_buffer(connection->host->thread);
    size_t budget = GRPC_TURN_READ_BYTES;
    struct error err;
    ssize_t n;

    while (is(connection, CONNECTION_OPEN) && connection->may_read &&
           http2_wants_input(&connection->session->http2)) {
        if (budget == 0) {
            thread_queue(connection->host->thread, &connection->task);
            return;
        }
        n = tls_session_read(connection->tls_session, buffer, THREAD_READ_SIZE, &err);
        if (n == -EAGAIN)
            connection->may_read = false;
        else if (n <= 0)
            read_failed(connection, n, &err);
        else {
            budget -= MIN(budget, (size_t)n);
            take_input(connection, buffer, (size_t)n);
        }
    }
}

static void turn_open(struct connection *connection)
{
    bool was_full = !http2_wants_input(&connection->session->http2);

    read_all(connection);
    if (is(connection, CONNECTION_GONE))
        return;
    write_all(connection);
    if (is(connection, CONNECTION_GONE))
        return;
    if (connection->may_read && was_full && http2_wants_input(&connection->session->http2))
        thread_queue(connection->host->thread, &connection->task);
    if (is(connection, CONNECTION_OPEN) && http2_is_done(&connection->session->http2))
        set_state(connection, CONNECTION_ENDING);
}

static void turn_ending(struct connection *connection)
{
    write_all(connection);
    if (is(connection, CONNECTION_GONE) || has_output(connection))
        return;
    tls_session_close(connection->tls_session);
    linger(connection);
}

/* ---- handshake ---- */

/* Whoever has no valid name is told so by every call, since TLS has no words for it. */
static void identify(struct connection *connection)
{
    int r =
        identity_from_session(connection->tls_session, &connection->identity, &connection->refusal);

    if (r == 0) {
        r = peers_authenticate(connection->host->peers, connection->identity.principal,
                               &connection->charge);
        connection->peer.identity = &connection->identity;
        if (r < 0)
            error_set(&connection->refusal, r, "too many connections of %s",
                      connection->identity.principal);
    }
    if (r < 0)
        report(connection, connection->refusal.text);
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
    connection->heard = connection->moved = connection->idle = clock_boot();
    return server_session_new(&session, connection->heard, &connection->session);
}

static void turn_handshaking(struct connection *connection)
{
    struct error err;
    int r = tls_session_handshake(connection->tls_session, &err);

    if (r == -EAGAIN)
        return;
    if (r < 0) {
        report(connection, err.text);
        linger(connection);
        return;
    }
    if (open_session(connection) < 0) {
        set_state(connection, CONNECTION_GONE);
        return;
    }
    set_state(connection, CONNECTION_OPEN);
    if (connection->host->is_draining)
        connection_drain(connection);
    turn_open(connection);
}

/* ---- time ---- */

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
    else if (connection->refusal.code < 0 && now >= plus(connection->began, GRPC_PREFACE_TIME))
        reason = "a peer without a right to be here stayed";
    else if (now >= connection->expires)
        reason = "the client's certificate has expired";
    else if (has_output(connection) && now >= plus(connection->moved, GRPC_STALL_TIME))
        reason = "the peer doesn't read";
    else if (connection->pinged && now >= plus(connection->pinged, GRPC_KEEPALIVE_WAIT))
        reason = "the peer doesn't answer";
    else if (connection->host->is_draining && now >= connection->host->drain_deadline)
        reason = "it didn't end before the shutdown did";
    if (!reason)
        return false;
    connection_cut(connection, reason);
    return true;
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
}

static void tick(struct connection *connection)
{
    usec_t now = clock_boot();

    if (is(connection, CONNECTION_OPEN)) {
        if (tick_open(connection, now))
            return;
        keep_alive(connection, now);
        server_session_tick(connection->session, now);
    } else if (is(connection, CONNECTION_HANDSHAKING) &&
               now >= plus(connection->began, GRPC_HANDSHAKE_TIME)) {
        report(connection, "the TLS handshake took too long");
        set_state(connection, CONNECTION_GONE);
    } else if (is(connection, CONNECTION_ENDING) &&
               now >= plus(connection->moved, GRPC_LINGER_TIME)) {
        set_state(connection, CONNECTION_GONE);
    } else if (is(connection, CONNECTION_LINGERING) &&
               now >= plus(connection->began, GRPC_LINGER_TIME)) {
        set_state(connection, CONNECTION_GONE);
    }
}

static usec_t next_tick_open(const struct connection *connection)
{
    const struct server_session *session = connection->session;
    usec_t next = MIN(connection->expires, session->next_deadline);

    if (!session->heard_settings || connection->refusal.code < 0)
        next = MIN(next, plus(connection->began, GRPC_PREFACE_TIME));
    if (has_output(connection))
        next = MIN(next, plus(connection->moved, GRPC_STALL_TIME));
    if (session->call_count == 0)
        next = MIN(next, plus(connection->idle, GRPC_IDLE_TIME));
    else if (connection->pinged)
        next = MIN(next, plus(connection->pinged, GRPC_KEEPALIVE_WAIT));
    else
        next = MIN(next, plus(connection->heard, GRPC_KEEPALIVE_TIME));
    if (connection->host->is_draining)
        next = MIN(next, connection->host->drain_deadline);
    if (connection->drained && !session->is_drained)
        next = MIN(next, plus(connection->drained, GRPC_DRAIN_NOTICE));
    return next;
}

static usec_t next_tick(const struct connection *connection)
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

/* ---- turns ---- */

static void turn(struct thread_task *task)
{
    struct connection *connection =
        (struct connection *)((char *)task - offsetof(struct connection, task));

    tick(connection);
    if (is(connection, CONNECTION_HANDSHAKING))
        turn_handshaking(connection);
    else if (is(connection, CONNECTION_OPEN))
        turn_open(connection);
    if (is(connection, CONNECTION_ENDING))
        turn_ending(connection);
    if (is(connection, CONNECTION_LINGERING))
        turn_lingering(connection);
    if (is(connection, CONNECTION_GONE))
        connection_free(connection);
    else
        grpc_timer_set(connection->timer, next_tick(connection));
}

static void on_event(int fd, uint32_t events, void *arg)
{
    struct connection *connection = arg;

    (void)fd;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->may_read = true;
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
    if (is(connection, CONNECTION_OPEN)) /* the server ends */
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
    if (is(connection, CONNECTION_HANDSHAKING))
        set_state(connection, CONNECTION_GONE);
    else if (is(connection, CONNECTION_OPEN) && !connection->drained) {
        connection->drained = clock_boot();
        server_session_drain_begin(connection->session);
    }
    thread_queue(connection->host->thread, &connection->task);
}

void connection_cut(struct connection *connection, const char *reason)
{
    if (!is(connection, CONNECTION_OPEN))
        return;
    if (reason)
        report(connection, reason);
    connection->session->is_cut = true;
    http2_refuse(&connection->session->http2, NGHTTP2_NO_ERROR, reason);
    connection->moved = clock_boot(); /* GOAWAY has a moment to get out */
    set_state(connection, CONNECTION_ENDING);
    thread_queue(connection->host->thread, &connection->task);
}

const struct grpc_peer *connection_peer(const struct connection *connection)
{
    return connection->peer.identity ? &connection->peer : NULL;
}

struct connection *connection_next(struct connection *connection)
{
    return LIST_NEXT(connection, siblings);
}
