/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "launcher/answer.h"

struct error;

/*
 * Which request is legal when: the launcher's permission table.
 *
 * A connection greets, sets itself up, and serves. A request that the table doesn't allow in the
 * connection's state, that is longer than its kind can be, or that brings another number of
 * descriptors is no failure to be answered but the end of the connection: no hoistd of ours sends
 * it.
 */

enum connection_state {
    CONNECTION_GREETING,   /* nothing but Hello */
    CONNECTION_SETTING_UP, /* sockets are opened, what is left of jobs is found and ended */
    CONNECTION_READY,      /* jobs are started */
    _CONNECTION_STATE_MAX,
};

/* "GREETING"; never NULL for a valid state. */
const char *connection_state_name(enum connection_state state);

/* 0, or -EPROTO with a sentence. */
int request_table_check(enum connection_state state, enum launcher_request_type type, size_t size,
                        size_t fd_count, struct error *err);

/* The function that does it. */
launcher_answer_fn *request_table_answer(enum launcher_request_type type);

/* The state after it was done in `state`. */
enum connection_state request_table_next(enum connection_state state,
                                         enum launcher_request_type type);
