/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct error;

/*
 * What the processes of one cgroup used and suffered, read from the cgroup's files.
 *
 * Needs no privilege: the files are world-readable. Sources: "Control Group v2" of the kernel's
 * documentation, the sections named below. Which files exist depends on the controllers that the
 * parent has enabled and on the kernel (memory.peak: since 5.19), so `known` says which values were
 * there; the others are 0 and mean nothing.
 */

enum {
    CGROUP_KNOWS_CPU = 1 << 0,         /* cpu.stat: always there */
    CGROUP_KNOWS_THROTTLING = 1 << 1,  /* cpu.stat with the controller "cpu" */
    CGROUP_KNOWS_MEMORY = 1 << 2,      /* memory.current, memory.stat, memory.events */
    CGROUP_KNOWS_MEMORY_PEAK = 1 << 3, /* memory.peak */
    CGROUP_KNOWS_IO = 1 << 4,          /* io.stat, summed over all disks */
    CGROUP_KNOWS_PIDS = 1 << 5,        /* pids.current, pids.events */
};

struct cgroup_usage {
    uint32_t known; /* CGROUP_KNOWS_… */

    uint64_t cpu_usec; /* since the cgroup was made; user and system together */
    uint64_t cpu_user_usec;
    uint64_t cpu_system_usec;
    uint64_t throttled_periods; /* in which cpu.max held it back */
    uint64_t throttled_usec;

    uint64_t memory_current; /* bytes, these three, page cache included */
    uint64_t memory_peak;
    uint64_t swap_current;
    uint64_t memory_anon; /* bytes, of memory.stat */
    uint64_t memory_file;
    uint64_t memory_kernel;

    /*
     * Events since the cgroup was made. `oom`: this cgroup's own limit was hit and nothing could be
     * reclaimed. `oom_kill`: processes of it that an OOM killer ended, whoever's limit it was (so
     * oom_kill > 0 with oom == 0 was an ancestor's limit or the host's). `oom_group_kill`: how
     * often all of it was ended together (0 on kernels before 5.17).
     */
    uint64_t memory_high_events;
    uint64_t oom;
    uint64_t oom_kill;
    uint64_t oom_group_kill;

    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
    uint64_t io_read_operations;
    uint64_t io_write_operations;

    uint64_t pids_current;
    uint64_t pids_refused; /* forks that pids.max refused */
};

/*
 * Reads all of it from the cgroup directory `dir_fd` (O_PATH will do). A file that isn't there
 * clears its bit in `known` and is no error. Returns 0, or a negative errno: -ENODEV when the
 * cgroup was removed meanwhile.
 */
int cgroup_usage_read(int dir_fd, struct cgroup_usage *ret, struct error *err);

/*
 * cgroup.events: is there a process, zombies not yet reaped aside, in it or below? Returns 1, 0, or
 * a negative errno. The file changes (inotify IN_MODIFY, poll POLLPRI) whenever the answer does.
 */
int cgroup_is_populated(int dir_fd);

/*
 * One value of a "flat keyed" file ("usage_usec 123\nuser_usec 45\n…"): fills *ret and returns 0,
 * or -ENODATA when `text` has no such key, -EBADMSG when its value is no number.
 */
int cgroup_stat_value(const char *text, const char *key, uint64_t *ret);

/*
 * Adds the values of `key` in a "nested keyed" file ("8:0 rbytes=1 wbytes=2 …\n") over all its
 * lines; lines without the key count 0. -EBADMSG when a value is no number.
 */
int cgroup_stat_sum(const char *text, const char *key, uint64_t *ret);
