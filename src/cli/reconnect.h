/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct session;

/*
 * Coming back to an agent that went away: attempts with growing pauses, until a deadline that
 * counts from the loss. A connection that breaks again before it was of any use
 * (reconnect_proved()) doesn't move the deadline.
 */

struct reconnect {
    struct session *session;
    usec_t patience; /* --reconnect; 0: never */
    usec_t deadline; /* clock_boot(); 0: not lost */
    usec_t pause;    /* before the next attempt */

    /* The session's interrupt came: returns whether to leave. */
    bool (*interrupted)(void *userdata);
    void *userdata;
};

/* By the session's --reconnect. 0, or -EINVAL told on stderr. */
int reconnect_init(struct reconnect *reconnect, struct session *session,
                   bool (*interrupted)(void *userdata), void *userdata);

/*
 * The connection was lost (`why`, may be NULL): connects the session anew. No call of the old
 * connection may be left. Returns 0; -EINTR: to be left; -ENOTCONN: not in time, or not to be
 * tried, told on stderr; another negative errno for what waiting can't mend, told too.
 */
int reconnect_again(struct reconnect *reconnect, const char *why);

/* The connection has brought something. */
void reconnect_proved(struct reconnect *reconnect);
