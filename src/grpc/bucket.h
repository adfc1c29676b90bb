/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/*
 * A token bucket: `burst` at once, `per_second` in the long run; what is earned by other means may
 * exceed the burst.
 */

struct bucket {
    uint64_t tokens;
    uint64_t burst;
    uint64_t per_second;
    usec_t filled; /* clock_boot() up to which time was turned into tokens */
};

static inline struct bucket bucket_full(uint64_t burst, uint64_t per_second, usec_t now)
{
    return (struct bucket){
        .tokens = burst, .burst = burst, .per_second = per_second, .filled = now};
}

static inline void bucket_fill(struct bucket *bucket, usec_t now)
{
    usec_t step = USEC_PER_SEC / bucket->per_second;
    uint64_t count;

    if (now < bucket->filled + step)
        return;
    count = (now - bucket->filled) / step;
    bucket->filled += count * step;
    if (bucket->tokens >= bucket->burst)
        return;
    bucket->tokens =
        count < bucket->burst - bucket->tokens ? bucket->tokens + count : bucket->burst;
}

/* Takes one token; false when there is none. */
static inline bool bucket_take(struct bucket *bucket, usec_t now)
{
    bucket_fill(bucket, now);
    if (bucket->tokens == 0)
        return false;
    bucket->tokens--;
    return true;
}

/* Gives `count` tokens, up to `max` in all. */
static inline void bucket_earn(struct bucket *bucket, uint64_t count, uint64_t max)
{
    if (bucket->tokens < max)
        bucket->tokens += count;
}
