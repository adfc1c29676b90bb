/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts, all by descriptors: the file system or the clone is made detached, gets its attributes,
 * and is then moved onto the descriptor of its target. There is no moment in which it is visible
 * without them.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "init/step.h"
#include "init/syscalls.h"
#include "init/target.h"

#define OPTIONS_MAX 512

#define CLONE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)

#define MASK_ATTRIBUTES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

int mount_set_attributes(int fd, uint64_t attributes, bool recursive)
{
    struct mount_attr attr = {.attr_set = attributes};

    if (attributes == 0)
        return 0;
    if (attributes & MOUNT_ATTR__ATIME) /* a field, not bits: mount_setattr(2) */
        attr.attr_clr = MOUNT_ATTR__ATIME;
    return sys_mount_setattr(fd, recursive ? AT_RECURSIVE : 0, &attr);
}

static int set_option(int fs_fd, char *option)
{
    char *value = strchr(option, '=');

    if (!value)
        return sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL);
    *value++ = '\0';
    return sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, option, value);
}

static int set_options(int fs_fd, const char *options)
{
    char copy[OPTIONS_MAX], *rest = copy, *option;
    size_t size = strlen(options) + 1;

    if (size > sizeof(copy))
        return -E2BIG;
    memcpy(copy, options, size);
    while ((option = strsep(&rest, ","))) {
        int r = option[0] ? set_option(fs_fd, option) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

int mount_new(const char *type, const char *options, uint64_t attributes)
{
    _cleanup_close_ int fs_fd = sys_fsopen(type);
    _cleanup_close_ int fd = FD_NONE;
    int r;

    if (fs_fd < 0)
        return TAKE_FD(fs_fd);
    r = set_options(fs_fd, options);
    if (r >= 0)
        r = sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL);
    if (r < 0)
        return r;
    fd = sys_fsmount(fs_fd, 0);
    if (fd < 0)
        return TAKE_FD(fd);
    r = mount_set_attributes(fd, attributes, false);
    return r < 0 ? r : TAKE_FD(fd);
}

/* Moves `mount_fd` to the step's target, which is made first if the step says so. */
static int attach(struct step_state *state, const struct plan_step *step, int mount_fd,
                  bool directory)
{
    bool follow = step_has(step, PLAN_STEP_FOLLOW);
    _cleanup_close_ int target_fd = FD_NONE;

    if (step_has(step, PLAN_STEP_CREATE)) {
        int r = target_create(state->root_fd, step->target, follow, directory);

        if (r < 0)
            return r;
    }
    target_fd = target_open(state->root_fd, step->target, follow, directory ? O_DIRECTORY : 0);
    if (target_fd < 0)
        return target_fd;
    return sys_move_mount(mount_fd, target_fd);
}

int step_mount(struct step_state *state, const struct plan_step *step)
{
    _cleanup_close_ int fd = mount_new(step->source, step->options, step->attributes);

    /* An unknown type of file system is not a missing place, which OPTIONAL would forgive. */
    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR ? -ENODEV : fd;
    return attach(state, step, fd, true);
}

static int is_directory(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    return S_ISDIR(status.st_mode);
}

static int clone_source(const struct plan_step *step)
{
    unsigned recursive = step_has(step, PLAN_STEP_RECURSIVE) ? AT_RECURSIVE : 0;
    int fd;

    if (step->fd == PLAN_STEP_NO_FD)
        return sys_open_tree(AT_FDCWD, step->source, CLONE_FLAGS | recursive);
    fd = sys_open_tree(step->fd, "", CLONE_FLAGS | recursive | AT_EMPTY_PATH);
    /* A detached mount (of open_tree(2) or fsmount(2)) can't be cloned before Linux 6.15, but
     * moved. */
    return fd == -EINVAL ? fd_duplicate(step->fd) : fd;
}

int step_bind(struct step_state *state, const struct plan_step *step)
{
    _cleanup_close_ int fd = clone_source(step);
    int directory, r;

    if (fd < 0)
        return TAKE_FD(fd);
    directory = is_directory(fd);
    if (directory < 0)
        return directory;
    r = mount_set_attributes(fd, step->attributes, step_has(step, PLAN_STEP_RECURSIVE));
    return r < 0 ? r : attach(state, step, fd, directory);
}

/* The node is looked at through the very clone that gets mounted, which no mount of the host's over
 * its own reaches. */
int step_device(struct step_state *state, const struct plan_step *step)
{
    _cleanup_close_ int fd = sys_open_tree(AT_FDCWD, step->source, CLONE_FLAGS);
    struct mount_attr attr = {.attr_set = step->attributes, .propagation = MS_PRIVATE};
    struct plan_step creating = *step;
    struct stat status;
    int r;

    if (fd < 0)
        return TAKE_FD(fd);
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(step->major, step->minor))
        return -ENODEV;
    r = sys_mount_setattr(fd, 0, &attr);
    creating.flags |= PLAN_STEP_CREATE;
    return r < 0 ? r : attach(state, &creating, fd, false);
}

int step_attributes(struct step_state *state, const struct plan_step *step)
{
    _cleanup_close_ int fd =
        target_open(state->root_fd, step->target, step_has(step, PLAN_STEP_FOLLOW), 0);

    if (fd < 0)
        return TAKE_FD(fd);
    return mount_set_attributes(fd, step->attributes, step_has(step, PLAN_STEP_RECURSIVE));
}

/*
 * What covers a place: /dev/null for a file, an empty tmpfs for a directory. The first of each kind
 * is made, the others are clones of it, which is several times faster and one superblock for all.
 */
static int new_mask(struct step_state *state, bool directory)
{
    _cleanup_close_ int fd = FD_NONE;
    int r;

    if (directory && state->mask_folder_fd < 0)
        return mount_new("tmpfs", "nr_inodes=1,mode=0555", MASK_ATTRIBUTES);
    if (directory)
        return sys_open_tree(state->mask_folder_fd, "", CLONE_FLAGS | AT_EMPTY_PATH);
    if (state->mask_file_fd >= 0)
        return sys_open_tree(state->mask_file_fd, "", CLONE_FLAGS | AT_EMPTY_PATH);
    fd = sys_open_tree(state->null_fd, "", CLONE_FLAGS | AT_EMPTY_PATH);
    r = fd < 0 ? fd : mount_set_attributes(fd, MASK_ATTRIBUTES, false);
    return r < 0 ? r : TAKE_FD(fd);
}

int step_mask(struct step_state *state, const struct plan_step *step)
{
    _cleanup_close_ int target_fd =
        target_open(state->root_fd, step->target, step_has(step, PLAN_STEP_FOLLOW), 0);
    _cleanup_close_ int fd = FD_NONE;
    int directory, r;
    int *first;

    if (target_fd < 0)
        return TAKE_FD(target_fd);
    directory = is_directory(target_fd);
    fd = directory < 0 ? directory : new_mask(state, directory);
    if (fd < 0)
        return TAKE_FD(fd);
    r = sys_move_mount(fd, target_fd);
    first = directory ? &state->mask_folder_fd : &state->mask_file_fd;
    if (r >= 0 && *first < 0)
        *first = TAKE_FD(fd);
    return r;
}

int step_own_mount(struct step_state *state, const struct plan_step *step)
{
    _cleanup_close_ int target_fd =
        target_open(state->root_fd, step->target, step_has(step, PLAN_STEP_FOLLOW), 0);
    _cleanup_close_ int fd = FD_NONE;
    int r;

    if (target_fd < 0)
        return TAKE_FD(target_fd);
    fd = sys_open_tree(target_fd, "", CLONE_FLAGS | AT_EMPTY_PATH | AT_RECURSIVE);
    if (fd < 0)
        return TAKE_FD(fd);
    r = mount_set_attributes(fd, step->attributes, true);
    return r < 0 ? r : sys_move_mount(fd, target_fd);
}
