/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/reservation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/quantity.h"
#include "base/strv.h"
#include "worker/registry.h"

static uint64_t sum_of(const struct worker *worker, enum limit limit)
{
    uint64_t sum = 0;

    for (const struct job *job = worker->jobs; job; job = job->hh.next) {
        const struct limits *limits = &job->specification.spec.limits;

        if (!job->finished && limit_is_given(limits, limit) &&
            __builtin_add_overflow(sum, limits->value[limit], &sum))
            return UINT64_MAX;
    }
    return sum;
}

struct spawn_room reservations_sum(const struct worker *worker)
{
    return (struct spawn_room){
        .memory = sum_of(worker, LIMIT_MEMORY_RESERVED),
        .cpu_millis = sum_of(worker, LIMIT_CPU_RESERVED),
    };
}

static const char *amount_text(enum limit limit, uint64_t value,
                               char text[static QUANTITY_TEXT_MAX])
{
    if (limit == LIMIT_MEMORY_RESERVED)
        return quantity_format_size(value, text);
    snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64 "m", value);
    return text;
}

static void add_number(struct failure *failure, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    failure_add_detail(failure, key, text);
}

static int refuse(enum limit limit, uint64_t asked, uint64_t left, uint64_t total,
                  struct failure *failure)
{
    char texts[3][QUANTITY_TEXT_MAX];

    failure_set(failure, -ENOSPC, HOIST_REASON_RESERVATION_DOES_NOT_FIT,
                "%s %s does not fit: of the %s that this agent can reserve %s are not reserved; "
                "ask for less, or wait until jobs with a reservation end",
                limit_name(limit), amount_text(limit, asked, texts[0]),
                amount_text(limit, total, texts[1]), amount_text(limit, left, texts[2]));
    failure_add_detail(failure, "limit", limit_name(limit));
    add_number(failure, "asked", asked);
    add_number(failure, "free", left);
    add_number(failure, "total", total);
    return -ENOSPC;
}

int reservation_check(const struct worker *worker, const struct limits *limits,
                      struct failure *failure)
{
    const struct {
        enum limit limit;
        uint64_t total;
    } rooms[] = {
        {LIMIT_MEMORY_RESERVED, worker->spawner->room.memory},
        {LIMIT_CPU_RESERVED, worker->spawner->room.cpu_millis},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
        enum limit limit = rooms[i].limit;
        uint64_t total = rooms[i].total, asked = limits->value[limit], sum;

        if (!limit_is_given(limits, limit) || asked == 0 || total == 0)
            continue;
        sum = sum_of(worker, limit);
        if (sum >= total || asked > total - sum)
            return refuse(limit, asked, sum < total ? total - sum : 0, total, failure);
    }
    return 0;
}
