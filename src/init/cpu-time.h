/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct error;

/*
 * The job's limit of CPU time: usage_usec in cpu.stat of its cgroup, so that it is one limit for
 * the whole tree, dead processes included. (RLIMIT_CPU is one for each process.)
 *
 * Nothing tells when a cgroup has used so much; but n CPUs can't use what is left in less than an
 * n-th of that time, so that is when it is looked at again.
 */

struct cpu_time {
    int fd;       /* cpu.stat; owned; FD_NONE: no limit */
    usec_t limit; /* of CPU time */
    usec_t next;  /* when to look, CLOCK_BOOTTIME */
    unsigned cpus;
};

#define CPU_TIME_NULL ((struct cpu_time){.fd = -EBADF, .next = USEC_INFINITY})

/*
 * `limit` 0: none. Otherwise opens cpu.stat in the directory `cgroup_fd`, which isn't needed
 * afterwards; the first look is due at once.
 */
int cpu_time_open(struct cpu_time *cpu_time, int cgroup_fd, usec_t limit, struct error *err);
void cpu_time_done(struct cpu_time *cpu_time);

/* Looks if it is time to: true, and never again, when the limit is reached. */
bool cpu_time_is_over(struct cpu_time *cpu_time, usec_t now);

/* When cpu_time_is_over() has something to look at; USEC_INFINITY: never. */
static inline usec_t cpu_time_next(const struct cpu_time *cpu_time)
{
    return cpu_time->next;
}

/* usage_usec of the text of a cpu.stat; -EBADMSG when there is none. */
int cpu_time_parse(const char *stat, usec_t *ret);
