/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "linux/cgroup-limits.h"

struct error;
struct mount_entry;
struct mount_table;

/*
 * Which disks lie behind mounts, as io.max wants them named.
 *
 * io.max takes whole disks, not partitions, and works on the requests of the device that it names:
 * for device mapper and md that is the device the file system is on, the top-most one, unless
 * io.max refuses that: then those below it (disk_set_lower()). An overlay is on the disks of its
 * layers, btrfs on its members. Network and FUSE file systems and loop devices do their work
 * elsewhere, in another process or a kernel thread that no limit of ours reaches.
 */

#define DISKS_MAX 64

struct disk_set {
    struct disk disks[DISKS_MAX]; /* each once */
    size_t count;
    char *
        *unreachable; /* mount points whose input and output can't be limited; owned; NULL: none */
};

void disk_set_done(struct disk_set *set);
#define _cleanup_disk_set_ _cleanup_(disk_set_done)

/*
 * The disks right below a device of device mapper or md; none below any other. -ENODEV: one of them
 * isn't known to /sys, -EOPNOTSUPP: one is a loop device.
 */
int disk_set_lower(int sysfs, struct disk disk, struct disk_set *ret);

/* Shall the disk behind this mount be found? */
typedef bool disk_mount_fn(const struct mount_entry *entry, void *data);

/*
 * Adds the disks behind all mounts of `table` that `wanted` picks. `sysfs` is a descriptor of /sys
 * (or of what looks like it). Memory and kernel file systems have no disk and need none. What can't
 * be resolved is unreachable, not an error. -ENOMEM, -E2BIG beyond DISKS_MAX.
 */
int disk_set_find(const struct mount_table *table, int sysfs, disk_mount_fn *wanted, void *data,
                  struct disk_set *ret, struct error *err);
