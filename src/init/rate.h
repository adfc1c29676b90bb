/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

/*
 * How much may be copied now: a bucket that fills with `rate` bytes a second and holds at most a
 * quarter of a second's worth (at least a page), so that a burst after silence is short. Without a
 * rate it never says no.
 */

struct rate {
    uint64_t bytes_per_second; /* 0: no limit */
    uint64_t room;             /* what the bucket holds at most */
    uint64_t level;
    usec_t filled; /* when `level` was true */
};

void rate_init(struct rate *rate, uint64_t bytes_per_second, usec_t now);

/* Bytes that may be copied now, at most `wanted`; 0: not before rate_next(). */
size_t rate_allowance(struct rate *rate, size_t wanted, usec_t now);

void rate_spend(struct rate *rate, size_t size);

/* When a useful piece may be copied again, after rate_allowance() said 0. */
usec_t rate_next(const struct rate *rate);
