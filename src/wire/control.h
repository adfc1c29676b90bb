/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

/*
 * Control of a running job: a queued real-time signal to hoist-init, whose value carries the
 * request (pidref_queue(); sigqueue(3)).
 *
 * No socket, so that it works whoever of hoistd and the launcher lives, and hoist-init needs no
 * listener that a job could reach: it takes these signals from outside its PID namespace only.
 * The numbers are fixed instead of counted from SIGRTMIN, since glibc (34) and musl (35) differ
 * there.
 */

enum control_op {
    /* `signal` to the command's process group; SIGKILL to all that is left when `grace` is over (0:
     * at once). Again: the earlier of both deadlines counts, the signal is sent again. */
    CONTROL_STOP,
    /* `signal` to the command's process group and nothing else. */
    CONTROL_SIGNAL,
    /* SIGKILL to every process of the job now. */
    CONTROL_KILL,
    _CONTROL_OP_MAX,
};

#define CONTROL_SIGNAL_FIRST 40 /* CONTROL_STOP; the others follow */

/* The longest grace; it travels in steps of 10 ms, rounded up. */
#define CONTROL_GRACE_STEP (10 * USEC_PER_MSEC)
#define CONTROL_GRACE_MAX  (UINT64_C(0xffffff) * CONTROL_GRACE_STEP) /* 46 hours */

struct control_request {
    enum control_op op;
    int signal;   /* 1 … 64; not with CONTROL_KILL */
    usec_t grace; /* CONTROL_STOP only; more than CONTROL_GRACE_MAX is cut to it */
};

/* What to hand to pidref_queue(). -EINVAL when `signal` is none. */
int control_pack(const struct control_request *request, int *ret_signal, int *ret_value);

/* The reverse. -EINVAL for a signal or a value that no request packs to. */
int control_parse(int signal, int value, struct control_request *ret);
