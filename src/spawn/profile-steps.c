/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/profile-steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/strv.h"
#include "spawn/context.h"
#include "spawn/profile.h"
#include "spawn/spawn.h"
#include "wire/plan.h"
#include "wire/spawn-spec.h"

#define OPTIONS_MAX 256 /* "mode=1777,size=…,uid=…,gid=…" */

#define WRITABLE_ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define HOST_ATTRIBUTES     (WRITABLE_ATTRIBUTES | MOUNT_ATTR_RDONLY)

uid_t profile_job_uid(const struct profile_sources *from)
{
    return from->context->rootless ? 0 : from->spec->uid;
}

gid_t profile_job_gid(const struct profile_sources *from)
{
    const struct spawn_profile *given = from->used->given;

    return given->uid != 0 && !from->context->rootless ? given->gid : profile_job_uid(from);
}

static void add_host_entry(struct plan_builder *plan, const struct host_entry *entry, bool writable)
{
    const struct plan_step steps[_HOST_ENTRY_KIND_MAX] = {
        [HOST_ENTRY_SHOWN] =
            {
                .op = PLAN_BIND,
                .flags = PLAN_STEP_RECURSIVE | PLAN_STEP_CREATE | PLAN_STEP_OPTIONAL,
                .source = entry->source,
                .target = entry->path,
                .attributes = writable ? WRITABLE_ATTRIBUTES : HOST_ATTRIBUTES,
            },
        [HOST_ENTRY_EMPTY] =
            {
                .op = PLAN_MKDIR,
                .target = entry->path,
                .mode = 0755,
            },
        [HOST_ENTRY_LINK] =
            {
                .op = PLAN_SYMLINK,
                .target = entry->path,
                .source = entry->link,
            },
    };

    plan_builder_step(plan, &steps[entry->kind]);
}

static void add_host_view(struct plan_builder *plan, const struct context_profile *used)
{
    const struct host_view *view = &used->view;

    for (size_t i = 0; i < view->count; i++)
        add_host_entry(plan, &view->entries[i], used->given->rootfs_writable);
}

static void add_host_attributes(struct plan_builder *plan, const struct host_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->entries[i].kind == HOST_ENTRY_SHOWN)
            plan_builder_step(plan, &(struct plan_step){
                                        .op = PLAN_ATTRIBUTES,
                                        .flags = PLAN_STEP_RECURSIVE | PLAN_STEP_OPTIONAL,
                                        .target = view->entries[i].path,
                                        .attributes = HOST_ATTRIBUTES,
                                    });
}

/* Looked up anew for each job: what is there now, whenever its root was made. */
static void add_covers(struct plan_builder *plan, const struct host_view *view)
{
    for (char **path = view->covered; path && *path; path++)
        plan_builder_step(plan, &(struct plan_step){
                                    .op = PLAN_MASK,
                                    .flags = PLAN_STEP_OPTIONAL | PLAN_STEP_FOLLOW,
                                    .target = *path,
                                });
}

static void add_binds(struct plan_builder *plan, const struct context_profile *used)
{
    for (size_t i = 0; i < used->given->bind_count; i++) {
        const struct spawn_bind *bind = &used->given->binds[i];

        plan_builder_step(plan,
                          &(struct plan_step){
                              .op = PLAN_BIND,
                              .flags = PLAN_STEP_RECURSIVE | PLAN_STEP_CREATE,
                              .source = used->sources[i],
                              .target = bind->target,
                              .attributes = bind->writable ? WRITABLE_ATTRIBUTES : HOST_ATTRIBUTES,
                          });
    }
}

/*
 * A tmpfs is charged to the job's memory limit; without a size of its own it would still show half
 * of the host's memory as free.
 */
static void add_job_space(struct plan_builder *plan, const struct profile_row *row,
                          const struct profile_sources *from)
{
    const struct spawn_spec *spec = from->spec;
    struct plan_step step = row->step;
    char options[OPTIONS_MAX];
    uint64_t memory = spec->limits.value[LIMIT_MEMORY_MAX];
    size_t used = (size_t)snprintf(options, sizeof(options), "%s", step.options);

    if (limit_is_given(&spec->limits, LIMIT_MEMORY_MAX) && memory > 0)
        used += (size_t)snprintf(options + used, sizeof(options) - used, ",size=%" PRIu64, memory);
    if (row->fill == PROFILE_JOB_OWNED)
        snprintf(options + used, sizeof(options) - used, ",uid=%u,gid=%u",
                 (unsigned)profile_job_uid(from), (unsigned)profile_job_gid(from));
    step.options = options;
    plan_builder_step(plan, &step);
}

static unsigned facts_of(const struct profile_sources *from)
{
    unsigned user = from->context->rootless ? PROFILE_ROOTLESS : PROFILE_AS_ROOT;

    if (!from->spec)
        return user | PROFILE_FOR_MANY;
    return user | PROFILE_FOR_ONE |
           (context_network_is_hosts(from->used, from->spec) ? PROFILE_HOST_NETWORK
                                                             : PROFILE_OWN_NETWORK);
}

static void add_row(struct plan_builder *plan, const struct profile_row *row,
                    const struct profile_sources *from)
{
    switch (row->fill) {
    case PROFILE_PLAIN:
        plan_builder_step(plan, &row->step);
        break;
    case PROFILE_HOST_VIEW:
        add_host_view(plan, from->used);
        break;
    case PROFILE_HOST_HELD:
        add_host_attributes(plan, &from->used->view);
        break;
    case PROFILE_COVERS:
        add_covers(plan, &from->used->view);
        break;
    case PROFILE_JOB_SPACE:
    case PROFILE_JOB_OWNED:
        add_job_space(plan, row, from);
        break;
    case PROFILE_BINDS:
        add_binds(plan, from->used);
        break;
    }
}

void profile_steps_add(struct plan_builder *plan, const struct profile_rows *rows,
                       const struct profile_sources *from)
{
    unsigned facts = facts_of(from);

    for (size_t i = 0; i < rows->count; i++) {
        const struct profile_row *row = &rows->row[i];

        if ((row->when & facts) == row->when)
            add_row(plan, row, from);
    }
}
