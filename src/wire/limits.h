/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The limits of a job, as values and as what became of them.
 *
 * One enum indexes every table about limits (names, controllers, control files, ceilings), so that
 * a limit can't be known in one place and forgotten in another. The names are those of the fields
 * of hoist.v1.Limits.
 */

enum limit {
    LIMIT_CPU_PERIOD,  /* µs in which the quota is counted, 1000 … 1000000; before it: cpu.max */
    LIMIT_CPU_MILLIS,  /* thousandths of one CPU; 0: no quota */
    LIMIT_CPU_WEIGHT,  /* 1 … 10000 */
    LIMIT_CPU_TIME,    /* µs of CPU time of the whole tree; hoist-init keeps it; 0: none */
    LIMIT_MEMORY_MAX,  /* bytes; 0: none */
    LIMIT_MEMORY_HIGH, /* bytes; 0: none */
    LIMIT_SWAP_MAX,    /* bytes; 0: no swap at all */
    LIMIT_OOM_GROUP,   /* 1: an OOM kill ends the whole job; 0: one process */
    LIMIT_PIDS_MAX,    /* tasks; 0: none */
    LIMIT_IO_WEIGHT,   /* 1 … 10000 */
    LIMIT_IO_READ_BPS, /* bytes a second on each disk; 0: none */
    LIMIT_IO_WRITE_BPS,    /* bytes a second on each disk; 0: none */
    LIMIT_IO_READ_IOPS,    /* operations a second on each disk; 0: none */
    LIMIT_IO_WRITE_IOPS,   /* operations a second on each disk; 0: none */
    LIMIT_OPEN_FILES,      /* RLIMIT_NOFILE */
    LIMIT_CORE_SIZE,       /* RLIMIT_CORE, bytes */
    LIMIT_MEMORY_LOW,      /* bytes that are reclaimed last; 0: none */
    LIMIT_MEMORY_RESERVED, /* bytes that are never reclaimed; 0: none */
    LIMIT_CPU_RESERVED,    /* thousandths of one CPU; 0: none */
    _LIMIT_MAX,
};

struct limits {
    uint64_t value[_LIMIT_MAX];
    uint32_t given; /* LIMIT_BIT()s of the values that were asked for */
};

#define LIMIT_BIT(limit) (UINT32_C(1) << (limit))

static inline bool limit_is_given(const struct limits *limits, enum limit limit)
{
    return limits->given & LIMIT_BIT(limit);
}

static inline void limit_set(struct limits *limits, enum limit limit, uint64_t value)
{
    limits->value[limit] = value;
    limits->given |= LIMIT_BIT(limit);
}

/* "memory_max"; never NULL for a valid limit. */
const char *limit_name(enum limit limit);

/* The limit called `name`, or -EINVAL. */
int limit_from_name(const char *name);

/* The cgroup controller that enforces it ("memory"); NULL: an rlimit, or hoist-init's. */
const char *limit_controller(enum limit limit);

/* `value` stands for "no limit": 0, of most. */
bool limit_is_none(enum limit limit, uint64_t value);

/*
 * It keeps something for the job instead of holding the job back: what is said of it nowhere is
 * nothing, and 0 is the least of its values, not the most.
 */
bool limit_is_reserve(enum limit limit);

/*
 * The value that holds: what is given, or what the kernel takes where nothing is (a weight of 100;
 * nothing kept). false: there is no such limit, or it says "none"; *ret is 0 then.
 */
bool limits_hold(const struct limits *limits, enum limit limit, uint64_t *ret);

bool limits_keep_something(const struct limits *limits);

/* What became of each given limit: written and read back, or why not. */
#define LIMIT_DETAIL_MAX 160

struct limit_report {
    uint32_t enforced; /* LIMIT_BIT()s, a subset of `given` */
    uint32_t refused;  /* LIMIT_BIT() of the one that a start was refused for; 0: none */
    char detail[_LIMIT_MAX]
               [LIMIT_DETAIL_MAX]; /* "memory.max 536870912", or why it is not in force */
};
