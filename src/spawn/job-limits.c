/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/job-limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-limits.h"
#include "linux/cgroup-tree.h"
#include "spawn/context.h"

#define PROBE_CGROUP ".probe" /* no group's name: they begin with "p-" */

/* The limits that are a cgroup's, and what 0 means for them. */
static const struct {
    bool in_cgroup;
    enum cgroup_limit limit;
    bool zero_is_none;
} cgroup_limits[_LIMIT_MAX] = {
    [LIMIT_CPU_MILLIS] = {true, CGROUP_LIMIT_CPU_MAX, true},
    [LIMIT_CPU_WEIGHT] = {true, CGROUP_LIMIT_CPU_WEIGHT, false},
    [LIMIT_MEMORY_MAX] = {true, CGROUP_LIMIT_MEMORY_MAX, true},
    [LIMIT_MEMORY_HIGH] = {true, CGROUP_LIMIT_MEMORY_HIGH, true},
    [LIMIT_SWAP_MAX] = {true, CGROUP_LIMIT_SWAP_MAX, false},
    [LIMIT_PIDS_MAX] = {true, CGROUP_LIMIT_PIDS_MAX, true},
    [LIMIT_IO_READ_BPS] = {true, CGROUP_LIMIT_IO_READ_BPS, true},
    [LIMIT_IO_WRITE_BPS] = {true, CGROUP_LIMIT_IO_WRITE_BPS, true},
    [LIMIT_IO_READ_IOPS] = {true, CGROUP_LIMIT_IO_READ_IOPS, true},
    [LIMIT_IO_WRITE_IOPS] = {true, CGROUP_LIMIT_IO_WRITE_IOPS, true},
    [LIMIT_OPEN_FILES] = {false, _CGROUP_LIMIT_MAX, false},
    [LIMIT_CORE_SIZE] = {false, _CGROUP_LIMIT_MAX, false},
};

/* --- what can be enforced -----------------------------------------------------------------------
 */

static bool limit_can_be_enforced(const struct spawn_context *context, int probe_fd,
                                  enum limit limit)
{
    enum cgroup_limit in_cgroup = cgroup_limits[limit].limit;
    char text[4096];

    if (!cgroup_limits[limit].in_cgroup)
        return true;
    if (probe_fd < 0 || !(context->controllers & cgroup_limit_controller(in_cgroup)))
        return false;
    if (cgroup_limit_is_of_disk(in_cgroup) && context->disks.unreachable)
        return false;
    return cgroup_file_read(probe_fd, cgroup_limit_file(in_cgroup), text, sizeof(text)) >= 0;
}

int job_limits_probe(const struct spawn_context *context, uint32_t *ret, struct error *err)
{
    _cleanup_close_ int probe_fd = FD_NONE;
    uint32_t enforceable = 0;

    if (context->root_fd >= 0) {
        probe_fd = cgroup_make(context->root_fd, PROBE_CGROUP, NULL, err);
        if (probe_fd < 0)
            return probe_fd;
    }
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++)
        if (limit_can_be_enforced(context, probe_fd, limit))
            enforceable |= LIMIT_BIT(limit);
    if (probe_fd >= 0)
        (void)cgroup_remove_empty(context->root_fd, PROBE_CGROUP); /* another agent's probe, too */

    *ret = enforceable;
    return 0;
}

/* --- enforcing ----------------------------------------------------------------------------------
 */

/* The same limit on each disk that the job sees. */
static int apply_to_disks(const struct spawn_context *context, int cmd_fd, enum cgroup_limit limit,
                          uint64_t value, char *detail)
{
    size_t used = 0;

    for (size_t i = 0; i < context->disks.count; i++) {
        char told[LIMIT_DETAIL_MAX];
        int r =
            cgroup_limit_apply(cmd_fd, limit, &context->disks.disks[i], value, told, sizeof(told));

        if (r < 0) {
            snprintf(detail, LIMIT_DETAIL_MAX, "%s", told);
            return r;
        }
        if (used < LIMIT_DETAIL_MAX)
            used += (size_t)snprintf(detail + used, LIMIT_DETAIL_MAX - used, "%s%s",
                                     used ? ", " : "", told);
    }
    if (context->disks.unreachable) {
        snprintf(detail, LIMIT_DETAIL_MAX, "not enforceable here: %.*s", LIMIT_DETAIL_MAX / 2,
                 context->disks.unreachable[0]);
        return -EOPNOTSUPP;
    }
    if (context->disks.count == 0)
        snprintf(detail, LIMIT_DETAIL_MAX, "no disk is in sight");
    return 0;
}

static int apply_in_cgroup(const struct spawn_context *context, int cmd_fd, enum limit limit,
                           uint64_t value, char *detail)
{
    enum cgroup_limit in_cgroup = cgroup_limits[limit].limit;

    if (cgroup_limits[limit].zero_is_none && value == 0) {
        snprintf(detail, LIMIT_DETAIL_MAX, "no limit"); /* so it is in a fresh cgroup */
        return 0;
    }
    if (cmd_fd < 0) {
        snprintf(detail, LIMIT_DETAIL_MAX, "jobs have no cgroup here");
        return -EOPNOTSUPP;
    }
    if (cgroup_limit_is_of_disk(in_cgroup) &&
        (context->controllers & cgroup_limit_controller(in_cgroup)))
        return apply_to_disks(context, cmd_fd, in_cgroup, value, detail);
    return cgroup_limit_apply(cmd_fd, in_cgroup, &(struct disk){0}, value, detail,
                              LIMIT_DETAIL_MAX);
}

static int apply_rlimit(const struct spawn_context *context, enum limit limit, uint64_t value,
                        char *detail)
{
    uint64_t largest = limit == LIMIT_OPEN_FILES ? context->open_files : context->core_size;

    snprintf(detail, LIMIT_DETAIL_MAX, "%s %" PRIu64, limit_name(limit), MIN(value, largest));
    if (value <= largest)
        return 0;
    snprintf(detail, LIMIT_DETAIL_MAX, "only %" PRIu64 ": the agent may not raise it", largest);
    return -EPERM;
}

static int refuse(enum limit limit, const char *detail, struct error *err)
{
    return error_set(err, -EOPNOTSUPP, "limit %s can't be enforced (controller %s): %s",
                     limit_name(limit), limit_controller(limit), detail);
}

int job_limits_apply(const struct spawn_context *context, int cmd_fd, const struct spawn_spec *spec,
                     struct limit_report *ret, enum spawn_failure *ret_failure, struct error *err)
{
    *ret = (struct limit_report){0};
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++) {
        uint64_t value = spec->limits.value[limit];
        bool in_cgroup = cgroup_limits[limit].in_cgroup;
        int r;

        if (!limit_is_given(&spec->limits, limit))
            continue;
        r = in_cgroup ? apply_in_cgroup(context, cmd_fd, limit, value, ret->detail[limit])
                      : apply_rlimit(context, limit, value, ret->detail[limit]);
        if (r >= 0) {
            ret->enforced |= LIMIT_BIT(limit);
        } else if (in_cgroup && !spec->warn_unenforced) {
            *ret_failure = SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE;
            return refuse(limit, ret->detail[limit], err);
        }
    }
    return 0;
}
