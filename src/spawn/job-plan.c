/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/job-plan.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "spawn/context.h"
#include "spawn/profile-steps.h"
#include "spawn/profile.h"
#include "spawn/spawn.h"
#include "wire/plan.h"
#include "wire/spawn-spec.h"

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

static void add_settings(struct plan_builder *plan, const struct profile_sources *from,
                         bool has_cgroup)
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
        .job_uid = profile_job_uid(from),
        .job_gid = profile_job_gid(from),
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

static void add_steps(struct plan_builder *plan, const struct profile_sources *from,
                      bool root_is_ready)
{
    const struct profile *profile = from->profile;

    profile_steps_add(plan, root_is_ready ? &profile->ready : &profile->root, from);
    profile_steps_add(plan, &profile->job, from);
    if (!root_is_ready)
        profile_steps_add(plan, &profile->leave, from);
    profile_steps_add(plan, &profile->names, from);
}

int job_plan_make(const struct profile_sources *from, bool has_cgroup, bool root_is_ready,
                  struct error *err)
{
    const struct spawn_context *context = from->context;
    const struct spawn_spec *spec = from->spec;
    _cleanup_plan_builder_ struct plan_builder *plan = plan_builder_new();
    int fd = FD_NONE, r;

    if (!plan)
        return error_set(err, -ENOMEM, "no memory for the job's plan");
    add_settings(plan, from, has_cgroup);
    add_steps(plan, from, root_is_ready);
    add_rlimits(plan, from->profile, &spec->limits);
    if (from->used->given->uid == 0)
        add_task_rlimit(plan, context, &spec->limits);
    plan_builder_arguments(plan, spec->argv);
    plan_builder_environment(plan, spec->env);
    plan_builder_cwd(plan, text_is_empty(spec->cwd) ? PROFILE_HOME : spec->cwd);
    plan_builder_filter(plan, context->filter.instructions, context->filter.count);

    r = plan_builder_seal(plan, &fd, err);
    return r < 0 ? r : fd;
}
