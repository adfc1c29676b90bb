/* SPDX-License-Identifier: Apache-2.0 */
#include "init/rate.h"

#include "base/cleanup.h"

#define ROOM_MIN 4096

/* Below half a bucket it waits, so that a limited job costs a few wake-ups a second and not
 * thousands. */
static uint64_t useful_level(const struct rate *rate)
{
    return rate->room / 2;
}

void rate_init(struct rate *rate, uint64_t bytes_per_second, usec_t now)
{
    uint64_t room = MAX(bytes_per_second / 4, (uint64_t)ROOM_MIN);

    *rate = (struct rate){bytes_per_second, room, room, now};
}

/* Time to fill `missing` bytes, rounded up; without overflow for any rate. */
static usec_t time_for(const struct rate *rate, uint64_t missing)
{
    uint64_t seconds = missing / rate->bytes_per_second, rest = missing % rate->bytes_per_second;
    double usec = (double)rest * (double)USEC_PER_SEC / (double)rate->bytes_per_second;

    return seconds * USEC_PER_SEC + (usec_t)usec + 1;
}

static void fill(struct rate *rate, usec_t now)
{
    usec_t passed = now - rate->filled;

    if (passed >= time_for(rate, rate->room - rate->level)) {
        rate->level = rate->room;
    } else {
        double bytes = (double)passed * (double)rate->bytes_per_second / (double)USEC_PER_SEC;

        rate->level = MIN(rate->room, rate->level + (uint64_t)bytes);
    }
    rate->filled = now;
}

size_t rate_allowance(struct rate *rate, size_t wanted, usec_t now)
{
    if (rate->bytes_per_second == 0)
        return wanted;
    fill(rate, now);
    if (rate->level < useful_level(rate))
        return 0;
    return (size_t)MIN((uint64_t)wanted, rate->level);
}

void rate_spend(struct rate *rate, size_t size)
{
    rate->level -= MIN((uint64_t)size, rate->level);
}

usec_t rate_next(const struct rate *rate)
{
    uint64_t useful = useful_level(rate);

    if (rate->level >= useful)
        return rate->filled;
    return rate->filled + time_for(rate, useful - rate->level);
}
