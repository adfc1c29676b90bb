/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/spawn.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/pidref.h"
#include "base/strv.h"
#include "linux/cgroup-tree.h"
#include "linux/clone.h"
#include "spawn/blocked-tasks.h"
#include "spawn/context.h"
#include "spawn/disk-limits.h"
#include "spawn/init-process.h"
#include "spawn/job-cgroups.h"
#include "spawn/job-check.h"
#include "spawn/job-limits.h"
#include "spawn/job-plan.h"
#include "spawn/profile-steps.h"
#include "spawn/profile.h"
#include "spawn/ready-root.h"
#include "spawn/reserves.h"
#include "wire/plan.h"

/* --- starting -----------------------------------------------------------------------------------
 */

/* The mount namespace: a copy of ours, unless a root was made ahead. */
static uint64_t namespaces_of(const struct spawn_context *context, const struct spawn_spec *spec,
                              bool root_is_ready)
{
    const struct context_profile *profile = context_profile_find(context, spec->profile);

    return CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (root_is_ready ? 0u : CLONE_NEWNS) |
           (context_network_is_hosts(profile, spec) ? 0u : CLONE_NEWNET) |
           (context->rootless ? CLONE_NEWUSER : 0u);
}

static void init_end(pid_t pid, int pidfd)
{
    siginfo_t info;

    (void)kill(pid, SIGKILL); /* our own child, not yet reaped: the pid is still its */
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL) < 0 && errno == EINTR)
        ;
}

static int init_start(const struct spawn_context *context, const struct spawn_spec *spec,
                      const struct spawn_files *files, const struct job_cgroups *cgroups,
                      int plan_fd, int root, struct spawn_result *ret, struct error *err)
{
    char id[ID_TEXT_MAX],
        *argv[] = {(char[]){"hoist-init"}, (char *)id_format(&spec->id, id), NULL};
    char *env[] = {NULL};
    const int fds[PLAN_FD_FIRST] = {
        [0] = context->null,
        [1] = context->null,
        [2] = context->null,
        [PLAN_FD_PLAN] = plan_fd,
        [PLAN_FD_DATA] = files->data,
        [PLAN_FD_INDEX] = files->index,
        [PLAN_FD_STATE] = files->state,
        [PLAN_FD_LIFELINE] = spec->adopt_wait > 0 ? context->lifeline : FD_NONE,
        [PLAN_FD_CGROUP] = cgroups->cmd,
    };
    const struct clone_request request = {
        .namespaces = namespaces_of(context, spec, root >= 0),
        .mounts = root >= 0 ? &root : NULL,
        .cgroup = cgroups->init,
        .program = context->program,
        .argv = argv,
        .env = env,
        .fds = fds,
        .fd_count = ARRAY_SIZE(fds),
    };
    _cleanup_close_ int pidfd = FD_NONE;
    uint64_t start_time;
    pid_t pid;
    int r;

    r = clone_execute(&request, &pid, &pidfd, err);
    if (r < 0)
        return r;
    r = pid_start_time(pid, &start_time);
    if (r < 0) {
        init_end(pid, pidfd);
        return error_set(err, r, "can't read the start time of hoist-init: %s", strerror(-r));
    }
    ret->pid = pid;
    ret->pidfd = TAKE_FD(pidfd);
    ret->start_time = start_time;
    return 0;
}

/* Where its figures are; "" where jobs have no cgroups. */
static void write_cgroup(const struct spawn_context *context, const char *group,
                         const struct id *id, struct spawn_result *result)
{
    char name[ID_TEXT_MAX];

    if (context->root_fd >= 0)
        snprintf(result->cgroup, sizeof(result->cgroup), "%s/%s/%s/cmd", context->root, group,
                 id_format(id, name));
}

/* Everything behind the making of the cgroups, which the caller undoes. `root` is ready, or
 * FD_NONE. */
static int job_start(const struct spawn_context *context, const struct spawn_spec *spec,
                     const struct spawn_files *files, const struct job_cgroups *cgroups, int root,
                     struct spawn_result *ret, enum spawn_failure *ret_failure, struct error *err)
{
    const struct profile_sources from = {context, &profile_default,
                                         context_profile_find(context, spec->profile), spec};
    struct spawn_result result = SPAWN_RESULT_NULL;
    _cleanup_close_ int plan_fd = FD_NONE;
    int r;

    *ret_failure = SPAWN_FAILURE_CGROUP;
    r = job_limits_apply(context, cgroups, spec, &result.limits, ret_failure, err);
    if (r < 0) {
        ret->limits.refused = result.limits.refused;
        return r;
    }

    plan_fd = job_plan_make(&from, cgroups->cmd >= 0, root >= 0, err);
    *ret_failure =
        plan_fd == -E2BIG || plan_fd == -EINVAL ? SPAWN_FAILURE_REFUSED : SPAWN_FAILURE_SPAWN;
    if (plan_fd < 0)
        return plan_fd;

    write_cgroup(context, spec->group, &spec->id, &result);
    *ret_failure = SPAWN_FAILURE_SPAWN;
    r = init_start(context, spec, files, cgroups, plan_fd, root, &result, err);
    if (r < 0)
        return r;
    *ret = result;
    return 0;
}

int spawn_job(struct spawn_context *context, const struct spawn_spec *spec,
              const struct spawn_files *files, struct spawn_result *ret,
              enum spawn_failure *ret_failure, struct error *err)
{
    _cleanup_job_cgroups_ struct job_cgroups cgroups = JOB_CGROUPS_NULL;
    int root, r;

    *ret_failure = SPAWN_FAILURE_REFUSED;
    r = job_check(context, spec, err);
    if (r < 0)
        return r;
    *ret_failure = SPAWN_FAILURE_CGROUP;
    root = ready_root_use(context, context_profile_find(context, spec->profile));
    r = disk_limits_refresh(context, err);
    if (r >= 0)
        r = job_cgroups_make(context, spec->group, &spec->id, &cgroups, err);
    if (r < 0)
        return r;
    context->keeps |= limits_keep_something(&spec->limits);
    r = job_start(context, spec, files, &cgroups, root, ret, ret_failure, err);
    ready_root_renew(context);
    if (r < 0) {
        job_cgroups_unmake(context, spec->group, &spec->id);
        return r;
    }
    *ret_failure = SPAWN_FAILURE_NONE;
    return 0;
}

/* --- ending -------------------------------------------------------------------------------------
 */

static int job_open(struct spawn_context *context, const char *group, const struct id *id,
                    int code_without_cgroups, int *ret_group, int *ret_job, struct error *err)
{
    if (!spawn_group_is_valid(group))
        return error_set(err, -EINVAL, "the job's group has no valid name");
    if (context->root_fd < 0)
        return error_set(err, code_without_cgroups, "jobs have no cgroups here");
    return job_cgroups_open(context, group, id, ret_group, ret_job, err);
}

int spawn_kill(struct spawn_context *context, const char *group, const struct id *id,
               struct error *err)
{
    _cleanup_close_ int group_fd = FD_NONE, job_fd = FD_NONE, cmd_fd = FD_NONE;
    int r;

    r = job_open(context, group, id, -EOPNOTSUPP, &group_fd, &job_fd, err);
    if (r < 0)
        return r;
    cmd_fd = cgroup_open(job_fd, "cmd", err);
    return cmd_fd < 0 ? cmd_fd : cgroup_kill(cmd_fd, err);
}

/* A job whose cmd/ is gone (an agent died between two removals) has no figures any more. */
static int final_usage_read(const struct spawn_context *context, int job_fd,
                            struct cgroup_usage *ret, struct error *err)
{
    _cleanup_close_ int cmd_fd = cgroup_open(job_fd, "cmd", err);
    int r;

    if (cmd_fd == -ENOENT) {
        *ret = (struct cgroup_usage){0};
        return 0;
    }
    r = cmd_fd < 0 ? cmd_fd : cgroup_usage_read(cmd_fd, ret, err);
    if (r >= 0)
        ret->oom_of_all = cgroup_oom_of_own(context->root_fd);
    return r;
}

/* Nothing is removed before all of it is empty, so that the figures stay until the last call. */
static int job_remove(struct spawn_context *context, const char *group, const struct id *id,
                      int group_fd, int job_fd, struct error *err)
{
    char name[ID_TEXT_MAX];
    int r = cgroup_is_populated(job_fd);

    if (r > 0) {
        r = cgroup_kill(job_fd, err);
        if (r < 0)
            return r;
        r = cgroup_is_populated(job_fd);
    }
    if (r < 0)
        return error_set(err, r, "can't tell whether a job's cgroups are empty: %s", strerror(-r));
    if (r > 0)
        return error_set(err, -EBUSY, "processes of the job are still on their way out");

    r = cgroup_remove(group_fd, id_format(id, name), err);
    if (r < 0)
        return r;
    (void)cgroup_remove_empty(context->root_fd, group); /* -EBUSY: other jobs of the group */
    if (context->keeps)
        reserves_sum_up(context, group);
    return 0;
}

int spawn_remove(struct spawn_context *context, const char *group, const struct id *id,
                 struct cgroup_usage *ret_usage, struct error *err)
{
    _cleanup_close_ int group_fd = FD_NONE, job_fd = FD_NONE;
    struct cgroup_usage usage;
    int r;

    r = job_open(context, group, id, -ENOENT, &group_fd, &job_fd, err);
    if (r < 0)
        return r;
    r = final_usage_read(context, job_fd, &usage, err);
    if (r < 0)
        return r;
    r = job_remove(context, group, id, group_fd, job_fd, err);
    if (ret_usage && (r >= 0 || r == -EBUSY))
        *ret_usage = usage;
    return r;
}

/* --- finding again ------------------------------------------------------------------------------
 */

/* What is gone meanwhile, or never was a job's, is passed over. */
static int list_group(int root_fd, const char *group, spawn_found_fn *found, void *data)
{
    _cleanup_close_ int group_fd = cgroup_open(root_fd, group, NULL);
    _cleanup_strv_ char **names = NULL;
    int r = 0;

    if (group_fd < 0 || cgroup_children(group_fd, &names) < 0)
        return 0;
    for (char **name = names; r == 0 && name && *name; name++) {
        _cleanup_close_ int job_fd = FD_NONE;
        struct id id;
        int populated;

        if (id_parse(*name, &id) < 0)
            continue;
        job_fd = cgroup_open(group_fd, *name, NULL);
        populated = job_fd < 0 ? job_fd : cgroup_is_populated(job_fd);
        if (populated >= 0)
            r = found(group, &id, populated > 0, data);
    }
    return r;
}

int spawn_list(struct spawn_context *context, spawn_found_fn *found, void *data, struct error *err)
{
    _cleanup_strv_ char **groups = NULL;
    int r;

    if (context->root_fd < 0)
        return 0;
    r = cgroup_children(context->root_fd, &groups);
    if (r < 0)
        return error_set(err, r, "can't list the jobs' cgroups: %s", strerror(-r));
    for (char **group = groups; r == 0 && group && *group; group++)
        if (spawn_group_is_valid(*group))
            r = list_group(context->root_fd, *group, found, data);
    return r;
}

static int find_known(const struct spawn_process *known, struct spawn_result *ret)
{
    struct pidref ref = PIDREF_NULL;
    int r = pidref_reopen(known->pid, known->start_time, &ref);

    if (r < 0)
        return r;
    *ret = SPAWN_RESULT_NULL;
    ret->pid = ref.pid;
    ret->start_time = ref.start_time;
    ret->pidfd = ref.fd;
    return 0;
}

int spawn_find(const struct spawn_context *context, const char *group, const struct id *id,
               const struct spawn_process *known, struct spawn_result *ret, struct error *err)
{
    int r;

    if (known->pid > 0)
        r = find_known(known, ret);
    else if (context->root_fd < 0)
        r = -EOPNOTSUPP;
    else
        r = init_process_find(context, group, id, ret);
    if (r < 0)
        return error_set(err, r, "hoist-init isn't found: %s", strerror(-r));
    write_cgroup(context, group, id, ret);
    return 0;
}

int spawn_tasks(const struct spawn_context *context, const char *group, const struct id *id,
                struct spawn_task ret[static SPAWN_TASKS_MAX], struct error *err)
{
    char path[SPAWN_GROUP_MAX + ID_TEXT_MAX + sizeof("//cmd")], name[ID_TEXT_MAX];
    int count;

    snprintf(path, sizeof(path), "%s/%s/cmd", group, id_format(id, name));
    count = context->root_fd < 0 ? -EOPNOTSUPP
                                 : blocked_tasks_read(context->root_fd, path, ret, SPAWN_TASKS_MAX);
    return count < 0
               ? error_set(err, count, "the job's tasks can't be listed: %s", strerror(-count))
               : count;
}
