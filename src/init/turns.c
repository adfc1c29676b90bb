/* SPDX-License-Identifier: Apache-2.0 */
#include "init/turns.h"

#include "base/cleanup.h"
#include "output/format.h"

#define ENTRY_COST OUTPUT_ENTRY_USEC_MAX

/* Bytes of data that are worth an entry: it is a hundredth of them. */
#define ENTRY_DATA (UINT64_C(100) * OUTPUT_ENTRY_SIZE)

/* Changes that a job has when it was quiet: more than people read at once. */
#define BUDGET_MAX (64 * ENTRY_COST)

void turns_init(struct turns *turns, usec_t now)
{
    *turns = (struct turns){.budget = BUDGET_MAX, .filled = now};
}

static void earn(struct turns *turns, usec_t time)
{
    usec_t room = BUDGET_MAX - turns->budget;

    turns->budget += MIN(time, room);
}

static void fill(struct turns *turns, usec_t now)
{
    if (now > turns->filled)
        earn(turns, now - turns->filled);
    turns->filled = now;
}

void turns_took(struct turns *turns, unsigned pipe, uint64_t size, uint64_t entries, usec_t now)
{
    fill(turns, now);
    earn(turns, size * ENTRY_COST / ENTRY_DATA);
    turns->budget -= MIN(turns->budget, entries * ENTRY_COST);
    if (entries > 0)
        turns->since = now;
    turns->last = pipe;
    turns->begun = true;
}

static bool entry_is_over(const struct turns *turns, usec_t now)
{
    return now >= turns_next(turns);
}

bool turns_allow(struct turns *turns, unsigned pipe, usec_t now)
{
    fill(turns, now);
    return !turns->begun || pipe == turns->last || turns->budget >= ENTRY_COST ||
           entry_is_over(turns, now);
}

usec_t turns_next(const struct turns *turns)
{
    return turns->since + OUTPUT_ENTRY_USEC_MAX;
}

bool turns_let_other_first(struct turns *turns, unsigned pipe, usec_t now)
{
    fill(turns, now);
    return turns->begun && pipe == turns->last && turns->budget < ENTRY_COST &&
           entry_is_over(turns, now);
}
