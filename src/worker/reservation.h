/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/spawn-spec.h"
#include "worker/failure.h"

struct limits;
struct worker;

/*
 * What is kept for jobs, added up: for a job from its start until it has ended, whether the host
 * can enforce it or not.
 */

/* Of all jobs that have not ended. */
struct spawn_room reservations_sum(const struct worker *worker);

/*
 * Does what `limits` keep fit beside the others? 0, or -ENOSPC with RESERVATION_DOES_NOT_FIT:
 * details "limit", "asked", "free", "total". A spawner that knows no room takes everything.
 */
int reservation_check(const struct worker *worker, const struct limits *limits,
                      struct failure *failure);
