/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * The uids that jobs run as: one for each living job, given back only when nothing of the job is
 * left, and then as late as possible used again.
 */

struct uid_pool {
    uid_t low;
    uint32_t count;
    uint32_t next;  /* where the search goes on: a freed uid comes last */
    uint64_t *used; /* bits; owned */
};

/* Both inclusive. -EINVAL when there are none or more than UID_POOL_MAX, or 0 is among them. */
#define UID_POOL_MAX (UINT32_C(1) << 20)
int uid_pool_init(struct uid_pool *pool, uid_t low, uid_t high);
void uid_pool_done(struct uid_pool *pool);

/* -EUSERS when all are in use. */
int uid_pool_take(struct uid_pool *pool, uid_t *ret);

/* Marks one as in use, as a job that was found again has it; outside of the range: nothing. */
void uid_pool_reserve(struct uid_pool *pool, uid_t uid);
void uid_pool_give_back(struct uid_pool *pool, uid_t uid);
