/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/fd.h"

struct error;

/*
 * The cgroup v2 hierarchy: where it is mounted, where we are in it, its directories and files.
 *
 * Everything below the mount is reached from a directory's descriptor by openat2(2) with
 * RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_XDEV, and what is opened from the mount point
 * is checked to be a cgroup2 file system: a value meant for a control file can't be led elsewhere.
 * Paths are relative to the mount point and have no leading slash; "" is the mount point itself.
 */

#define CGROUP_PATH_MAX 4096

struct cgroup_tree {
    int fd;      /* the mount point, O_PATH; owned */
    char *mount; /* "/sys/fs/cgroup" (pure) or "/sys/fs/cgroup/unified" (hybrid); owned */
    char *own;   /* our own cgroup, relative to the mount point; owned */
    bool hybrid; /* cgroup v1 hierarchies hold some or all of the controllers */
};

#define CGROUP_TREE_NULL ((struct cgroup_tree){.fd = FD_NONE})

void cgroup_tree_done(struct cgroup_tree *tree);
#define _cleanup_cgroup_tree_ _cleanup_(cgroup_tree_done)

/*
 * Finds the mounted hierarchy from /proc/self/mountinfo and our place from /proc/self/cgroup.
 * -ENOENT when no cgroup v2 hierarchy is mounted, -EXDEV when our own cgroup lies outside of it.
 */
int cgroup_tree_open(struct cgroup_tree *ret, struct error *err);

/*
 * The part of it that needs no kernel: from the two files' texts to mount point, own path and
 * whether v1 hierarchies are there. The strings are fresh and the caller's.
 */
int cgroup_tree_parse(const char *mountinfo, const char *cgroup, char **ret_mount, char **ret_own,
                      bool *ret_hybrid, struct error *err);

/* An O_PATH descriptor of the cgroup `path` below `dir_fd`, checked to be one; or a negative errno.
 */
int cgroup_open(int dir_fd, const char *path, struct error *err);

/*
 * Makes the cgroup `path` (its parents too), mode 0755, unless it is there, and returns it as
 * cgroup_open() does. *ret_made (may be NULL): the last directory wasn't there before.
 */
int cgroup_make(int dir_fd, const char *path, bool *ret_made, struct error *err);

/*
 * Removes the cgroup `name` below `dir_fd` with everything below it, deepest first. Returns 0 also
 * when it isn't there; -EBUSY when a process is still in it (nothing more is removed then).
 */
int cgroup_remove(int dir_fd, const char *name, struct error *err);

/* The names of the cgroups right below it, in no order; the list (NULL: none) is the caller's. */
int cgroup_children(int dir_fd, char ***ret);

/* Removes `name` below `dir_fd` only if it is empty and unused: 0, or -EBUSY, -ENOENT, …; no
 * sentence. */
int cgroup_remove_empty(int dir_fd, const char *name);

/*
 * Kills every process in it and below with SIGKILL, forks under way included (cgroup.kill, Linux
 * 5.14). They are gone once cgroup_is_populated() says so.
 */
int cgroup_kill(int dir_fd, struct error *err);

/* Moves the process `pid` (0: ourselves) into it. */
int cgroup_attach(int dir_fd, int pid, struct error *err);

/*
 * One control file. Reading gives a NUL-terminated text without the last newline, -EFBIG when it is
 * longer than `size` - 1; writing is one write(2), as the kernel wants it. Negative errnos: -ENOENT
 * no such file (its controller isn't enabled).
 */
int cgroup_file_read(int dir_fd, const char *name, char *text, size_t size);

/* Room for any of them: memory.stat is about 2 KiB; io.stat has 120 bytes for each disk. */
#define CGROUP_FILE_MAX (64u << 10)
int cgroup_file_write(int dir_fd, const char *name, const char *value);

/*
 * systemd (or whoever keeps the tree) has left our own cgroup's inside to us: the xattr
 * trusted.delegate or user.delegate on its directory is "1", or its directory is another user's
 * than root's and ours.
 */
bool cgroup_is_delegated(int dir_fd);
