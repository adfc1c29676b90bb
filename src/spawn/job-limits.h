/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "wire/limits.h"
#include "wire/spawn-spec.h"

struct error;
struct job_cgroups;
struct spawn_context;

/*
 * A job's limits: which can be enforced on this host, and enforcing them.
 */

/*
 * Which limits can be put into force in the children of the context's cgroup root: its controllers,
 * and control files that are really there (seen in a cgroup made for the purpose). Whether the
 * disks that a job sees can be limited is another question (spawn/disk-limits.h). Needs root_fd,
 * controllers, and room for one cgroup more below the root.
 */
int job_limits_probe(const struct spawn_context *context, uint32_t *ret, struct error *err);

/*
 * Writes every given limit that is a cgroup's into cmd/ (FD_NONE: the job has no cgroup), reads it
 * back, and reports on all given limits. Weights and the like are the job's cgroup's too. What
 * can't be enforced fails (-EOPNOTSUPP, *ret_failure LIMIT_NOT_ENFORCEABLE, limit and controller in
 * the sentence, ret->refused) unless the specification says warn_unenforced. An rlimit that we may
 * not raise so far is reported, never refused: less is in force then, not more.
 */
int job_limits_apply(const struct spawn_context *context, const struct job_cgroups *cgroups,
                     const struct spawn_spec *spec, struct limit_report *ret,
                     enum spawn_failure *ret_failure, struct error *err);
