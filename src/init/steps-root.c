/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The new root. It is mounted on top of "/", which needs no directory of the host as a staging
 * place: lookups from the process's root still see the old tree, since a walk that starts at a root
 * doesn't climb onto what is mounted over it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "init/step.h"
#include "init/syscalls.h"

int step_private_mounts(struct step_state *state, const struct plan_step *step)
{
    (void)state;
    (void)step;
    return sys_mount_propagation("/", MS_REC | MS_PRIVATE);
}

int step_slave_mounts(struct step_state *state, const struct plan_step *step)
{
    (void)state;
    (void)step;
    return sys_mount_propagation("/", MS_REC | MS_SLAVE);
}

/* Mounts `mount_fd` (taken on success) over "/"; it is the new root from now on. */
static int become_root(struct step_state *state, int mount_fd)
{
    _cleanup_close_ int old_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (old_fd < 0)
        return -errno;
    r = sys_move_mount(mount_fd, old_fd);
    if (r < 0)
        return r;
    state->root_fd = mount_fd;
    return 0;
}

int step_root_tmpfs(struct step_state *state, const struct plan_step *step)
{
    int fd = mount_new("tmpfs", step->options, step->attributes);
    int r = fd < 0 ? fd : become_root(state, fd);

    if (r < 0)
        (void)fd_close(fd);
    return r;
}

int step_root_clone(struct step_state *state, const struct plan_step *step)
{
    int fd =
        sys_open_tree(AT_FDCWD, step->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    int r = fd < 0 ? fd : mount_set_attributes(fd, step->attributes, true);

    if (r >= 0)
        r = become_root(state, fd);
    if (r < 0)
        (void)fd_close(fd);
    return r;
}

/* What was made is read-only: PLAN_ROOT_READY in another place than a copy of it is a mistake. */
int step_root_ready(struct step_state *state, const struct plan_step *step)
{
    struct statvfs status;

    (void)step;
    state->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (state->root_fd < 0 || fstatvfs(state->root_fd, &status) < 0)
        return -errno;
    return status.f_flag & ST_RDONLY ? 0 : -EXDEV;
}

/*
 * pivot_root(".", "."): the old root ends up over the new one and is detached from there, see
 * pivot_root(2). On an initramfs, which can't be pivoted away from (EINVAL), chroot(2) does: it is
 * escaped only with capabilities that the command doesn't get.
 */
int step_pivot(struct step_state *state, const struct plan_step *step)
{
    int r;

    (void)step;
    if (fchdir(state->root_fd) < 0)
        return -errno;
    r = sys_pivot_root(".", ".");
    if (r == -EINVAL)
        r = chroot(".") < 0 ? -errno : 0;
    else if (r >= 0)
        r = sys_umount_detach(".");
    if (r < 0)
        return r;
    return chdir("/") < 0 ? -errno : 0;
}
