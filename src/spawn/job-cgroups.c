/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/job-cgroups.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/id.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-limits.h"
#include "linux/cgroup-tree.h"
#include "spawn/context.h"
#include "spawn/reserves.h"

/*
 * A group's directory goes with its last job and the root with its agent, so another agent on the
 * same root may take either away between our making it and our making something in it.
 */
#define ATTEMPTS 3

void job_cgroups_done(struct job_cgroups *cgroups)
{
    cgroups->job = fd_close(cgroups->job);
    cgroups->init = fd_close(cgroups->init);
    cgroups->cmd = fd_close(cgroups->cmd);
}

static int make_with_controllers(const struct spawn_context *context, int dir_fd, const char *name,
                                 bool must_be_new, struct error *err)
{
    bool made;
    _cleanup_close_ int fd = cgroup_make(dir_fd, name, &made, err);
    int r;

    if (fd < 0)
        return TAKE_FD(fd);
    if (!made && must_be_new)
        return error_set(err, -EEXIST, "the cgroup %s is there already", name);
    r = made ? cgroup_hand_on(fd, context->controllers) : 0;
    if (r < 0)
        return error_set(err, r, "can't hand controllers on in the cgroup %s: %s", name,
                         strerror(-r));
    return TAKE_FD(fd);
}

static int make_leaves(const struct spawn_context *context, int job_fd, struct job_cgroups *ret,
                       struct error *err)
{
    _cleanup_job_cgroups_ struct job_cgroups cgroups = JOB_CGROUPS_NULL;
    char told[ERROR_TEXT_MAX];
    int r = 0;

    cgroups.init = cgroup_make(job_fd, "init", NULL, err);
    if (cgroups.init < 0)
        return cgroups.init;
    cgroups.cmd = cgroup_make(job_fd, "cmd", NULL, err);
    if (cgroups.cmd < 0)
        return cgroups.cmd;
    if (context->controllers & CGROUP_CONTROLLER_MEMORY)
        r = cgroup_limit_apply(cgroups.cmd, CGROUP_LIMIT_OOM_GROUP, NULL, 1, told, sizeof(told));
    if (r < 0)
        return error_set(err, r, "%s", told);

    *ret = cgroups;
    cgroups = JOB_CGROUPS_NULL;
    return 0;
}

static int make_group_and_job(const struct spawn_context *context, const char *group,
                              const char *name, struct error *err)
{
    _cleanup_close_ int group_fd =
        make_with_controllers(context, context->root_fd, group, false, err);

    if (group_fd < 0)
        return TAKE_FD(group_fd);
    return make_with_controllers(context, group_fd, name, true, err);
}

/* Returns a descriptor of the job's cgroup. */
static int make_job(struct spawn_context *context, const char *group, const char *name,
                    struct error *err)
{
    int fd = make_group_and_job(context, group, name, err);

    for (int attempt = 1; (fd == -ENOENT || fd == -ENODEV) && attempt < ATTEMPTS; attempt++) {
        fd = context_make_root(context, err);
        if (fd >= 0)
            fd = make_group_and_job(context, group, name, err);
    }
    return fd;
}

int job_cgroups_make(struct spawn_context *context, const char *group, const struct id *id,
                     struct job_cgroups *ret, struct error *err)
{
    _cleanup_close_ int job_fd = FD_NONE;
    char name[ID_TEXT_MAX];
    int r;

    if (context->root_fd < 0) {
        *ret = JOB_CGROUPS_NULL;
        return 0;
    }
    job_fd = make_job(context, group, id_format(id, name), err);
    r = job_fd < 0 ? job_fd : make_leaves(context, job_fd, ret, err);
    if (r >= 0)
        ret->job = TAKE_FD(job_fd);
    if (r < 0 && r != -EEXIST) /* then it is another's */
        job_cgroups_unmake(context, group, id);
    return r;
}

void job_cgroups_unmake(const struct spawn_context *context, const char *group, const struct id *id)
{
    _cleanup_close_ int group_fd = FD_NONE;
    char name[ID_TEXT_MAX];

    if (context->root_fd < 0)
        return;
    group_fd = cgroup_open(context->root_fd, group, NULL);
    if (group_fd >= 0)
        (void)cgroup_remove(group_fd, id_format(id, name), NULL);
    (void)cgroup_remove_empty(context->root_fd, group); /* -EBUSY: other jobs of the group */
    if (context->keeps)
        reserves_sum_up(context, group);
}

int job_cgroups_open(const struct spawn_context *context, const char *group, const struct id *id,
                     int *ret_group, int *ret_job, struct error *err)
{
    _cleanup_close_ int group_fd = FD_NONE, job_fd = FD_NONE;
    char name[ID_TEXT_MAX];

    group_fd = cgroup_open(context->root_fd, group, err);
    if (group_fd < 0)
        return TAKE_FD(group_fd);
    job_fd = cgroup_open(group_fd, id_format(id, name), err);
    if (job_fd < 0)
        return TAKE_FD(job_fd);
    *ret_group = TAKE_FD(group_fd);
    *ret_job = TAKE_FD(job_fd);
    return 0;
}
