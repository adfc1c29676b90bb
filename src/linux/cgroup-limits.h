/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Limits of one cgroup: value → control file → read back.
 *
 * A limit is in force when its file says so afterwards, not when the write succeeded: the kernel
 * rounds, clamps and, for some devices, ignores. Sources: "Control Group v2" of the kernel's
 * documentation.
 */

enum cgroup_limit {
    CGROUP_LIMIT_CPU_PERIOD, /* µs; takes the quota away, so it comes first */
    CGROUP_LIMIT_CPU_MAX,    /* thousandths of one CPU, in the period that the file has */
    CGROUP_LIMIT_CPU_WEIGHT, /* 1 … 10000 */
    CGROUP_LIMIT_MEMORY_MAX, /* bytes, these five; the kernel rounds down to whole pages */
    CGROUP_LIMIT_MEMORY_HIGH,
    CGROUP_LIMIT_MEMORY_MIN, /* what is never reclaimed; counts only as far as its ancestors' does
                              */
    CGROUP_LIMIT_MEMORY_LOW, /* what is reclaimed last; as memory.min otherwise */
    CGROUP_LIMIT_SWAP_MAX,
    CGROUP_LIMIT_OOM_GROUP, /* 1: the OOM killer ends all of the cgroup or nothing */
    CGROUP_LIMIT_PIDS_MAX,
    CGROUP_LIMIT_IO_WEIGHT,     /* 1 … 10000; heeded by disks with io.cost */
    CGROUP_LIMIT_IO_BFQ_WEIGHT, /* 1 … 1000; heeded by disks with the scheduler bfq */
    CGROUP_LIMIT_IO_READ_BPS,   /* these four a second, on one disk */
    CGROUP_LIMIT_IO_WRITE_BPS,
    CGROUP_LIMIT_IO_READ_IOPS,
    CGROUP_LIMIT_IO_WRITE_IOPS,
    _CGROUP_LIMIT_MAX,
};

#define CGROUP_LIMIT_NONE UINT64_MAX /* "max": no limit */

struct disk {
    unsigned major, minor;
};

/* "memory.max"; never NULL for a valid limit. */
const char *cgroup_limit_file(enum cgroup_limit limit);

/* CGROUP_CONTROLLER_… (linux/cgroup-controllers.h) that the file belongs to. */
uint32_t cgroup_limit_controller(enum cgroup_limit limit);

/* It is set for each disk by itself. */
bool cgroup_limit_is_of_disk(enum cgroup_limit limit);

/*
 * Writes the limit into the cgroup `dir_fd` and reads it back; `disk` is NULL unless the limit is
 * of a disk. `told` (may be NULL) gets "memory.max 536870912" on success, a sentence that says why
 * on failure. Returns 0; -ENOENT: the file isn't there (controller not enabled, or not in this
 * kernel); -EREMOTEIO: the kernel kept another value; -EINVAL: no value of this limit; others: the
 * write failed
 * (-ENODEV: no such disk).
 */
int cgroup_limit_apply(int dir_fd, enum cgroup_limit limit, const struct disk *disk, uint64_t value,
                       char *told, size_t size);

/*
 * The value that its control file holds now, in the limit's own unit; CGROUP_LIMIT_NONE for "max".
 * -EBADMSG when the file can't be understood.
 */
int cgroup_limit_read(int dir_fd, enum cgroup_limit limit, const struct disk *disk, uint64_t *ret);
