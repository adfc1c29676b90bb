/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/thread-start.h"
#include "grpc/bounds.h"
#include "grpc/connection.h"
#include "grpc/peers.h"

struct acceptor {
    pthread_t thread;
    int listen_fd;  /* borrowed */
    int stop_fd;    /* eventfd: end */
    int reserve_fd; /* given up when descriptors run out, so that a waiting peer can be sent away */
    void (*accepted)(int fd, const char *address, const char *host, void *arg);
    void *arg;
};

/* The peer's address with and without port. One IPv6 host has a /64 to itself: that is what counts.
 */
static void describe_peer(const struct sockaddr_storage *peer, char *address, char *host)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)peer;

        inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        snprintf(address, CONNECTION_ADDRESS_MAX, "%s:%u", text, ntohs(in->sin_port));
        snprintf(host, PEERS_ADDRESS_MAX, "%s", text);
    } else if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *)peer;

        inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
        snprintf(address, CONNECTION_ADDRESS_MAX, "[%s]:%u", text, ntohs(in6.sin6_port));
        if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            memset(in6.sin6_addr.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
        snprintf(host, PEERS_ADDRESS_MAX, "%s", text);
    } else {
        snprintf(address, CONNECTION_ADDRESS_MAX, "local");
        snprintf(host, PEERS_ADDRESS_MAX, "local");
    }
}

/* What can't be set isn't needed for anything but speed and an early end of the dead. */
static void tune_socket(int fd)
{
    int on = 1, timeout = (int)(GRPC_STALL_TIME / USEC_PER_MSEC);

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

/* Waits for a connection or the end; `pause` instead of a connection. True: the end. */
static bool wait_for_more(struct acceptor *acceptor, bool pause)
{
    struct pollfd fds[] = {
        {.fd = acceptor->stop_fd, .events = POLLIN},
        {.fd = acceptor->listen_fd, .events = POLLIN},
    };
    int timeout = pause ? (int)(GRPC_ACCEPT_PAUSE / USEC_PER_MSEC) : -1;

    (void)poll(fds, pause ? 1 : 2, timeout);
    return fds[0].revents != 0;
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor for the next peer: it is taken with the one in reserve and sent away, or it would
 * wake us for ever. */
static void turn_one_away(struct acceptor *acceptor)
{
    int fd;

    acceptor->reserve_fd = fd_close(acceptor->reserve_fd);
    fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    fd_close(fd);
    acceptor->reserve_fd = open_reserve();
}

/* Takes one. False: pause, since it would fail again at once. */
static bool accept_one(struct acceptor *acceptor)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    char address[CONNECTION_ADDRESS_MAX], host[PEERS_ADDRESS_MAX];
    int fd =
        accept4(acceptor->listen_fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        switch (errno) {
        case EMFILE:
        case ENFILE:
            turn_one_away(acceptor);
            return false;
        case ENOBUFS:
        case ENOMEM:
        case EBADF:
        case EINVAL:
            return false;
        default: /* of the connection, not of the socket: accept(2), "Error handling" */
            return true;
        }
    }
    tune_socket(fd);
    describe_peer(&peer, address, host);
    acceptor->accepted(fd, address, host, acceptor->arg);
    return true;
}

static void *acceptor_main(void *arg)
{
    struct acceptor *acceptor = arg;
    bool pause = false;

    while (!wait_for_more(acceptor, pause))
        pause = !pause && !accept_one(acceptor);
    return NULL;
}

int acceptor_new(int listen_fd,
                 void (*accepted)(int fd, const char *address, const char *host, void *arg),
                 void *arg, struct acceptor **ret, struct error *err)
{
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
    int r;

    if (!acceptor)
        return error_set(err, -ENOMEM, "no memory for the accept thread");
    *acceptor = (struct acceptor){
        .listen_fd = listen_fd, .accepted = accepted, .arg = arg, .reserve_fd = open_reserve()};
    acceptor->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = acceptor->stop_fd < 0 ? -errno : fd_set_nonblocking(listen_fd, 1);
    if (r == 0)
        r = thread_start_quiet(&acceptor->thread, "hoist-accept", acceptor_main, acceptor);
    if (r < 0) {
        fd_close(acceptor->stop_fd);
        fd_close(acceptor->reserve_fd);
        free(acceptor);
        return error_set(err, r, "the accept thread can't be started: %s", strerror(-r));
    }
    *ret = acceptor;
    return 0;
}

struct acceptor *acceptor_free(struct acceptor *acceptor)
{
    uint64_t one = 1;

    if (!acceptor)
        return NULL;
    (void)!write(acceptor->stop_fd, &one, sizeof(one)); /* an eventfd at 0 takes it */
    pthread_join(acceptor->thread, NULL);
    fd_close(acceptor->stop_fd);
    fd_close(acceptor->reserve_fd);
    free(acceptor);
    return NULL;
}
