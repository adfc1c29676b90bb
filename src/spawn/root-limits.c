/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/root-limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-limits.h"
#include "linux/cgroup-tree.h"
#include "spawn/context.h"

#define NUMBER_MAX 32

/* hoistd with its threads, the launcher and what they have in the page cache: measured below 30 MB.
 */
#define AGENT_MEMORY_MIN (UINT64_C(64) << 20)

uint64_t root_limit_total(uint64_t host, uint64_t reserve)
{
    return reserve > host / 2 ? host - host / 2 : host - reserve;
}

static uint64_t memory_of_host(void)
{
    struct sysinfo info;

    return sysinfo(&info) < 0 ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

static uint64_t number_read(const char *path)
{
    _cleanup_free_ char *text = NULL;

    return file_read(AT_FDCWD, path, NUMBER_MAX, &text, NULL) < 0 ? 0 : strtoull(text, NULL, 10);
}

/* What the kernel refuses first: it has run out of numbers, or of the memory for tasks. */
static uint64_t tasks_of_host(void)
{
    return MIN(number_read("/proc/sys/kernel/pid_max"),
               number_read("/proc/sys/kernel/threads-max"));
}

struct spawn_room root_limits_room(const struct spawn_context *context)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return (struct spawn_room){
        .memory = root_limit_total(memory_of_host(), context->reserve_memory),
        .cpu_millis = cpus > 0 ? (uint64_t)cpus * 1000 : 1000,
    };
}

int root_limits_apply(const struct spawn_context *context, char *told, size_t size)
{
    const struct {
        enum cgroup_limit limit;
        uint64_t host, reserve;
    } totals[] = {
        {CGROUP_LIMIT_PIDS_MAX, tasks_of_host(), context->reserve_pids},
        {CGROUP_LIMIT_MEMORY_MAX, memory_of_host(), context->reserve_memory},
    };

    for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
        int r;

        if (totals[i].host == 0)
            continue;
        /* "None" is written, too: the root may have that of another configuration. */
        r = cgroup_limit_apply(context->root_fd, totals[i].limit, NULL,
                               totals[i].reserve == 0
                                   ? CGROUP_LIMIT_NONE
                                   : root_limit_total(totals[i].host, totals[i].reserve),
                               told, size);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

int root_protect_agent(const struct spawn_context *context, char *told, size_t size)
{
    const char *leaf = strrchr(context->tree.own, '/');
    _cleanup_close_ int fd = FD_NONE;
    int r;

    if (context->reserve_memory == 0 ||
        !text_equal(leaf ? leaf + 1 : context->tree.own, AGENT_LEAF))
        return 0;
    fd = cgroup_open(context->tree.fd, context->tree.own, NULL);
    r = fd < 0
            ? fd
            : cgroup_limit_apply(fd, CGROUP_LIMIT_MEMORY_MIN, NULL, AGENT_MEMORY_MIN, told, size);
    return r == -ENOENT ? 0 : r;
}
