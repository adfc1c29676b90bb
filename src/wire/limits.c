/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/limits.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
    const char *name;
    const char *controller; /* NULL: an rlimit */
} limit_table[] = {
    [LIMIT_CPU_MILLIS] = {"cpu_millis", "cpu"},    [LIMIT_CPU_WEIGHT] = {"cpu_weight", "cpu"},
    [LIMIT_MEMORY_MAX] = {"memory_max", "memory"}, [LIMIT_MEMORY_HIGH] = {"memory_high", "memory"},
    [LIMIT_SWAP_MAX] = {"swap_max", "memory"},     [LIMIT_PIDS_MAX] = {"pids_max", "pids"},
    [LIMIT_IO_READ_BPS] = {"io_read_bps", "io"},   [LIMIT_IO_WRITE_BPS] = {"io_write_bps", "io"},
    [LIMIT_IO_READ_IOPS] = {"io_read_iops", "io"}, [LIMIT_IO_WRITE_IOPS] = {"io_write_iops", "io"},
    [LIMIT_OPEN_FILES] = {"open_files", NULL},     [LIMIT_CORE_SIZE] = {"core_size", NULL},
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

int limit_from_name(const char *name)
{
    for (int i = 0; i < _LIMIT_MAX; i++)
        if (strcmp(name, limit_table[i].name) == 0)
            return i;
    return -EINVAL;
}
