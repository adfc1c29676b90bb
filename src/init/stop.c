/* SPDX-License-Identifier: Apache-2.0 */
#include "init/stop.h"

#include "base/cleanup.h"

/* The time `duration` after `now`; never before it, however long. */
static usec_t later(usec_t now, usec_t duration)
{
    return duration > USEC_INFINITY - now ? USEC_INFINITY : now + duration;
}

static void note(struct stop *stop, enum state_stop_reason reason, usec_t deadline)
{
    if (stop->reason == STATE_STOP_NONE) {
        stop->reason = reason;
        stop->deadline = deadline;
    }
    stop->deadline = MIN(stop->deadline, deadline);
}

enum stop_action stop_kill(struct stop *stop, enum state_stop_reason reason, usec_t now)
{
    note(stop, reason, now);
    stop->killed = true;
    return STOP_KILL;
}

enum stop_action stop_request(struct stop *stop, enum state_stop_reason reason, int signal,
                              usec_t grace, usec_t now)
{
    if (stop->killed)
        return STOP_NOTHING;
    stop->signal = signal;
    if (grace == 0)
        return stop_kill(stop, reason, now);
    note(stop, reason, later(now, grace));
    return STOP_SIGNAL;
}

enum stop_action stop_check(struct stop *stop, usec_t now)
{
    if (stop_next(stop) > now)
        return STOP_NOTHING;
    stop->killed = true;
    return STOP_KILL;
}

usec_t stop_next(const struct stop *stop)
{
    return stop_gives_grace(stop) ? stop->deadline : USEC_INFINITY;
}
