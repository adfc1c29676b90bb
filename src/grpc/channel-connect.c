/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a name to a channel: addresses, TCP, TLS, the server's SETTINGS. Every step is bounded by
 * one deadline and can be interrupted; the name's resolution by getaddrinfo(3) can't, and has
 * time-outs of its own.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/strv.h"
#include "grpc/bounds.h"
#include "grpc/channel-internal.h"

#define CONNECT_TIME          (10 * USEC_PER_SEC)
#define KEEPALIVE_TIME        (30 * USEC_PER_SEC)
#define KEEPALIVE_ANSWER_TIME (10 * USEC_PER_SEC)

/* What the steps of one connect share. */
struct attempt {
    const struct grpc_channel_options *options;
    usec_t deadline;
    int interrupt_fd;
};

static int attempt_wait(const struct attempt *attempt, int fd, short events, const char *what,
                        struct error *err)
{
    int r = channel_poll(fd, events, attempt->deadline, attempt->interrupt_fd);

    if (r == -EINTR)
        return error_set(err, r, "interrupted");
    if (r == -ETIMEDOUT)
        return error_set(err, r, "%s port %u didn't answer in time (%s)", attempt->options->host,
                         attempt->options->port, what);
    return r < 0 ? error_set(err, r, "poll: %s", strerror(-r)) : 0;
}

/* ---- TCP ---- */

static int connect_error(const struct attempt *attempt, int r, struct error *err)
{
    return error_set(err, r, "can't connect to %s port %u: %s", attempt->options->host,
                     attempt->options->port, strerror(-r));
}

static int finish_connect(const struct attempt *attempt, int fd, struct error *err)
{
    int failure = 0, r;
    socklen_t size = sizeof(failure);

    r = attempt_wait(attempt, fd, POLLOUT, "connecting", err);
    if (r < 0)
        return r;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
        failure = errno;
    return failure ? connect_error(attempt, -failure, err) : 0;
}

static int connect_address(const struct attempt *attempt, const struct addrinfo *address,
                           int *ret_fd, struct error *err)
{
    _cleanup_close_ int fd =
        socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    int on = 1, r;

    if (fd < 0)
        return connect_error(attempt, -errno, err);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* slower without, no more */
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
        if (errno != EINPROGRESS && errno != EINTR)
            return connect_error(attempt, -errno, err);
        r = finish_connect(attempt, fd, err);
        if (r < 0)
            return r;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int resolve(const struct attempt *attempt, struct addrinfo **ret, struct error *err)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG,
    };
    char port[8];
    int r;

    snprintf(port, sizeof(port), "%u", attempt->options->port);
    r = getaddrinfo(attempt->options->host, port, &hints, ret);
    if (r == EAI_ADDRFAMILY || r == EAI_NONAME) { /* a literal ::1 on a host with IPv4 alone */
        struct addrinfo any = hints;

        any.ai_flags = AI_NUMERICSERV;
        r = getaddrinfo(attempt->options->host, port, &any, ret);
    }
    if (r == 0)
        return 0;
    return error_set(err, -ENOENT, "can't resolve the host \"%s\": %s", attempt->options->host,
                     gai_strerror(r));
}

/* The last address's error tells. */
static int connect_any(const struct attempt *attempt, int *ret_fd, struct error *err)
{
    struct addrinfo *addresses;
    int r = resolve(attempt, &addresses, err);

    if (r < 0)
        return r;
    r = error_set(err, -ENOENT, "the host \"%s\" has no address", attempt->options->host);
    for (struct addrinfo *address = addresses; address; address = address->ai_next) {
        r = connect_address(attempt, address, ret_fd, err);
        if (r == 0 || r == -EINTR || r == -ETIMEDOUT)
            break;
    }
    freeaddrinfo(addresses);
    return r;
}

/* ---- TLS and HTTP/2 ---- */

static short wanted_events(const struct tls_session *session)
{
    enum tls_want wants = tls_session_wants(session);

    return (short)((wants & TLS_WANT_READ ? POLLIN : 0) | (wants & TLS_WANT_WRITE ? POLLOUT : 0));
}

static int shake_hands(const struct attempt *attempt, struct grpc_channel *channel,
                       struct error *err)
{
    int r;

    while ((r = tls_session_handshake(channel->tls_session, err)) == -EAGAIN) {
        r = attempt_wait(attempt, channel->fd, wanted_events(channel->tls_session), "TLS handshake",
                         err);
        if (r < 0)
            break;
    }
    return r;
}

/* A server that refuses our certificate says so only now: TLS 1.3 has the client finish first. */
static int hear_settings(const struct attempt *attempt, struct grpc_channel *channel,
                         struct error *err)
{
    int r = 0;

    while (r == 0 && !channel->session->heard_settings) {
        r = grpc_channel_dispatch(channel, err);
        if (r == 0 && !channel->session->heard_settings)
            r = attempt_wait(attempt, channel->fd, grpc_channel_events(channel),
                             "waiting for HTTP/2 SETTINGS", err);
    }
    if (r == -EKEYREJECTED && err)
        err->code = -EACCES;
    return r == -EKEYREJECTED ? -EACCES : r;
}

static int open_session(struct grpc_channel *channel, const struct grpc_channel_options *options,
                        struct error *err)
{
    _cleanup_free_ char *authority =
        text_format(strchr(options->host, ':') ? "[%s]:%u" : "%s:%u", options->host, options->port);
    struct client_session_options session = {
        .authority = authority,
        .user_agent = options->user_agent ? options->user_agent : "hoist/" HOIST_VERSION,
        .message_max = options->message_bytes,
    };
    int r = authority ? client_session_new(&session, clock_boot(), &channel->session) : -ENOMEM;

    return r < 0 ? error_set(err, r, "no memory for the connection") : 0;
}

static usec_t or_default(usec_t value, usec_t otherwise)
{
    return value ? value : otherwise;
}

static struct grpc_channel *channel_new(const struct grpc_channel_options *options)
{
    struct grpc_channel *channel = calloc(1, sizeof(*channel));

    if (!channel)
        return NULL;
    channel->fd = FD_NONE;
    channel->tls = tls_context_ref(options->tls);
    channel->keepalive = or_default(options->keepalive, KEEPALIVE_TIME);
    channel->keepalive_timeout = or_default(options->keepalive_timeout, KEEPALIVE_ANSWER_TIME);
    channel->heard = clock_boot();
    return channel;
}

static int channel_open(const struct attempt *attempt, struct grpc_channel *channel,
                        struct error *err)
{
    const struct grpc_channel_options *options = attempt->options;
    const char *name = options->server_name ? options->server_name : options->host;
    int r = connect_any(attempt, &channel->fd, err);

    if (r < 0)
        return r;
    r = tls_session_new_client(channel->tls, channel->fd, name, &channel->tls_session, err);
    if (r == 0)
        r = shake_hands(attempt, channel, err);
    if (r == 0)
        r = open_session(channel, options, err);
    if (r == 0)
        r = hear_settings(attempt, channel, err);
    return r;
}

int grpc_channel_connect(const struct grpc_channel_options *options, int interrupt_fd,
                         struct grpc_channel **ret, struct error *err)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = channel_new(options);
    struct attempt attempt = {
        .options = options,
        .deadline = clock_boot() + or_default(options->connect_timeout, CONNECT_TIME),
        .interrupt_fd = interrupt_fd,
    };
    int r;

    if (!channel)
        return error_set(err, -ENOMEM, "no memory for the connection");
    r = channel_open(&attempt, channel, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(channel);
    return 0;
}
