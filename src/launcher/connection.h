/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "launcher/request-table.h"
#include "wire/packet.h"

struct error;

/*
 * The launcher's end of the socket that one life of hoistd has: receives a request, checks it
 * against the request table, has it answered, sends the answer.
 *
 * Nothing piles up here: while an answer waits for room in the socket, no further request is read.
 */

struct connection {
    int fd; /* owned; FD_NONE: there is none */
    enum connection_state state;
    struct buffer answer;         /* that waits to be sent; empty: none */
    struct packet_fds answer_fds; /* beside it; owned */
    bool tell_stopping; /* Stopping is to be sent before the next answer; so is Reloaded */
    bool tell_reloaded;
};

#define CONNECTION_NULL ((struct connection){.fd = FD_NONE, .answer_fds = PACKET_FDS_NULL})

/* Takes `fd`. */
void connection_init(struct connection *connection, int fd);
void connection_done(struct connection *connection);

/* What poll(2) should wait for. */
short connection_events(const struct connection *connection);

/*
 * Does what can be done without waiting, a bounded number of requests. Returns 0; -EPIPE when
 * hoistd has closed its end; -EPROTO when it broke the protocol; or another errno. After an error
 * the connection is of no further use.
 */
int connection_dispatch(struct connection *connection, struct launcher *launcher,
                        struct error *err);

/*
 * Tells hoistd that the launcher ends, or what there is after a reload (launcher->facts): now if
 * there is room, so that it hears this before a signal that follows, else as soon as there is.
 * Nothing before its Hello, whose answer says the same.
 */
void connection_tell_stopping(struct connection *connection, const struct launcher *launcher);
void connection_tell_reloaded(struct connection *connection, const struct launcher *launcher);
