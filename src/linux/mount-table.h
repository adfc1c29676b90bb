/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct error;

/*
 * /proc/self/mountinfo (proc_pid_mountinfo(5)): what is mounted where in our mount namespace.
 */

/* fs.mount-max is 100,000 by default and a line about 200 bytes. */
#define MOUNTINFO_SIZE_MAX (32u << 20)

/* One mount; strings are owned by the table, with \040 and its like decoded. */
struct mount_entry {
    int id;
    int parent;
    unsigned major, minor;     /* st_dev of its files */
    const char *root;          /* the directory of the file system that is seen at `target` */
    const char *target;        /* the mount point */
    const char *options;       /* of the mount: "rw,nosuid" */
    const char *type;          /* "ext4", "fuse.sshfs" */
    const char *source;        /* "/dev/vda1", or whatever the file system says */
    const char *super_options; /* of the file system: "rw,lowerdir=…" */
    bool covered;              /* by another mount on the same mount point */
};

struct mount_table {
    struct mount_entry *entries; /* in the kernel's order */
    size_t count;
    struct mount_entry **uncovered; /* those that no other covers, by mount point */
    size_t uncovered_count;
    char *text; /* what the strings point into */
};

void mount_table_done(struct mount_table *table);
#define _cleanup_mount_table_ _cleanup_(mount_table_done)

/* Parses a whole mountinfo file. -EBADMSG, naming the line, for one that is none. */
int mount_table_parse(const char *text, struct mount_table *ret, struct error *err);

/* Reads and parses /proc/self/mountinfo. */
int mount_table_read(struct mount_table *ret, struct error *err);

/* `path` is `directory` or lies below it; both absolute, without "." and "..". */
bool path_is_below(const char *path, const char *directory);

/*
 * The entry whose file system holds the absolute `path` (as far as mount points tell), or NULL.
 * It takes as long as the path has names: a host may have thousands of mounts.
 */
const struct mount_entry *mount_table_find(const struct mount_table *table, const char *path);
