/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A connection's bytes: socket, TLS, session and back.
 */
#include <errno.h>
#include <sys/socket.h>

#include "grpc/bounds.h"
#include "grpc/connection-internal.h"

bool connection_has_output(const struct connection *connection)
{
    return buffer_size(&connection->session->http2.out) > 0 ||
           tls_session_unsent(connection->tls_session) > 0;
}

/* ---- writing ---- */

/* As much as makes whole records, or what there is when it makes none. */
static size_t whole_records(size_t size)
{
    return size < TLS_RECORD_SIZE ? size : size - size % TLS_RECORD_SIZE;
}

/* One round: some plaintext into TLS. False: nothing to write, or nothing can be written. */
static bool write_some(struct connection *connection, size_t *budget)
{
    struct buffer *out = &connection->session->http2.out;
    ssize_t n;

    /* What doesn't fill a record waits for what follows at once, if anything does. */
    if (buffer_size(out) < TLS_RECORD_SIZE &&
        server_session_produce(connection->session, clock_boot()) < 0) {
        connection_set_state(connection, CONNECTION_GONE);
        return false;
    }
    if (buffer_size(out) == 0 || !connection->may_write)
        return false;
    n = tls_session_write(connection->tls_session, buffer_bytes(out),
                          whole_records(buffer_size(out)), NULL);
    if (n == -EAGAIN) {
        connection->may_write = false;
        return false;
    }
    if (n <= 0) {
        connection_set_state(connection, CONNECTION_GONE);
        return false;
    }
    buffer_consume(out, (size_t)n);
    *budget -= MIN(*budget, (size_t)n);
    connection->moved = connection->session->http2.now;
    return true;
}

/* Whatever wants to be written is written before it is flushed; asking costs less than looking. */
static bool has_more(const struct connection *connection)
{
    return buffer_size(&connection->session->http2.out) > 0 ||
           nghttp2_session_want_write(connection->session->http2.session);
}

static void flush(struct connection *connection)
{
    int r = connection->may_write ? tls_session_flush(connection->tls_session, NULL) : -EAGAIN;
    size_t unsent = tls_session_unsent(connection->tls_session);

    if (r == -EAGAIN)
        connection->may_write = connection->may_write && unsent == 0;
    else if (r < 0) {
        connection_set_state(connection, CONNECTION_GONE);
        return;
    }
    if (unsent < connection->unsent || !connection_has_output(connection))
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

    while (budget > 0 && write_some(connection, &budget) && has_more(connection))
        ;
    if (connection_is(connection, CONNECTION_GONE))
        return;
    flush(connection);
    if (connection_is(connection, CONNECTION_GONE))
        return;
    if (budget == 0)
        thread_queue(connection->host->thread, &connection->task);
    release_output(connection);
}

/* ---- reading ---- */

/* What TLS says when nothing more will come. */
static void read_failed(struct connection *connection, ssize_t n, const struct error *err)
{
    if (n < 0 && n != -ECONNRESET)
        connection_report(connection, err->text);
    connection_set_state(connection, CONNECTION_GONE);
}

static void take_input(struct connection *connection, const uint8_t *data, size_t size)
{
    usec_t now = clock_boot();

    connection->heard = now;
    connection->pinged = 0;
    if (server_session_receive(connection->session, data, size, now) == 0)
        return;
    connection_report(connection, connection->session->http2.failure
                                      ? connection->session->http2.failure
                                      : "no memory");
    connection_set_state(connection, CONNECTION_ENDING);
}

static void read_all(struct connection *connection)
{
    uint8_t *buffer = thread_read_buffer(connection->host->thread);
    size_t budget = GRPC_TURN_READ_BYTES;
    struct error err;
    ssize_t n;

    while (connection_is(connection, CONNECTION_OPEN) && connection->may_read &&
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
            connection->may_read =
                connection->has_hung_up || !tls_session_is_drained(connection->tls_session);
        }
    }
}

void connection_turn_open(struct connection *connection)
{
    read_all(connection);
    if (connection_is(connection, CONNECTION_GONE))
        return;
    write_all(connection);
    if (connection_is(connection, CONNECTION_GONE))
        return;
    /* Reading stopped for lack of room in the output, which there is now. */
    if (connection->may_read && http2_wants_input(&connection->session->http2))
        thread_queue(connection->host->thread, &connection->task);
    if (connection_is(connection, CONNECTION_OPEN) && http2_is_done(&connection->session->http2))
        connection_set_state(connection, CONNECTION_ENDING);
}

/* ---- the end ---- */

void connection_linger(struct connection *connection)
{
    connection_set_state(connection, CONNECTION_LINGERING);
    if (shutdown(connection->fd, SHUT_WR) < 0) /* the peer is gone */
        connection_set_state(connection, CONNECTION_GONE);
}

void connection_turn_lingering(struct connection *connection)
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
    connection_set_state(connection, CONNECTION_GONE);
}

void connection_turn_ending(struct connection *connection)
{
    write_all(connection);
    if (connection_is(connection, CONNECTION_GONE) || connection_has_output(connection))
        return;
    tls_session_close(connection->tls_session);
    connection_linger(connection);
}
