/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"

void listeners_done(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        fd_close(listeners->list[i].fd);
    *listeners = (struct listeners){.count = 0};
}

static int listen_error(const struct launcher_listen *asked, int code, struct error *err)
{
    switch (code) {
    case EADDRINUSE:
        return error_set(err, -code,
                         "%s port %u is in use by another program (ss -ltnp shows which): end it "
                         "or choose another port",
                         asked->host, asked->port);
    case EADDRNOTAVAIL:
        return error_set(err, -code,
                         "no network interface of this host has the address %s: ip address shows "
                         "those it has",
                         asked->host);
    case EACCES:
        return error_set(err, -code,
                         "port %u needs root: choose one from %d on, or start hoist-launcher as "
                         "root",
                         asked->port, LISTEN_PORT_PRIVILEGED);
    default:
        return error_set(err, -code, "can't listen on %s port %u: %s", asked->host, asked->port,
                         strerror(code));
    }
}

static int socket_port(int fd, uint16_t *ret)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof(address);

    if (getsockname(fd, &address.any, &size) < 0)
        return -errno;
    *ret = ntohs(address.any.sa_family == AF_INET6 ? address.six.sin6_port : address.four.sin_port);
    return 0;
}

/* SO_REUSEADDR: connections of the launcher before us may still be in TIME_WAIT (socket(7)). */
static int listen_open(const struct launcher_listen *asked, const struct sockaddr_storage *address,
                       socklen_t size, struct listener *ret, struct error *err)
{
    _cleanup_close_ int fd =
        socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    struct listener listener = {.asked = *asked, .fd = FD_NONE, .wanted = true};
    const int on = 1;
    int r;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)address, size) < 0 || listen(fd, SOMAXCONN) < 0)
        return listen_error(asked, errno, err);
    r = socket_port(fd, &listener.port);
    if (r < 0)
        return listen_error(asked, -r, err);
    listener.fd = TAKE_FD(fd);
    *ret = listener;
    return 0;
}

static struct listener *listeners_find(struct listeners *listeners,
                                       const struct launcher_listen *asked)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->list[i].asked.port == asked->port &&
            text_equal(listeners->list[i].asked.host, asked->host))
            return &listeners->list[i];
    return NULL;
}

int listeners_open(struct listeners *listeners, const struct listen_rule *rules, size_t rule_count,
                   const struct launcher_listen *asked, const struct listener **ret,
                   struct error *err)
{
    struct listener *found = listeners_find(listeners, asked);
    struct sockaddr_storage address;
    socklen_t size;
    int r = listen_address_parse(asked->host, asked->port, &address, &size, err);

    if (r < 0)
        return r;
    /* Also of a socket that is there: the rules may be others than when it was opened. */
    r = listen_rules_check(rules, rule_count, &address, err);
    if (r < 0)
        return r;
    if (found) {
        found->wanted = true;
        *ret = found;
        return 0;
    }
    if (listeners->count >= LISTENERS_MAX)
        return error_set(err, -E2BIG, "more than %d listening sockets", LISTENERS_MAX);
    r = listen_open(asked, &address, size, &listeners->list[listeners->count], err);
    if (r < 0)
        return r;
    *ret = &listeners->list[listeners->count++];
    return 0;
}

void listeners_forget(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        listeners->list[i].wanted = false;
}

void listeners_close_unwanted(struct listeners *listeners)
{
    size_t kept = 0;

    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->list[i].wanted)
            listeners->list[kept++] = listeners->list[i];
        else
            fd_close(listeners->list[i].fd);
    }
    listeners->count = kept;
}
