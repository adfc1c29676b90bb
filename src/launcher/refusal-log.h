/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"

struct error;
struct id;

/*
 * The lines of the launcher's log that hoistd can cause, one for each request that is refused.
 *
 * A hoistd that was taken over could fill the disk with them, or bury what an administrator should
 * see. So many are written in a while; the others are counted, and the number is told when that
 * while is over or hoistd has ended, whichever is first.
 */

#define REFUSAL_LOG_LINES 20
#define REFUSAL_LOG_WHILE (60 * USEC_PER_SEC)

/* All zero: nothing was refused yet. */
struct refusal_log {
    usec_t since; /* clock_boot(): when the present while has begun */
    unsigned lines;
    uint64_t suppressed;
};

/* One refusal about the job `id` of `group` (both NULL: about none), or none of it. */
void refusal_log_add(struct refusal_log *log, enum log_level level, const char *message,
                     const char *group, const struct id *id, const struct error *why, usec_t now);

/* When refusal_log_tick() has something to do; USEC_INFINITY: never. */
usec_t refusal_log_due(const struct refusal_log *log);

/* Tells how many were suppressed, if any were and it is time. */
void refusal_log_tick(struct refusal_log *log, usec_t now);

/* Tells it now: hoistd has ended, and the next one begins with all its lines. */
void refusal_log_end(struct refusal_log *log);
