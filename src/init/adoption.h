/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/fd.h"

/*
 * A job that is to end with its agent: how long it waits for another one.
 *
 * The launcher holds the writing end of a FIFO whose reading end is ours. When it dies poll(2) says
 * POLLHUP, and goes on to say so until another launcher opens the file: nothing tells of that, so
 * while the wait runs the FIFO is looked at from time to time instead of being waited for. Time is
 * handed in (CLOCK_BOOTTIME).
 */

#define ADOPTION_LOOK (1 * USEC_PER_SEC) /* an agent that lives for less may go unseen */

struct adoption {
    int fd; /* the lifeline; owned; FD_NONE: the job goes on without an agent, too */
    usec_t wait;
    usec_t until; /* the wait's end; USEC_INFINITY: there is an agent */
    usec_t next;  /* when to look; USEC_INFINITY: never */
};

#define ADOPTION_NULL                                                                              \
    ((struct adoption){.fd = FD_NONE, .until = USEC_INFINITY, .next = USEC_INFINITY})

/* Takes `fd`. `wait` 0: closes it, since nobody is going to look. */
void adoption_init(struct adoption *adoption, int fd, usec_t wait);
void adoption_done(struct adoption *adoption);

/* What to wait for POLLHUP of (no events are asked for); FD_NONE: nothing. */
int adoption_poll_fd(const struct adoption *adoption);

/* POLLHUP: the agent is gone, the wait begins. */
void adoption_hung_up(struct adoption *adoption, usec_t now);

/* The agent is gone. */
static inline bool adoption_waits(const struct adoption *adoption)
{
    return adoption->until != USEC_INFINITY;
}

/* Looks if it is time to: true, once, when the wait is over and no other agent has come. */
bool adoption_is_over(struct adoption *adoption, usec_t now);

/* When adoption_is_over() has something to do; USEC_INFINITY: never. */
static inline usec_t adoption_next(const struct adoption *adoption)
{
    return adoption->next;
}
