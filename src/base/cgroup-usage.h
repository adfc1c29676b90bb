/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * What the processes of one cgroup used and suffered, as values that travel between the floors:
 * linux/cgroup-stat.h reads them, the launcher's messages carry them, the worker reports them.
 *
 * Which files exist depends on the controllers that the parent has enabled and on the kernel
 * (memory.peak: since 5.19), so `known` says which values were there; the others are 0 and mean
 * nothing. Source: "Control Group v2" of the kernel's documentation.
 */

enum {
    CGROUP_KNOWS_CPU = 1 << 0,         /* cpu.stat: always there */
    CGROUP_KNOWS_THROTTLING = 1 << 1,  /* cpu.stat with the controller "cpu" */
    CGROUP_KNOWS_MEMORY = 1 << 2,      /* memory.current, memory.stat, memory.events */
    CGROUP_KNOWS_MEMORY_PEAK = 1 << 3, /* memory.peak */
    CGROUP_KNOWS_IO = 1 << 4,          /* io.stat, summed over all disks */
    CGROUP_KNOWS_PIDS = 1 << 5,        /* pids.current, pids.events */
    CGROUP_KNOWS_PRESSURE = 1 << 6, /* cpu.pressure and the like: a kernel with PSI switched on */
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
    /* As `oom`, of the cgroup that holds all jobs: their common limit was hit. */
    uint64_t oom_of_all;

    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
    uint64_t io_read_operations;
    uint64_t io_write_operations;

    uint64_t pids_current;
    uint64_t pids_refused; /* forks that pids.max refused */

    /*
     * Pressure stall information: time in which some, or all, of the tasks that could have run had
     * to wait for the resource, since the cgroup was made; and the share of it in the last ten
     * seconds, in hundredths of a percent, as the kernel averages it.
     */
    uint64_t psi_cpu_some_usec, psi_cpu_full_usec;
    uint64_t psi_memory_some_usec, psi_memory_full_usec;
    uint64_t psi_io_some_usec, psi_io_full_usec;
    uint64_t psi_cpu_some_avg10, psi_cpu_full_avg10;
    uint64_t psi_memory_some_avg10, psi_memory_full_avg10;
    uint64_t psi_io_some_avg10, psi_io_full_avg10;
};

/*
 * X(figure) for each of them but `known`. Messages name their fields alike, so that whoever adds a
 * figure adds it to all that carry it.
 */
#define CGROUP_USAGE_FIGURES(X)                                                                    \
    X(cpu_usec)                                                                                    \
    X(cpu_user_usec)                                                                               \
    X(cpu_system_usec)                                                                             \
    X(throttled_periods)                                                                           \
    X(throttled_usec)                                                                              \
    X(memory_current)                                                                              \
    X(memory_peak)                                                                                 \
    X(swap_current)                                                                                \
    X(memory_anon)                                                                                 \
    X(memory_file)                                                                                 \
    X(memory_kernel)                                                                               \
    X(memory_high_events)                                                                          \
    X(oom)                                                                                         \
    X(oom_kill)                                                                                    \
    X(oom_group_kill)                                                                              \
    X(oom_of_all)                                                                                  \
    X(io_read_bytes)                                                                               \
    X(io_write_bytes)                                                                              \
    X(io_read_operations)                                                                          \
    X(io_write_operations)                                                                         \
    X(pids_current)                                                                                \
    X(pids_refused)                                                                                \
    X(psi_cpu_some_usec)                                                                           \
    X(psi_cpu_full_usec)                                                                           \
    X(psi_memory_some_usec)                                                                        \
    X(psi_memory_full_usec)                                                                        \
    X(psi_io_some_usec)                                                                            \
    X(psi_io_full_usec)                                                                            \
    X(psi_cpu_some_avg10)                                                                          \
    X(psi_cpu_full_avg10)                                                                          \
    X(psi_memory_some_avg10)                                                                       \
    X(psi_memory_full_avg10)                                                                       \
    X(psi_io_some_avg10)                                                                           \
    X(psi_io_full_avg10)

#define CGROUP_USAGE_ONE_MORE(figure) +1
_Static_assert(sizeof(struct cgroup_usage) ==
                   sizeof(uint64_t) * (1 CGROUP_USAGE_FIGURES(CGROUP_USAGE_ONE_MORE)),
               "a figure is missing in CGROUP_USAGE_FIGURES");
