/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/uid-pool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int uid_pool_init(struct uid_pool *pool, uid_t low, uid_t high)
{
    uint64_t *used;

    if (low == 0 || high < low || high - low >= UID_POOL_MAX)
        return -EINVAL;
    used = calloc((high - low) / 64 + 1, sizeof(*used));
    if (!used)
        return -ENOMEM;
    *pool = (struct uid_pool){.low = low, .count = high - low + 1, .used = used};
    return 0;
}

void uid_pool_done(struct uid_pool *pool)
{
    free(pool->used);
    *pool = (struct uid_pool){.used = NULL};
}

static bool is_used(const struct uid_pool *pool, uint32_t number)
{
    return pool->used[number / 64] & (UINT64_C(1) << number % 64);
}

int uid_pool_take(struct uid_pool *pool, uid_t *ret)
{
    for (uint32_t tried = 0; tried < pool->count; tried++) {
        uint32_t number = (pool->next + tried) % pool->count;

        if (is_used(pool, number))
            continue;
        pool->used[number / 64] |= UINT64_C(1) << number % 64;
        pool->next = (number + 1) % pool->count;
        *ret = pool->low + number;
        return 0;
    }
    return -EUSERS;
}

void uid_pool_reserve(struct uid_pool *pool, uid_t uid)
{
    if (uid >= pool->low && uid - pool->low < pool->count)
        pool->used[(uid - pool->low) / 64] |= UINT64_C(1) << (uid - pool->low) % 64;
}

void uid_pool_give_back(struct uid_pool *pool, uid_t uid)
{
    if (uid >= pool->low && uid - pool->low < pool->count)
        pool->used[(uid - pool->low) / 64] &= ~(UINT64_C(1) << (uid - pool->low) % 64);
}
