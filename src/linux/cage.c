/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root is mounted over "/" before anything is mounted in it, since a detached tree takes no
 * mounts before Linux 6.15; lookups from the process's root still see the old tree, for a walk that
 * starts at a root doesn't climb onto what is mounted over it.
 */
#include "linux/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "linux/privileges.h"

#define MAP_MAX 48 /* "4294967295 4294967295 1" */

#define PLACE_ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* --- the namespaces ------------------------------------------------------------------------------
 */

static int map_write(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
}

/* Our own ids and no other, which needs no right. */
static int ids_map(uid_t uid, gid_t gid)
{
    char users[MAP_MAX], groups[MAP_MAX];
    int r = map_write("/proc/self/setgroups", "deny");

    (void)snprintf(users, sizeof(users), "%u %u 1", uid, uid);
    (void)snprintf(groups, sizeof(groups), "%u %u 1", gid, gid);
    if (r >= 0)
        r = map_write("/proc/self/uid_map", users);
    return r < 0 ? r : map_write("/proc/self/gid_map", groups);
}

/* The maps of a process that can't be dumped are root's: for this moment it can. */
static int namespaces_make(struct error *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int r;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return error_set(err, -errno, "no user namespace can be made: %s", strerror(errno));
    r = prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? -errno : ids_map(uid, gid);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (r < 0)
        return error_set(err, r, "the user namespace can't be given our ids: %s", strerror(-r));
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_set(err, -errno, "mounts can't be made private: %s", strerror(errno));
    return 0;
}

/* --- the root ------------------------------------------------------------------------------------
 */

static int mount_over(int mount_fd, int target_fd)
{
    return syscall(SYS_move_mount, mount_fd, "", target_fd, "",
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? -errno
               : 0;
}

/* An empty tmpfs over "/"; its descriptor is the caller's. */
static int root_make(void)
{
    _cleanup_close_ int fs_fd = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), fd = FD_NONE;
    _cleanup_close_ int old_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fs_fd < 0 || old_fd < 0 ||
        syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, PLACE_ATTRIBUTES);
    if (fd < 0)
        return -errno;
    r = mount_over(fd, old_fd);
    return r < 0 ? r : TAKE_FD(fd);
}

/* Makes `path` below the root with all that is above it: what is there already is left alone. */
static int target_make(int root_fd, const char *path, bool directory)
{
    char part[PATH_MAX];

    if (strlen(path) >= sizeof(part))
        return -ENAMETOOLONG;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(part, path + 1, (size_t)(slash - path) - 1);
        part[slash - path - 1] = '\0';
        if (mkdirat(root_fd, part, 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    if (directory)
        return mkdirat(root_fd, path + 1, 0755) < 0 && errno != EEXIST ? -errno : 0;
    return mknodat(root_fd, path + 1, S_IFREG | 0644, 0) < 0 && errno != EEXIST ? -errno : 0;
}

/* What is written to must be what its path says: a link there is somebody else's doing. */
static int place_clone(const struct landlock_place *place, struct stat *ret_status)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE |
                     (place->access & LANDLOCK_WRITE ? (unsigned)AT_SYMLINK_NOFOLLOW : 0);
    _cleanup_close_ int fd = (int)syscall(SYS_open_tree, AT_FDCWD, place->path, flags);

    if (fd < 0 || fstat(fd, ret_status) < 0)
        return -errno;
    return S_ISLNK(ret_status->st_mode) ? -ELOOP : TAKE_FD(fd);
}

static int place_show(int root_fd, const struct landlock_place *place)
{
    struct mount_attr attributes = {.attr_set = PLACE_ATTRIBUTES};
    struct stat status = {};
    _cleanup_close_ int fd = place_clone(place, &status), target_fd = FD_NONE;
    int r;

    if (fd < 0)
        return fd;
    if (!(place->access & LANDLOCK_WRITE))
        attributes.attr_set |= MOUNT_ATTR_RDONLY;
    if (S_ISCHR(status.st_mode))
        attributes.attr_set &= ~(uint64_t)(MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
    if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                sizeof(attributes)) < 0)
        return -errno;
    r = target_make(root_fd, place->path, S_ISDIR(status.st_mode));
    if (r < 0)
        return r;
    target_fd = openat(root_fd, place->path + 1, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    return target_fd < 0 ? -errno : mount_over(fd, target_fd);
}

/* A place below another one comes behind it. */
static int place_order(const void *a, const void *b)
{
    const struct landlock_place *one = a, *other = b;

    return strcmp(one->path, other->path);
}

static int root_fill(int root_fd, const struct landlock_place *places, size_t count,
                     struct error *err)
{
    _cleanup_free_ struct landlock_place *sorted = calloc(count, sizeof(*sorted));
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

    if (!sorted)
        return error_set(err, -ENOMEM, "no memory for a list of places");
    memcpy(sorted, places, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), place_order);
    for (size_t i = 0; i < count; i++) {
        int r = i > 0 && strcmp(sorted[i].path, sorted[i - 1].path) == 0 &&
                        sorted[i].access == sorted[i - 1].access
                    ? 0
                    : place_show(root_fd, &sorted[i]);

        if (r < 0)
            return error_set(err, r, "%s can't be shown in a root of our own: %s", sorted[i].path,
                             strerror(-r));
    }
    if (syscall(SYS_mount_setattr, root_fd, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
        return error_set(err, -errno, "a root of our own can't be made read-only: %s",
                         strerror(errno));
    return 0;
}

/* pivot_root(".", "."): the old root ends up over the new one and is detached from there. */
static int root_pivot(int root_fd, struct error *err)
{
    if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return error_set(err, -errno, "the root can't be changed: %s", strerror(errno));
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return error_set(err, -errno, "the old root can't be left: %s", strerror(errno));
    return 0;
}

static int root_change(const struct landlock_place *places, size_t count, struct error *err)
{
    _cleanup_close_ int root_fd = root_make();
    int r;

    if (root_fd < 0)
        return error_set(err, root_fd, "no root of our own can be mounted: %s", strerror(-root_fd));
    r = root_fill(root_fd, places, count, err);
    return r < 0 ? r : root_pivot(root_fd, err);
}

int cage_enter(const struct landlock_place *places, size_t count, struct error *err)
{
    int r = namespaces_make(err), dropped;

    if (r >= 0)
        r = root_change(places, count, err);
    dropped = capabilities_drop(r < 0 ? NULL : err);
    if (dropped < 0)
        return dropped;
    return r < 0 ? 0 : 1;
}
