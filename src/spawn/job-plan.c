/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/job-plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "spawn/context.h"
#include "spawn/profile.h"
#include "spawn/spawn.h"
#include "wire/plan.h"
#include "wire/spawn-spec.h"

#define OPTIONS_MAX 256 /* "mode=1777,size=…,uid=…,gid=…" */

#define WRITABLE_ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define HOST_ATTRIBUTES     (WRITABLE_ATTRIBUTES | MOUNT_ATTR_RDONLY)

/* What a plan is compiled from. */
struct sources {
    const struct spawn_context *context;
    const struct profile *profile;      /* the rows */
    const struct context_profile *used; /* what differs */
    const struct spawn_spec *spec;
};

/* The uid that the job has inside: rootless there is but one. */
static uid_t job_uid(const struct spawn_context *context, const struct spawn_spec *spec)
{
    return context->rootless ? 0 : spec->uid;
}

static gid_t job_gid(const struct sources *from)
{
    const struct spawn_profile *given = from->used->given;

    return given->uid != 0 && !from->context->rootless ? given->gid
                                                       : job_uid(from->context, from->spec);
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
    for (char **path = view->covered; path && *path; path++)
        plan_builder_step(plan, &(struct plan_step){
                                    .op = PLAN_MASK,
                                    .flags = PLAN_STEP_OPTIONAL | PLAN_STEP_FOLLOW,
                                    .target = *path,
                                });
}

static void add_binds(struct plan_builder *plan, const struct spawn_profile *given)
{
    for (size_t i = 0; i < given->bind_count; i++) {
        const struct spawn_bind *bind = &given->binds[i];

        plan_builder_step(plan,
                          &(struct plan_step){
                              .op = PLAN_BIND,
                              .flags = PLAN_STEP_RECURSIVE | PLAN_STEP_CREATE,
                              .source = bind->source,
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
                          const struct sources *from)
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
                 (unsigned)job_uid(from->context, spec), (unsigned)job_gid(from));
    step.options = options;
    plan_builder_step(plan, &step);
}

static unsigned facts_of(const struct sources *from)
{
    return (context_network_is_hosts(from->used, from->spec) ? PROFILE_HOST_NETWORK
                                                             : PROFILE_OWN_NETWORK) |
           (from->context->rootless ? PROFILE_ROOTLESS : PROFILE_AS_ROOT);
}

static void add_row(struct plan_builder *plan, const struct profile_row *row,
                    const struct sources *from)
{
    switch (row->fill) {
    case PROFILE_PLAIN:
        plan_builder_step(plan, &row->step);
        break;
    case PROFILE_HOST_VIEW:
        add_host_view(plan, from->used);
        break;
    case PROFILE_JOB_SPACE:
    case PROFILE_JOB_OWNED:
        add_job_space(plan, row, from);
        break;
    case PROFILE_BINDS:
        add_binds(plan, from->used->given);
        break;
    }
}

static void add_rows(struct plan_builder *plan, const struct sources *from)
{
    unsigned facts = facts_of(from);

    for (size_t i = 0; i < from->profile->row_count; i++) {
        const struct profile_row *row = &from->profile->rows[i];

        if ((row->when & facts) == row->when)
            add_row(plan, row, from);
    }
}

/*
 * Without the controller pids RLIMIT_NPROC has to do: it counts a uid's tasks, and as root each job
 * has a uid of its own unless its profile says which. With it the kernel would ask the rlimit first
 * and pids.events miss what was refused.
 */
static void add_task_rlimit(struct plan_builder *plan, const struct spawn_context *context,
                            const struct limits *limits)
{
    uint64_t tasks = limits->value[LIMIT_PIDS_MAX];

    if (!context->rootless && !(context->controllers & CGROUP_CONTROLLER_PIDS) && tasks > 0 &&
        limit_is_given(limits, LIMIT_PIDS_MAX))
        plan_builder_rlimit(plan, RLIMIT_NPROC, tasks, tasks);
}

/* What the job asks for, soft and hard, comes in the place of the profile's. */
static void add_rlimits(struct plan_builder *plan, const struct profile *profile,
                        const struct limits *limits)
{
    static const struct {
        enum limit limit;
        uint32_t resource;
    } asked[] = {
        {LIMIT_OPEN_FILES, RLIMIT_NOFILE},
        {LIMIT_CORE_SIZE, RLIMIT_CORE},
    };
    bool done[RLIM_NLIMITS] = {0};

    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        uint64_t value = limits->value[asked[i].limit];

        if (!limit_is_given(limits, asked[i].limit))
            continue;
        plan_builder_rlimit(plan, asked[i].resource, value, value);
        done[asked[i].resource] = true;
    }
    for (size_t i = 0; i < profile->rlimit_count; i++) {
        const struct profile_rlimit *rlimit = &profile->rlimits[i];

        if (!done[rlimit->resource])
            plan_builder_rlimit(plan, rlimit->resource, rlimit->soft, rlimit->hard);
    }
}

static void add_settings(struct plan_builder *plan, const struct sources *from, bool has_cgroup)
{
    const struct spawn_context *context = from->context;
    const struct spawn_spec *spec = from->spec;
    bool userns = from->used->given->userns && !context->rootless; /* where there is one anyway */
    const struct plan_settings settings = {
        .id = spec->id,
        .flags = (spec->merged ? PLAN_MERGED : 0u) | (context->rootless ? PLAN_ROOTLESS : 0u) |
                 (has_cgroup ? PLAN_HAS_CGROUP : 0u) | (userns ? PLAN_USER_NAMESPACE : 0u),
        .agent_uid = context->rootless ? 0 : context->agent_uid,
        .agent_gid = context->rootless ? 0 : context->agent_gid,
        .job_uid = job_uid(context, spec),
        .job_gid = job_gid(from),
        .cpu_time = has_cgroup ? spec->limits.value[LIMIT_CPU_TIME] : 0,
        .stop_signal = spec->stop_signal,
        .grace = spec->grace,
        .timeout = spec->timeout,
        .adopt_wait = spec->adopt_wait,
        .output = spec->output,
        .umask = from->profile->umask,
    };

    plan_builder_set(plan, &settings);
}

int job_plan_make(const struct spawn_context *context, const struct profile *profile,
                  const struct context_profile *used, const struct spawn_spec *spec,
                  bool has_cgroup, struct error *err)
{
    const struct sources from = {context, profile, used, spec};
    _cleanup_plan_builder_ struct plan_builder *plan = plan_builder_new();
    int fd = FD_NONE, r;

    if (!plan)
        return error_set(err, -ENOMEM, "no memory for the job's plan");
    add_settings(plan, &from, has_cgroup);
    add_rows(plan, &from);
    add_rlimits(plan, profile, &spec->limits);
    if (used->given->uid == 0)
        add_task_rlimit(plan, context, &spec->limits);
    plan_builder_arguments(plan, spec->argv);
    plan_builder_environment(plan, spec->env);
    plan_builder_cwd(plan, text_is_empty(spec->cwd) ? PROFILE_HOME : spec->cwd);
    plan_builder_filter(plan, context->filter.instructions, context->filter.count);

    r = plan_builder_seal(plan, &fd, err);
    return r < 0 ? r : fd;
}
