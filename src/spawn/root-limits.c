/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/root-limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-limits.h"
#include "linux/cgroup-tree.h"
#include "spawn/context.h"
#include "wire/limits.h"

#define NUMBER_MAX 32

/* A job's own, its two leaves, and its group's. */
#define CGROUPS_OF_A_JOB 4

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

static int totals_apply(const struct spawn_context *context, char *told, size_t size)
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

/* By the kernel's own count: we keep none of jobs. */
static int bound_jobs(const struct spawn_context *context, uint64_t jobs, struct error *err)
{
    char text[NUMBER_MAX] = "max";
    int r;

    if (jobs > 0 && jobs <= INT_MAX / CGROUPS_OF_A_JOB)
        snprintf(text, sizeof(text), "%" PRIu64, jobs * CGROUPS_OF_A_JOB);
    r = cgroup_file_write(context->root_fd, "cgroup.max.descendants", text);
    if (r < 0)
        return error_set(err, r, "can't bound the number of jobs: %s", strerror(-r));
    return 0;
}

int root_limits_apply(const struct spawn_context *context, struct error *err)
{
    char told[LIMIT_DETAIL_MAX];
    int r = totals_apply(context, told, sizeof(told));

    if (r < 0)
        return error_set(err, r, "what all jobs together may take can't be limited: %s", told);
    return bound_jobs(context, context->jobs_max, err);
}

int root_limits_unbound_jobs(const struct spawn_context *context, struct error *err)
{
    return bound_jobs(context, 0, err);
}

static int protect_leaf(const struct spawn_context *context, char *told, size_t size)
{
    _cleanup_close_ int fd = cgroup_open(context->tree.fd, context->tree.own, NULL);

    return fd < 0 ? fd
                  : cgroup_limit_apply(fd, CGROUP_LIMIT_MEMORY_MIN, NULL, AGENT_MEMORY_MIN, told,
                                       size);
}

/* Each cgroup from the top down to our own has to have as much. -ENOENT: none has the file. */
static int check_protection(const struct spawn_context *context, char *told, size_t size)
{
    const char *own = context->tree.own;

    for (const char *end = own; *end; end += *end == '/') {
        _cleanup_close_ int fd = FD_NONE;
        _cleanup_free_ char *above = NULL;
        uint64_t protected = 0;
        int r;

        end += strcspn(end, "/");
        above = strndup(own, (size_t)(end - own));
        fd = above ? cgroup_open(context->tree.fd, above, NULL) : -ENOMEM;
        r = fd < 0 ? fd : cgroup_limit_read(fd, CGROUP_LIMIT_MEMORY_MIN, NULL, &protected);
        if (r < 0)
            return r;
        if (protected < AGENT_MEMORY_MIN) {
            snprintf(told, size, "memory.min of %s is %" PRIu64 ", less than %" PRIu64, above,
                     protected, AGENT_MEMORY_MIN);
            return -EDQUOT;
        }
    }
    return 0;
}

int root_protect_agent(const struct spawn_context *context, char *told, size_t size)
{
    const char *leaf = strrchr(context->tree.own, '/');
    int r;

    if (context->reserve_memory == 0)
        return 0;
    r = text_equal(leaf ? leaf + 1 : context->tree.own, AGENT_LEAF)
            ? protect_leaf(context, told, size)
            : check_protection(context, told, size);
    return r == -ENOENT ? 0 : r;
}
