/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/spawn-spec.h"

struct error;
struct spawn_context;

/*
 * What all jobs together may take: of memory and of processes all that the host has but the part
 * that is kept for everybody else (spawn_options.reserve_memory, reserve_pids); and how many jobs
 * there may be (spawn_options.jobs_max).
 */

/* `host` less `reserve`; at least half of it, since a reserve for a larger host must not stop jobs.
 */
uint64_t root_limit_total(uint64_t host, uint64_t reserve);

/* What can be kept for jobs: the memory that they may take, and all CPUs. */
struct spawn_room root_limits_room(const struct spawn_context *context);

/*
 * Writes pids.max and memory.max of the jobs' cgroup root and reads them back, then
 * cgroup.max.descendants. A controller that isn't there is told elsewhere and no error. Otherwise a
 * negative errno.
 */
int root_limits_apply(const struct spawn_context *context, struct error *err);

/* Any number of jobs, until root_limits_apply(): the root may have the bound of another
 * configuration, and be full. */
int root_limits_unbound_jobs(const struct spawn_context *context, struct error *err);

/*
 * Where jobs are kept from taking all: memory.min for the agent, in the cgroup that we stepped
 * aside to in one that was delegated to us. Any other cgroup is not ours to write: -EDQUOT when it,
 * or one above it, is not protected as a unit of systemd can be (MemoryMin=). 0 also where there is
 * no memory.min; otherwise a negative errno, and `told` [size] says which file refuses.
 */
int root_protect_agent(const struct spawn_context *context, char *told, size_t size);
