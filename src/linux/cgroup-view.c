/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/cgroup-view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "linux/cgroup-tree.h"

#define VIEW_ATTRIBUTES                                                                            \
    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* By path: a mount can be cloned in the mount namespace alone that it is in. */
static int view_make(const struct cgroup_tree *tree, const char *path)
{
    struct mount_attr attributes = {.attr_set = VIEW_ATTRIBUTES};
    _cleanup_close_ int mount_fd = open(tree->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int dir_fd = mount_fd < 0 ? -errno : cgroup_open(mount_fd, path, NULL);
    _cleanup_close_ int fd = FD_NONE;

    if (dir_fd < 0)
        return TAKE_FD(dir_fd);
    fd = (int)syscall(SYS_open_tree, dir_fd, "",
                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_EMPTY_PATH);
    if (fd < 0 ||
        syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static bool child_went_well(long pid)
{
    int status;

    while (waitpid((pid_t)pid, &status, __WALL) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* It shares our descriptors, and puts the view in the place of one that is kept for it. */
static int view_make_by_child(const struct cgroup_tree *tree, const char *path)
{
    struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES};
    _cleanup_close_ int kept = open("/dev/null", O_PATH | O_CLOEXEC);
    long pid;

    if (kept < 0)
        return -errno;
    pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        int fd = view_make(tree, path);
        bool done = fd >= 0 && dup3(fd, kept, O_CLOEXEC) == kept;

        fd_close(fd);
        _exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    return child_went_well(pid) ? TAKE_FD(kept) : -EPERM;
}

int cgroup_view_open(const struct cgroup_tree *tree, const char *path, struct error *err)
{
    int fd = view_make(tree, path);

    if (fd == -EPERM && geteuid() != 0)
        fd = view_make_by_child(tree, path);
    if (fd == -EPERM)
        return cgroup_open(tree->fd, path, err);
    return fd < 0 ? error_set(err, fd, "the mount of the cgroup %s can't be cloned: %s", path,
                              strerror(-fd))
                  : fd;
}
