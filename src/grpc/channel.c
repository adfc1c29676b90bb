/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Moves bytes between the socket, TLS and the session, and waits. poll(2) only: the client runs on
 * other systems too.
 */
#include "grpc/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "grpc/bounds.h"
#include "grpc/channel-internal.h"

struct grpc_channel *grpc_channel_free(struct grpc_channel *channel)
{
    if (!channel)
        return NULL;
    channel->session = client_session_free(channel->session, "the connection was closed here");
    if (channel->tls_session)
        tls_session_close(channel->tls_session);
    channel->tls_session = tls_session_free(channel->tls_session);
    channel->tls = tls_context_unref(channel->tls);
    channel->fd = fd_close(channel->fd);
    free(channel);
    return NULL;
}

/* ---- moving ---- */

/* Once and for all: every call gets its result. */
static void die(struct grpc_channel *channel, int code, const char *text)
{
    if (channel->is_dead)
        return;
    channel->is_dead = true;
    (void)error_set(&channel->failure, code, "%s", text);
    channel->session->closed_why = channel->failure.text;
    client_session_fail(channel->session, GRPC_STATUS_UNAVAILABLE, channel->failure.text);
}

static void die_of_read(struct grpc_channel *channel, ssize_t n, const struct error *err)
{
    if (n == 0 || n == -ECONNRESET)
        die(channel, -ECONNRESET, "the server closed the connection");
    else
        die(channel, (int)n, err->text);
}

static void die_of_session(struct grpc_channel *channel)
{
    const char *failure = channel->session->http2.failure;

    die(channel, -EPROTO, failure ? failure : "the server broke the rules of HTTP/2");
}

/* Reads what is there, up to a turn's worth. */
static void receive(struct grpc_channel *channel)
{
    size_t budget = CHANNEL_TURN_BYTES;
    uint8_t *data = channel->read_buffer;
    struct error err;

    channel->has_more = false;
    while (!channel->is_dead && budget > 0 && http2_wants_input(&channel->session->http2)) {
        ssize_t n = tls_session_read(channel->tls_session, data, CHANNEL_READ_SIZE, &err);

        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            die_of_read(channel, n, &err);
            return;
        }
        budget -= MIN(budget, (size_t)n);
        channel->heard = clock_boot();
        channel->pinged = 0;
        if (client_session_receive(channel->session, data, (size_t)n, channel->heard) < 0)
            die_of_session(channel);
        else if (tls_session_is_drained(channel->tls_session))
            return;
    }
    channel->has_more = budget == 0;
}

static bool wants_to_write(const struct grpc_channel *channel)
{
    return buffer_size(&channel->session->http2.out) > 0 ||
           tls_session_unsent(channel->tls_session) > 0 ||
           nghttp2_session_want_write(channel->session->http2.session);
}

/* A failed write is left to the next read, which may bring the alert that says why. */
static void send_all(struct grpc_channel *channel)
{
    struct buffer *out = &channel->session->http2.out;

    for (;;) {
        ssize_t n;

        if (buffer_size(out) == 0 && client_session_produce(channel->session, clock_boot()) < 0) {
            die(channel, -ENOMEM, "no memory");
            return;
        }
        if (buffer_size(out) == 0)
            break;
        n = tls_session_write(channel->tls_session, buffer_bytes(out), buffer_size(out), NULL);
        if (n <= 0)
            return;
        buffer_consume(out, (size_t)n);
    }
    (void)tls_session_flush(channel->tls_session, NULL);
}

static void keep_alive(struct grpc_channel *channel)
{
    usec_t now = clock_boot();

    client_session_tick(channel->session, now);
    if (channel->keepalive == USEC_INFINITY)
        return;
    if (channel->pinged && now >= channel->pinged + channel->keepalive_timeout)
        die(channel, -ETIMEDOUT, "the server doesn't answer any more");
    else if (!channel->pinged && now >= channel->heard + channel->keepalive) {
        client_session_ping(channel->session);
        channel->pinged = now;
    }
}

int grpc_channel_dispatch(struct grpc_channel *channel, struct error *err)
{
    /* Reading comes first: who follows a live job waits for nothing else. */
    if (!channel->is_dead)
        receive(channel);
    if (!channel->is_dead)
        keep_alive(channel);
    if (!channel->is_dead && wants_to_write(channel))
        send_all(channel);
    if (!channel->is_dead && http2_is_done(&channel->session->http2))
        die(channel, -ECONNRESET, "the server closed the connection");
    return channel->is_dead ? error_set(err, channel->failure.code, "%s", channel->failure.text)
                            : 0;
}

/* ---- waiting ---- */

int grpc_channel_fd(const struct grpc_channel *channel)
{
    return channel->fd;
}

short grpc_channel_events(const struct grpc_channel *channel)
{
    return (short)((http2_wants_input(&channel->session->http2) ? POLLIN : 0) |
                   (wants_to_write(channel) ? POLLOUT : 0));
}

usec_t grpc_channel_timeout(const struct grpc_channel *channel)
{
    usec_t next = channel->session->next_deadline;

    if (channel->has_more || channel->is_dead)
        return 0;
    if (channel->keepalive == USEC_INFINITY)
        return next;
    if (channel->pinged)
        return MIN(next, channel->pinged + channel->keepalive_timeout);
    return MIN(next, channel->heard + channel->keepalive);
}

static int poll_timeout(usec_t deadline)
{
    usec_t now, rest;

    if (deadline == USEC_INFINITY)
        return -1;
    now = clock_boot();
    if (deadline <= now)
        return 0;
    rest = (deadline - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    return (int)MIN(rest, (usec_t)INT32_MAX);
}

int channel_poll(int fd, short events, usec_t deadline, int interrupt_fd)
{
    struct pollfd fds[] = {
        {.fd = fd, .events = events},
        {.fd = interrupt_fd, .events = POLLIN}, /* FD_NONE is negative: ignored */
    };
    int r = poll(fds, ARRAY_SIZE(fds), poll_timeout(deadline));

    if (r < 0 && errno != EINTR)
        return -errno;
    if (r > 0 && fds[1].revents)
        return -EINTR;
    return r == 0 ? -ETIMEDOUT : 0; /* a signal handler ran: look again */
}

int grpc_channel_wait(struct grpc_channel *channel, usec_t deadline, int interrupt_fd,
                      struct error *err)
{
    usec_t timeout = grpc_channel_timeout(channel);
    int r = channel_poll(channel->fd, grpc_channel_events(channel), MIN(deadline, timeout),
                         interrupt_fd);

    if (r == -EINTR)
        return error_set(err, r, "interrupted");
    if (r < 0 && r != -ETIMEDOUT)
        return error_set(err, r, "poll: %s", strerror(-r));
    if (r == -ETIMEDOUT && deadline < timeout)
        return error_set(err, r, "nothing happened in time");
    return grpc_channel_dispatch(channel, err);
}

bool grpc_channel_is_closing(const struct grpc_channel *channel)
{
    return channel->is_dead || client_session_is_closing(channel->session);
}

/* ---- calls ---- */

int grpc_client_call_new(struct grpc_channel *channel, const char *path, const void *request,
                         size_t request_size, const struct grpc_call_options *options,
                         struct grpc_client_call **ret)
{
    int r = client_session_call(channel->session, channel, path, request, request_size, options,
                                clock_boot(), ret);

    if (r == 0 && !channel->is_dead)
        send_all(channel);
    return r;
}

int grpc_client_call_read(struct grpc_client_call *call, int interrupt_fd,
                          const uint8_t **ret_message, size_t *ret_size)
{
    for (;;) {
        int r = grpc_client_call_next(call, ret_message, ret_size);

        if (r != 0 || grpc_client_call_result(call))
            return r;
        r = grpc_channel_wait(call->channel, USEC_INFINITY, interrupt_fd, NULL);
        if (r == -EINTR)
            return r;
    }
}

/* Moves the one response message out, and makes sure that it is one. */
static int collect(struct grpc_client_call *call, int interrupt_fd, struct buffer *response,
                   unsigned *ret_count)
{
    const uint8_t *message;
    size_t size;
    int r;

    *ret_count = 0;
    while ((r = grpc_client_call_read(call, interrupt_fd, &message, &size)) == 1) {
        if (++*ret_count > 1) {
            grpc_client_call_cancel(call);
            return 0;
        }
        r = buffer_append(response, message, size);
        if (r < 0)
            return r;
    }
    return r;
}

int grpc_channel_unary(struct grpc_channel *channel, const char *path, const void *request,
                       size_t request_size, const struct grpc_call_options *options,
                       int interrupt_fd, struct buffer *response, struct grpc_result *ret_result)
{
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = NULL;
    _cleanup_buffer_ struct buffer message = {0};
    unsigned count;
    int r = grpc_client_call_new(channel, path, request, request_size, options, &call);

    if (r < 0)
        return r;
    r = collect(call, interrupt_fd, &message, &count);
    if (r < 0)
        return r;
    grpc_result_done(ret_result);
    if (count > 1)
        return grpc_result_set(ret_result, GRPC_STATUS_INTERNAL,
                               "the server answered with more than one message");
    if (call->result.status == GRPC_STATUS_OK && count == 0)
        return grpc_result_set(ret_result, GRPC_STATUS_INTERNAL,
                               "the server answered OK without a message");
    if (call->result.status == GRPC_STATUS_OK)
        r = buffer_append(response, buffer_bytes(&message), buffer_size(&message));
    if (r < 0)
        return r;
    *ret_result = call->result;
    call->result = (struct grpc_result){0};
    return 0;
}
