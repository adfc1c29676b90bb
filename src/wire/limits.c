/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/limits.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define WEIGHT_DEFAULT 100 /* the kernel's, of cpu.weight and of io.weight */

static const struct {
    const char *name;
    const char *controller; /* NULL: an rlimit, or hoist-init's */
    bool zero_is_none;
} limit_table[] = {
    [LIMIT_CPU_PERIOD] = {"cpu_period_usec", "cpu", false},
    [LIMIT_CPU_MILLIS] = {"cpu_millis", "cpu", true},
    [LIMIT_CPU_WEIGHT] = {"cpu_weight", "cpu", false},
    [LIMIT_CPU_TIME] = {"cpu_time_usec", NULL, true},
    [LIMIT_MEMORY_MAX] = {"memory_max", "memory", true},
    [LIMIT_MEMORY_HIGH] = {"memory_high", "memory", true},
    [LIMIT_SWAP_MAX] = {"swap_max", "memory", false},
    [LIMIT_OOM_GROUP] = {"oom_group", "memory", false},
    [LIMIT_PIDS_MAX] = {"pids_max", "pids", true},
    [LIMIT_IO_WEIGHT] = {"io_weight", "io", false},
    [LIMIT_IO_READ_BPS] = {"io_read_bps", "io", true},
    [LIMIT_IO_WRITE_BPS] = {"io_write_bps", "io", true},
    [LIMIT_IO_READ_IOPS] = {"io_read_iops", "io", true},
    [LIMIT_IO_WRITE_IOPS] = {"io_write_iops", "io", true},
    [LIMIT_OPEN_FILES] = {"open_files", NULL, false},
    [LIMIT_CORE_SIZE] = {"core_size", NULL, false},
    [LIMIT_MEMORY_LOW] = {"memory_low", "memory", true},
    [LIMIT_MEMORY_RESERVED] = {"memory_reserved", "memory", true},
    [LIMIT_CPU_RESERVED] = {"cpu_reserved_millis", "cpu", true},
};

static_assert(ARRAY_SIZE(limit_table) == _LIMIT_MAX, "each limit has a row");

const char *limit_name(enum limit limit)
{
    return limit_table[limit].name;
}

const char *limit_controller(enum limit limit)
{
    return limit_table[limit].controller;
}

bool limit_is_none(enum limit limit, uint64_t value)
{
    return value == 0 && limit_table[limit].zero_is_none;
}

bool limit_is_reserve(enum limit limit)
{
    return limit == LIMIT_MEMORY_LOW || limit == LIMIT_MEMORY_RESERVED ||
           limit == LIMIT_CPU_RESERVED;
}

bool limits_hold(const struct limits *limits, enum limit limit, uint64_t *ret)
{
    bool is_weight = limit == LIMIT_CPU_WEIGHT || limit == LIMIT_IO_WEIGHT;

    *ret = limit_is_given(limits, limit) ? limits->value[limit] : is_weight ? WEIGHT_DEFAULT : 0;
    if (limit_is_given(limits, limit) ? !limit_is_none(limit, *ret) : is_weight)
        return true;
    return limit_is_reserve(limit);
}

bool limits_keep_something(const struct limits *limits)
{
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++)
        if (limit_is_reserve(limit) && limit_is_given(limits, limit) && limits->value[limit] > 0)
            return true;
    return false;
}

int limit_from_name(const char *name)
{
    for (int i = 0; i < _LIMIT_MAX; i++)
        if (strcmp(name, limit_table[i].name) == 0)
            return i;
    return -EINVAL;
}
