/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/clock.h"
#include "grpc/server.h"

/*
 * The timers of one thread: a binary heap by time. Zero-initialised is empty.
 */

struct timers {
    struct grpc_timer **heap; /* owned array of borrowed timers; the first `set` are a heap */
    size_t set;
    size_t count; /* timers in all; the array has room for each */
    size_t room;
};

/* Timers must have been freed before. */
void timers_done(struct timers *timers);

struct grpc_timer *timer_new(struct timers *timers, void (*elapsed)(void *arg), void *arg);

/* When the first one is due; USEC_INFINITY: never. */
usec_t timers_next(const struct timers *timers);

/* Calls those that are due, each after it was switched off. */
void timers_run(struct timers *timers, usec_t now);
