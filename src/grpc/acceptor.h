/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * The accept thread: takes connections off a listening socket and hands them on, so that every
 * connection thread gets its share (SO_REUSEPORT put two of two connections on one of two threads
 * half of the time).
 */

struct acceptor;

/*
 * Starts it. `accepted(fd, address, host, arg)` runs on its thread and owns the descriptor, which
 * is non-blocking; `address` is "127.0.0.1:4711", `host` the same without the port. `listen_fd` is
 * borrowed until acceptor_free().
 */
int acceptor_new(int listen_fd,
                 void (*accepted)(int fd, const char *address, const char *host, void *arg),
                 void *arg, struct acceptor **ret, struct error *err);

/* Ends the thread and frees; NULL is fine; returns NULL. What waits in the backlog stays there. */
struct acceptor *acceptor_free(struct acceptor *acceptor);
