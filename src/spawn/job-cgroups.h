/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/fd.h"

struct error;
struct id;
struct spawn_context;

/*
 * The cgroups of one job: <root>/<group>/<uuid>/{init,cmd}.
 */

struct job_cgroups {
    int job;  /* O_PATH, owned, as the others; FD_NONE: jobs have no cgroups */
    int init; /* in it */
    int cmd;
};

#define JOB_CGROUPS_NULL ((struct job_cgroups){.job = FD_NONE, .init = FD_NONE, .cmd = FD_NONE})

void job_cgroups_done(struct job_cgroups *cgroups);
#define _cleanup_job_cgroups_ _cleanup_(job_cgroups_done)

/*
 * Makes them, with the controllers handed on to them, and memory.oom.group set on cmd/. -EEXIST
 * when there are cgroups of that job already. On failure nothing is left. Without a cgroup root
 * both are FD_NONE.
 */
int job_cgroups_make(struct spawn_context *context, const char *group, const struct id *id,
                     struct job_cgroups *ret, struct error *err);

/* Undoes job_cgroups_make(): nothing has run in them. */
void job_cgroups_unmake(const struct spawn_context *context, const char *group,
                        const struct id *id);

/* Opens <group> and <group>/<uuid> (O_PATH, the caller's). -ENOENT: no such job. */
int job_cgroups_open(const struct spawn_context *context, const char *group, const struct id *id,
                     int *ret_group, int *ret_job, struct error *err);
