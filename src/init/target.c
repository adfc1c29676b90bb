/* SPDX-License-Identifier: Apache-2.0 */
#include "init/target.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "init/syscalls.h"

int target_open(int root_fd, const char *path, bool follow, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(O_PATH | O_CLOEXEC | flags),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (follow ? 0 : RESOLVE_NO_SYMLINKS),
    };
    int fd;

    /* EAGAIN: a rename raced with the walk and the kernel can't vouch for the result. */
    do
        fd = sys_openat2(root_fd, path, &how);
    while (fd == -EAGAIN || fd == -EINTR);
    return fd;
}

int target_open_parent(int root_fd, const char *path, bool follow, struct target_place *ret)
{
    const char *name = strrchr(path, '/');
    char parent[PATH_MAX];
    size_t length;
    int fd;

    if (!name)
        return -EINVAL;
    length = (size_t)(name - path);
    name++;
    if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    if (length >= sizeof(parent))
        return -ENAMETOOLONG;
    memcpy(parent, path, length);
    parent[length] = '\0';
    fd = target_open(root_fd, length == 0 ? "/" : parent, follow, O_DIRECTORY);
    if (fd < 0)
        return fd;
    *ret = (struct target_place){fd, name};
    return 0;
}

int target_create(int root_fd, const char *path, bool follow, bool directory)
{
    _cleanup_close_ int parent_fd = FD_NONE;
    _cleanup_close_ int fd = FD_NONE;
    struct target_place place;
    int r = target_open_parent(root_fd, path, follow, &place);

    if (r < 0)
        return r;
    parent_fd = place.parent_fd;
    if (directory)
        return mkdirat(parent_fd, place.name, 0755) < 0 && errno != EEXIST ? -errno : 0;
    fd = openat(parent_fd, place.name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 && errno != EEXIST ? -errno : 0;
}

/* By descriptor, since what stands at a name may change; mkdir(2) alone would lose the set-id bits.
 */
static int set_owner_and_mode(int parent_fd, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
    _cleanup_close_ int fd =
        openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
        return -errno;
    return 0;
}

static int check_is_directory(int parent_fd, const char *name)
{
    struct stat status;

    if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

int target_make_directory(int root_fd, const char *path, bool follow, mode_t mode, uid_t uid,
                          gid_t gid)
{
    _cleanup_close_ int parent_fd = FD_NONE;
    struct target_place place;
    int r = target_open_parent(root_fd, path, follow, &place);

    if (r < 0)
        return r;
    parent_fd = place.parent_fd;
    if (mkdirat(parent_fd, place.name, 0700) == 0)
        return set_owner_and_mode(parent_fd, place.name, mode, uid, gid);
    return errno == EEXIST ? check_is_directory(parent_fd, place.name) : -errno;
}
