/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/packet.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/fd.h"

/* Exactly so many descriptors fit: CMSG_SPACE() would let one more in by its padding. */
#define CONTROL_SIZE CMSG_LEN(PACKET_FDS_MAX * sizeof(int))

union control {
    char bytes[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

/* What the kernel adds to a packet in the socket's accounting, generously. */
#define PACKET_OVERHEAD 4096

void packet_fds_done(struct packet_fds *fds)
{
    for (size_t i = 0; i < fds->count; i++)
        fds->fd[i] = fd_close(fds->fd[i]);
    fds->count = 0;
}

/* The kernel doubles what it is given and cuts it to net.core.wmem_max: ask, then look. */
static int packet_make_room(int fd, size_t size_max, struct error *err)
{
    int wanted = (int)(size_max + PACKET_OVERHEAD), got = 0;
    socklen_t length = sizeof(got);

    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &length) < 0)
        return error_set(err, -errno, "can't read a socket's buffer size: %s", strerror(errno));
    if (got >= wanted)
        return 0;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted)) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &length) < 0)
        return error_set(err, -errno, "can't set a socket's buffer size: %s", strerror(errno));
    if (got < wanted)
        return error_set(err, -ENOBUFS,
                         "a socket's buffer holds %d bytes, %d are needed: raise the sysctl "
                         "net.core.wmem_max",
                         got, wanted);
    return 0;
}

int packet_pair(size_t size_max, int ret_ends[static 2], struct error *err)
{
    int ends[2], r;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return error_set(err, -errno, "can't make a socket pair: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        r = packet_make_room(ends[i], size_max, err);
        if (r < 0) {
            fd_close(ends[0]);
            fd_close(ends[1]);
            return r;
        }
    }
    ret_ends[0] = ends[0];
    ret_ends[1] = ends[1];
    return 0;
}

int packet_check_socket(int fd, struct error *err)
{
    int type = 0;
    socklen_t length = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET)
        return error_set(err, -EINVAL, "descriptor %d is no packet socket", fd);
    return 0;
}

int packet_send(int fd, const void *data, size_t size, const int *fds, size_t fd_count,
                struct error *err)
{
    union control control;
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    assert(size > 0);
    assert(fd_count <= PACKET_FDS_MAX);

    if (fd_count > 0) {
        control.align = (struct cmsghdr){
            .cmsg_len = (socklen_t)CMSG_LEN(fd_count * sizeof(int)), /* musl has no size_t here */
            .cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS,
        };
        memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
        message.msg_control = control.bytes;
        message.msg_controllen = (socklen_t)CMSG_SPACE(fd_count * sizeof(int));
    }
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
        return error_set(err, -EPIPE, "the other end of the socket is closed");
    return error_set(err, -errno, "can't send a packet of %zu bytes: %s", size, strerror(errno));
}

/* Keeps as many as fit and closes the rest. Returns false when there was a rest. */
static bool packet_fds_add(struct packet_fds *fds, struct cmsghdr *header)
{
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    bool all = true;

    for (size_t i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        if (fds->count < PACKET_FDS_MAX) {
            fds->fd[fds->count++] = fd;
        } else {
            fd_close(fd);
            all = false;
        }
    }
    return all;
}

/* Takes every descriptor of the message, so that none leaks whatever else is wrong with it. */
static int packet_collect(struct msghdr *message, struct packet_fds *fds, struct error *err)
{
    bool valid = true;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            valid &= packet_fds_add(fds, header);
        else
            valid = false;
    }
    if (!valid)
        return error_set(err, -EPROTO, "a packet came with control data that no message has");
    if (message->msg_flags & MSG_CTRUNC)
        return error_set(err, -EPROTO, "a packet came with more than %d descriptors",
                         PACKET_FDS_MAX);
    if (message->msg_flags & MSG_TRUNC)
        return error_set(err, -EPROTO, "a packet is longer than %zu bytes",
                         message->msg_iov->iov_len);
    return 0;
}

ssize_t packet_receive(int fd, void *data, size_t room, struct packet_fds *ret_fds,
                       struct error *err)
{
    _cleanup_packet_fds_ struct packet_fds fds = PACKET_FDS_NULL;
    union control control;
    struct iovec part = {.iov_base = data, .iov_len = room};
    struct msghdr message;
    ssize_t size;
    int r;

    do {
        message = (struct msghdr){
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = CONTROL_SIZE,
        };
        size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        /* ECONNRESET is said once, before what the peer sent last and the end: read on. */
    } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
    if (size < 0)
        return error_set(err, -errno, "can't receive a packet: %s", strerror(errno));

    r = packet_collect(&message, &fds, err);
    if (r < 0)
        return r;
    *ret_fds = PACKET_FDS_NULL;
    if (size > 0) {
        *ret_fds = fds;
        fds.count = 0;
    }
    return size;
}
