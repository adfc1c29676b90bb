/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/cgroup-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strv.h"
#include "linux/mount-table.h"

#define CGROUP_FILE_SIZE_MAX (1u << 20) /* /proc/self/cgroup: a line for each v1 hierarchy */

/*
 * A job can't make cgroups, so two levels are all that we meet. The bound only keeps a tree that
 * somebody else has built from using up our stack.
 */
#define CGROUP_DEPTH_MAX 64

/* --- finding the hierarchy ----------------------------------------------------------------------
 */

void cgroup_tree_done(struct cgroup_tree *tree)
{
    tree->fd = fd_close(tree->fd);
    free(tree->mount);
    free(tree->own);
    *tree = CGROUP_TREE_NULL;
}

/* Points *ret at the path of the line "0::/path" and fills its length. */
static int own_path_find(const char *cgroup, const char **ret, size_t *ret_size)
{
    for (const char *line = cgroup; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (text_starts_with(line, "0::/")) {
            *ret = line + strlen("0::");
            *ret_size = strcspn(*ret, "\n");
            return 0;
        }
    }
    return -ENOENT;
}

/*
 * Our cgroup as seen from a mount whose root is the cgroup `root`, without leading slash: both
 * paths are relative to our cgroup namespace. NULL when we are outside of that mount.
 */
static const char *own_path_below(const char *own, const char *root)
{
    if (!path_is_below(own, root) || text_starts_with(own, "/.."))
        return NULL;
    own += text_equal(root, "/") ? 0 : strlen(root);
    return own + (*own == '/');
}

int cgroup_tree_parse(const char *mountinfo, const char *cgroup, char **ret_mount, char **ret_own,
                      bool *ret_hybrid, struct error *err)
{
    _cleanup_mount_table_ struct mount_table table = {0};
    _cleanup_free_ char *own = NULL, *mount = NULL, *below = NULL;
    const char *path;
    bool seen = false, hybrid = false;
    size_t size;
    int r;

    r = mount_table_parse(mountinfo, &table, err);
    if (r < 0)
        return r;
    if (own_path_find(cgroup, &path, &size) < 0)
        return error_set(err, -ENOENT,
                         "the kernel has no cgroup v2: no line 0:: in /proc/self/cgroup");
    own = strndup(path, size);
    if (!own)
        return error_set(err, -ENOMEM, "no memory for a path");

    for (size_t i = 0; i < table.count; i++) {
        const struct mount_entry *entry = &table.entries[i];

        hybrid = hybrid || text_equal(entry->type, "cgroup");
        if (!text_equal(entry->type, "cgroup2"))
            continue;
        seen = true;
        path = own_path_below(own, entry->root);
        if (mount || !path)
            continue;
        mount = strdup(entry->target);
        below = strdup(path);
        if (!mount || !below)
            return error_set(err, -ENOMEM, "no memory for a path");
    }
    if (!seen)
        return error_set(err, -ENOENT, "no cgroup v2 hierarchy is mounted");
    if (!mount)
        return error_set(err, -EXDEV, "our own cgroup %s is outside of what is mounted", own);

    *ret_mount = TAKE_PTR(mount);
    *ret_own = TAKE_PTR(below);
    *ret_hybrid = hybrid;
    return 0;
}

static int cgroup_check(int fd, const char *path, struct error *err)
{
    struct statfs stat;

    if (fstatfs(fd, &stat) < 0)
        return error_set(err, -errno, "can't examine the cgroup %s: %s", path, strerror(errno));
    if (stat.f_type != CGROUP2_SUPER_MAGIC)
        return error_set(err, -ENOTTY, "%s is not in a cgroup v2 file system", path);
    return 0;
}

int cgroup_tree_open(struct cgroup_tree *ret, struct error *err)
{
    _cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NULL;
    _cleanup_free_ char *mountinfo = NULL, *cgroup = NULL;
    int r;

    r = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_SIZE_MAX, &mountinfo, NULL);
    if (r >= 0)
        r = file_read(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_SIZE_MAX, &cgroup, NULL);
    if (r < 0)
        return error_set(err, r, "can't read /proc/self/{mountinfo,cgroup}: %s", strerror(-r));

    r = cgroup_tree_parse(mountinfo, cgroup, &tree.mount, &tree.own, &tree.hybrid, err);
    if (r < 0)
        return r;
    tree.fd = open(tree.mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (tree.fd < 0)
        return error_set(err, -errno, "can't open %s: %s", tree.mount, strerror(errno));
    r = cgroup_check(tree.fd, tree.mount, err);
    if (r < 0)
        return r;

    *ret = tree;
    tree = CGROUP_TREE_NULL;
    return 0;
}

/* --- directories --------------------------------------------------------------------------------
 */

/* openat(2) that never leaves the hierarchy, through whatever. */
static int open_inside(int dir_fd, const char *path, uint64_t flags)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, dir_fd, path[0] ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

int cgroup_open(int dir_fd, const char *path, struct error *err)
{
    _cleanup_close_ int fd = open_inside(dir_fd, path, O_PATH | O_DIRECTORY);
    int r;

    if (fd < 0)
        return error_set(err, fd, "can't open the cgroup %s: %s", path, strerror(-fd));
    r = cgroup_check(fd, path, err);
    if (r < 0)
        return r;
    return TAKE_FD(fd);
}

/* Makes one directory below `dir_fd` unless it is there, and opens it. */
static int cgroup_make_one(int dir_fd, const char *name, bool *ret_made, struct error *err)
{
    bool made = mkdirat(dir_fd, name, 0755) == 0;

    if (!made && errno == EAGAIN)
        return error_set(err, -EAGAIN,
                         "can't make the cgroup %s: there are as many as cgroup.max.descendants of "
                         "one above it allows",
                         name);
    if (!made && errno != EEXIST)
        return error_set(err, -errno, "can't make the cgroup %s: %s", name, strerror(errno));
    *ret_made = made;
    return cgroup_open(dir_fd, name, err);
}

int cgroup_make(int dir_fd, const char *path, bool *ret_made, struct error *err)
{
    _cleanup_close_ int fd = cgroup_open(dir_fd, "", err);
    _cleanup_free_ char *copy = strdup(path);
    bool made = false;

    if (fd < 0)
        return fd;
    if (!copy)
        return error_set(err, -ENOMEM, "no memory for a path");

    for (char *rest = copy, *name = strsep(&rest, "/"); name; name = strsep(&rest, "/")) {
        int next;

        if (!name[0])
            continue;
        next = cgroup_make_one(fd, name, &made, err);
        if (next < 0)
            return next;
        fd_close(fd);
        fd = next;
    }
    if (ret_made)
        *ret_made = made;
    return TAKE_FD(fd);
}

int cgroup_remove_empty(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static bool entry_is_directory(const struct dirent *entry)
{
    return entry->d_type == DT_DIR && !text_equal(entry->d_name, ".") &&
           !text_equal(entry->d_name, "..");
}

int cgroup_children(int dir_fd, char ***ret)
{
    _cleanup_close_ int fd = open_inside(dir_fd, "", O_RDONLY | O_DIRECTORY);
    _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    _cleanup_strv_ char **names = NULL;

    if (fd < 0)
        return fd;
    if (!dir)
        return -errno;
    TAKE_FD(fd); /* closedir() closes it */

    for (;;) {
        const struct dirent *entry;
        int r = 0;

        errno = 0;
        entry = readdir(dir);
        if (!entry && errno != 0)
            return -errno;
        if (!entry)
            break;
        if (entry_is_directory(entry))
            r = strv_append(&names, entry->d_name);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(names);
    return 0;
}

static int cgroup_remove_tree(int dir_fd, const char *name, unsigned depth);

static int cgroup_remove_children(int dir_fd, const char *name, unsigned depth)
{
    _cleanup_close_ int fd = open_inside(dir_fd, name, O_PATH | O_DIRECTORY);
    _cleanup_strv_ char **names = NULL;
    int r = fd < 0 ? fd : cgroup_children(fd, &names);

    for (char **child = names; r >= 0 && child && *child; child++)
        r = cgroup_remove_tree(fd, *child, depth + 1);
    return r;
}

static int cgroup_remove_tree(int dir_fd, const char *name, unsigned depth)
{
    int r = cgroup_remove_empty(dir_fd, name);

    if (r == -ENOENT)
        return 0;
    if (r != -EBUSY && r != -ENOTEMPTY)
        return r;
    if (depth >= CGROUP_DEPTH_MAX)
        return -ELOOP;

    /* The kernel says EBUSY for children as for processes. */
    r = cgroup_remove_children(dir_fd, name, depth);
    if (r < 0)
        return r;
    r = cgroup_remove_empty(dir_fd, name);
    return r == -ENOENT ? 0 : r;
}

int cgroup_remove(int dir_fd, const char *name, struct error *err)
{
    int r = cgroup_remove_tree(dir_fd, name, 0);

    if (r < 0)
        return error_set(err, r, "can't remove the cgroup %s: %s", name, strerror(-r));
    return 0;
}

bool cgroup_is_delegated(int dir_fd)
{
    _cleanup_close_ int fd = open_inside(dir_fd, "", O_RDONLY | O_DIRECTORY);
    struct stat stat;
    char value;

    if (fd < 0 || fstat(fd, &stat) < 0)
        return false;
    if (stat.st_uid != 0 && stat.st_uid == geteuid())
        return true;
    return (fgetxattr(fd, "trusted.delegate", &value, 1) == 1 ||
            fgetxattr(fd, "user.delegate", &value, 1) == 1) &&
           value == '1';
}

/* --- control files ------------------------------------------------------------------------------
 */

int cgroup_file_read(int dir_fd, const char *name, char *text, size_t size)
{
    _cleanup_close_ int fd = open_inside(dir_fd, name, O_RDONLY);
    size_t used = 0;

    if (fd < 0)
        return fd;
    for (;;) {
        ssize_t n = read(fd, text + used, size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
        if (used == size)
            return -EFBIG;
    }
    if (used > 0 && text[used - 1] == '\n')
        used--;
    text[used] = '\0';
    return 0;
}

int cgroup_file_write(int dir_fd, const char *name, const char *value)
{
    _cleanup_close_ int fd = open_inside(dir_fd, name, O_WRONLY);
    size_t size = strlen(value);
    ssize_t n;

    if (fd < 0)
        return fd;
    do
        n = write(fd, value, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == size ? 0 : -EIO;
}

int cgroup_kill(int dir_fd, struct error *err)
{
    int r = cgroup_file_write(dir_fd, "cgroup.kill", "1");

    if (r < 0)
        return error_set(err, r, "can't kill a cgroup: %s", strerror(-r));
    return 0;
}

int cgroup_attach(int dir_fd, int pid, struct error *err)
{
    char text[16];
    int r;

    snprintf(text, sizeof(text), "%d", pid);
    r = cgroup_file_write(dir_fd, "cgroup.procs", text);
    if (r < 0)
        return error_set(err, r, "can't move process %d into a cgroup: %s", pid, strerror(-r));
    return 0;
}
