/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/init-process.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/pidref.h"
#include "linux/cgroup-stat.h"
#include "linux/cgroup-tree.h"
#include "spawn/context.h"

#define PROCS_TEXT_MAX 4096

static int read_pid(int cgroup_fd, pid_t *ret)
{
    _cleanup_free_ char *text = NULL;
    int r = file_read(cgroup_fd, "cgroup.procs", PROCS_TEXT_MAX, &text, NULL);
    long pid;

    if (r < 0)
        return r;
    pid = strtol(text, NULL, 10);
    if (pid <= 0) /* nobody, or somebody of a pid namespace that isn't ours */
        return -ESRCH;
    *ret = (pid_t)pid;
    return 0;
}

/* What runs takes time, and the kernel counts that for the cgroup also after the end. */
static bool was_used(int cgroup_fd)
{
    struct cgroup_usage usage;

    return cgroup_usage_read(cgroup_fd, &usage, NULL) < 0 || !(usage.known & CGROUP_KNOWS_CPU) ||
           usage.cpu_usec > 0;
}

/* Read again once there is a pidfd: a pid that was used anew meanwhile isn't in this cgroup. */
static int open_process(int cgroup_fd, struct pidref *ret)
{
    struct pidref ref = PIDREF_NULL;
    uint64_t start_time;
    pid_t pid, again;
    int r = read_pid(cgroup_fd, &pid);

    if (r == 0)
        r = pid_start_time(pid, &start_time);
    if (r == 0)
        r = pidref_reopen(pid, start_time, &ref);
    if (r < 0)
        return r;
    r = read_pid(cgroup_fd, &again);
    if (r < 0 || again != pid) {
        pidref_done(&ref);
        return r < 0 ? r : -ESRCH;
    }
    *ret = ref;
    return 0;
}

int init_process_find(const struct spawn_context *context, const char *group, const struct id *id,
                      struct spawn_result *ret)
{
    _cleanup_close_ int cgroup_fd = FD_NONE;
    struct spawn_result result = SPAWN_RESULT_NULL;
    struct pidref ref = PIDREF_NULL;
    char path[SPAWN_GROUP_MAX + ID_TEXT_MAX + sizeof("//init")], text[ID_TEXT_MAX];
    int r;

    snprintf(path, sizeof(path), "%s/%s/init", group, id_format(id, text));
    cgroup_fd = cgroup_open(context->root_fd, path, NULL);
    if (cgroup_fd < 0)
        return cgroup_fd;
    r = open_process(cgroup_fd, &ref);
    if (r == -ESRCH && !was_used(cgroup_fd))
        return -ENOENT;
    if (r == -ENODEV) /* it was removed in between */
        return -ESRCH;
    if (r < 0)
        return r;
    result.pid = ref.pid;
    result.start_time = ref.start_time;
    result.pidfd = ref.fd;
    *ret = result;
    return 0;
}
