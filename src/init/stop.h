/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "wire/control.h"
#include "wire/state-file.h"

/*
 * The stop of a job, as a machine without system calls: what is asked for goes in, what is to be
 * done comes out, time is handed in (CLOCK_BOOTTIME).
 *
 * A stop belongs to the whole tree: the command's end doesn't cut the grace of the others. SIGKILL
 * follows at the deadline, which later requests can only bring nearer.
 */

enum stop_action {
    STOP_NOTHING,
    STOP_SIGNAL, /* stop.signal to the command's process group */
    STOP_KILL,   /* SIGKILL to everything */
};

struct stop {
    enum state_stop_reason reason; /* of the first request; NONE: there was none */
    int signal;                    /* of the last one */
    usec_t deadline;               /* of SIGKILL; meaningful with a reason */
    bool killed;                   /* STOP_KILL was the answer once */
};

/* A stop for `reason`. With a grace of 0 the answer is STOP_KILL. */
enum stop_action stop_request(struct stop *stop, enum state_stop_reason reason, int signal,
                              usec_t grace, usec_t now);

/* SIGKILL now, for `reason`. */
enum stop_action stop_kill(struct stop *stop, enum state_stop_reason reason, usec_t now);

/* STOP_KILL when the deadline has come, once. */
enum stop_action stop_check(struct stop *stop, usec_t now);

/* Others than the command still have grace. */
static inline bool stop_gives_grace(const struct stop *stop)
{
    return stop->reason != STATE_STOP_NONE && !stop->killed;
}

/* When stop_check() has something to do; USEC_INFINITY: never. */
usec_t stop_next(const struct stop *stop);
