/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "base/fd.h"

struct error;
struct packet_fds;

/*
 * By what a job can tell that its agent has died: a FIFO of hoistd's own in its state directory,
 * which the launcher holds open for writing as long as it lives. hoist-inits of jobs that are to
 * end with the agent watch its reading end: a dead launcher has hung up, and the next one, whose
 * hoistd opens the same file, takes its place (pipe(7)). Nothing is ever written.
 */

struct lifeline {
    int hold;  /* the writing end */
    int watch; /* for hoist-inits */
};

#define LIFELINE_NULL ((struct lifeline){FD_NONE, FD_NONE})

/*
 * Keeps both descriptors of a Ready in the place of those before, if they are the ends of one FIFO
 * of `agent_uid`'s: nothing else is kept open for hoistd. -EPERM with a sentence.
 */
int lifeline_take(struct lifeline *lifeline, const struct packet_fds *fds, uid_t agent_uid,
                  struct error *err);
void lifeline_done(struct lifeline *lifeline);
