/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct error;

/*
 * Packets with descriptors over a SOCK_SEQPACKET socket (unix(7), SCM_RIGHTS).
 *
 * One packet is one message: it comes whole or not at all, so there is nothing to reassemble and
 * nothing to smuggle behind. The receiver's space for control messages is fixed at
 * PACKET_FDS_MAX descriptors; whatever comes beyond it, is cut off, or is another kind of control
 * message makes the packet invalid, and no descriptor of an invalid packet stays open.
 */

#define PACKET_FDS_MAX 3 /* data, index, state: the most that any message carries */

/* Descriptors that came with a packet: owned, in the sender's order. */
struct packet_fds {
    size_t count;
    int fd[PACKET_FDS_MAX];
};

#define PACKET_FDS_NULL ((struct packet_fds){.count = 0})

/* Closes those that nobody took (TAKE_FD); fine on PACKET_FDS_NULL. */
void packet_fds_done(struct packet_fds *fds);
#define _cleanup_packet_fds_ _cleanup_(packet_fds_done)

/*
 * A connected pair, both ends close-on-exec and nonblocking, with room for packets of `size_max`
 * bytes. Returns 0 or a negative errno.
 */
int packet_pair(size_t size_max, int ret_ends[static 2], struct error *err);

/* 0, or -EINVAL when `fd` isn't a socket of this kind. */
int packet_check_socket(int fd, struct error *err);

/*
 * Sends one packet of `size` (> 0) bytes with `fd_count` borrowed descriptors; never raises SIGPIPE
 * and never waits. Returns 0, -EAGAIN (no room: wait for POLLOUT), -EPIPE (the peer is gone), or
 * another negative errno.
 */
int packet_send(int fd, const void *data, size_t size, const int *fds, size_t fd_count,
                struct error *err);

/*
 * Receives one packet of at most `room` bytes and never waits. Returns its size; 0 when the peer
 * has closed its end (empty packets don't exist); -EAGAIN; -EPROTO when the packet is invalid (too
 * long, too many descriptors, a foreign control message); or another negative errno. Received
 * descriptors are close-on-exec; *ret_fds is set on success only.
 */
ssize_t packet_receive(int fd, void *data, size_t room, struct packet_fds *ret_fds,
                       struct error *err);
