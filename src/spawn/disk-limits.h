/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "linux/cgroup-limits.h"

struct disk_set;
struct error;
struct spawn_context;

/*
 * Limits of input and output: on each disk behind the mounts that the jobs of a profile see.
 */

/*
 * Finds the disks of each profile, or finds them again when the host's mounts have changed since,
 * or when they could not be found before. Needs the context's controllers, profiles and watch of
 * the mounts; without the controller io there is nothing to find.
 */
int disk_limits_refresh(struct spawn_context *context, struct error *err);

/*
 * Puts a limit that is of a disk (cgroup_limit_is_of_disk()) on all of `disks`. `detail`
 * [LIMIT_DETAIL_MAX] tells what stands there, or why not. -EOPNOTSUPP where a job sees a mount
 * whose input and output can't be limited.
 */
int disk_limits_apply(const struct spawn_context *context, const struct disk_set *disks, int cmd_fd,
                      enum cgroup_limit limit, uint64_t value, char *detail);

/*
 * Writes the weight into both cgroups, by which the disks share among jobs. A weight that no disk
 * heeds is none: -EOPNOTSUPP unless each disk has the scheduler bfq or is under io.cost.
 */
int disk_limits_apply_weight(const struct spawn_context *context, const struct disk_set *disks,
                             int job_fd, int cmd_fd, uint64_t weight, char *detail);
