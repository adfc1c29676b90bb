/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

struct context_profile;
struct plan_builder;
struct profile;
struct profile_rows;
struct spawn_context;
struct spawn_spec;

/*
 * A profile's rows as steps of a plan, filled with what the context, the profile in use and the
 * job say. Private to this folder.
 */

/* What a plan is compiled from. */
struct profile_sources {
    const struct spawn_context *context;
    const struct profile *profile;      /* the rows */
    const struct context_profile *used; /* what differs */
    const struct spawn_spec *spec;      /* NULL: of none, for what is the same for each */
};

void profile_steps_add(struct plan_builder *plan, const struct profile_rows *rows,
                       const struct profile_sources *from);

/* The ids that the job has inside: rootless there is but one. */
uid_t profile_job_uid(const struct profile_sources *from);
gid_t profile_job_gid(const struct profile_sources *from);
