/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "linux/cgroup-limits.h"

struct job_cgroups;
struct limits;
struct spawn_context;

/*
 * What is kept for one job: memory that the kernel doesn't take back (memory.min, memory.low) and a
 * part of the CPUs (cpu.weight).
 *
 * The kernel gives a cgroup no more protection than the cgroups above it have ("Control Group v2",
 * memory.min), and weighs groups against each other before it weighs the jobs in them. So each
 * group holds the sum of its jobs, and the jobs' root the sum of its groups. The sums are kept
 * nowhere else: they are made anew from what stands in the children whenever a child comes or goes,
 * and when an agent starts.
 *
 * A job weighs 9900 times the part of the host's CPUs that is kept for it more than it would
 * without, which is 100 (or its cpu_weight): so the job itself and its group, which has 100 of its
 * own. What cmd/ weighs less than the job's cgroup is that part.
 */

/*
 * Writes memory.min or memory.low (`limit`) into the job's cgroups and sums up above them. `detail`
 * [LIMIT_DETAIL_MAX] tells what stands there, or why not. -EDQUOT, and nothing is written: with the
 * other jobs' it is more than all jobs may have, or than a cgroup above the jobs' root is
 * protected.
 */
int reserve_memory(const struct spawn_context *context, const char *group,
                   const struct job_cgroups *cgroups, enum cgroup_limit limit, uint64_t bytes,
                   char *detail);

/* The same for thousandths of one CPU; `limits` are all of the job's. */
int reserve_cpu(const struct spawn_context *context, const char *group,
                const struct job_cgroups *cgroups, const struct limits *limits, char *detail);

/*
 * Makes the sums anew after a job of `group` has gone. What is no longer there, or can't be
 * written, is passed over: the next sum mends it.
 */
void reserves_sum_up(const struct spawn_context *context, const char *group);

/* All sums, from what another agent has left behind. Is something kept for a job? */
bool reserves_found(const struct spawn_context *context);
