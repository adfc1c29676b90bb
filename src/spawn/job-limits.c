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
#include "spawn/disk-limits.h"
#include "spawn/job-cgroups.h"
#include "spawn/reserves.h"

#define PROBE_CGROUP ".probe" /* no group's name: they begin with "p-" */
#define STAT_MAX     4096     /* cpu.stat is about 200 bytes, io.max of many disks is cut */

enum enforcer {
    BY_CGROUP, /* a control file of cmd/ */
    BY_SHARE,  /* the same file of the job's cgroup too: it weighs against siblings */
    BY_LEVELS, /* of cmd/, of the job's cgroup and of all above it: what is kept for the job */
    BY_DISKS,  /* a control file with a line for each disk */
    BY_WEIGHT, /* of input and output */
    BY_RLIMIT,
    BY_INIT, /* hoist-init looks at cpu.stat of cmd/ */
};

static const struct {
    enum enforcer enforcer;
    enum cgroup_limit limit;
} enforcers[_LIMIT_MAX] = {
    [LIMIT_CPU_PERIOD] = {BY_CGROUP, CGROUP_LIMIT_CPU_PERIOD},
    [LIMIT_CPU_MILLIS] = {BY_CGROUP, CGROUP_LIMIT_CPU_MAX},
    [LIMIT_CPU_WEIGHT] = {BY_SHARE, CGROUP_LIMIT_CPU_WEIGHT},
    [LIMIT_CPU_TIME] = {BY_INIT, _CGROUP_LIMIT_MAX},
    [LIMIT_MEMORY_MAX] = {BY_CGROUP, CGROUP_LIMIT_MEMORY_MAX},
    [LIMIT_MEMORY_HIGH] = {BY_CGROUP, CGROUP_LIMIT_MEMORY_HIGH},
    [LIMIT_SWAP_MAX] = {BY_CGROUP, CGROUP_LIMIT_SWAP_MAX},
    [LIMIT_OOM_GROUP] = {BY_CGROUP, CGROUP_LIMIT_OOM_GROUP},
    [LIMIT_PIDS_MAX] = {BY_CGROUP, CGROUP_LIMIT_PIDS_MAX},
    [LIMIT_IO_WEIGHT] = {BY_WEIGHT, CGROUP_LIMIT_IO_WEIGHT},
    [LIMIT_IO_READ_BPS] = {BY_DISKS, CGROUP_LIMIT_IO_READ_BPS},
    [LIMIT_IO_WRITE_BPS] = {BY_DISKS, CGROUP_LIMIT_IO_WRITE_BPS},
    [LIMIT_IO_READ_IOPS] = {BY_DISKS, CGROUP_LIMIT_IO_READ_IOPS},
    [LIMIT_IO_WRITE_IOPS] = {BY_DISKS, CGROUP_LIMIT_IO_WRITE_IOPS},
    [LIMIT_OPEN_FILES] = {BY_RLIMIT, _CGROUP_LIMIT_MAX},
    [LIMIT_CORE_SIZE] = {BY_RLIMIT, _CGROUP_LIMIT_MAX},
    [LIMIT_MEMORY_LOW] = {BY_LEVELS, CGROUP_LIMIT_MEMORY_LOW},
    [LIMIT_MEMORY_RESERVED] = {BY_LEVELS, CGROUP_LIMIT_MEMORY_MIN},
    [LIMIT_CPU_RESERVED] = {BY_LEVELS, CGROUP_LIMIT_CPU_WEIGHT}, /* behind LIMIT_CPU_WEIGHT */
};

/* --- what can be enforced -----------------------------------------------------------------------
 */

static bool has_file(int cgroup_fd, const char *name)
{
    char text[STAT_MAX];
    int r = cgroup_fd < 0 ? cgroup_fd : cgroup_file_read(cgroup_fd, name, text, sizeof(text));

    return r >= 0;
}

/* By its controller and files alone: what a disk heeds is seen when a job asks for it. */
static bool limit_can_be_enforced(const struct spawn_context *context, int probe_fd,
                                  enum limit limit)
{
    enum cgroup_limit in_cgroup = enforcers[limit].limit;

    switch (enforcers[limit].enforcer) {
    case BY_RLIMIT:
        return true;
    case BY_INIT:
        return has_file(probe_fd, "cpu.stat");
    case BY_WEIGHT:
        return context->controllers & CGROUP_CONTROLLER_IO &&
               (has_file(probe_fd, cgroup_limit_file(CGROUP_LIMIT_IO_WEIGHT)) ||
                has_file(probe_fd, cgroup_limit_file(CGROUP_LIMIT_IO_BFQ_WEIGHT)));
    case BY_CGROUP:
    case BY_SHARE:
    case BY_LEVELS:
    case BY_DISKS:
        break;
    }
    return context->controllers & cgroup_limit_controller(in_cgroup) &&
           has_file(probe_fd, cgroup_limit_file(in_cgroup));
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

static int apply_in_cgroup(const struct spawn_context *context, const struct job_cgroups *cgroups,
                           const struct spawn_spec *spec, enum limit limit, char *detail)
{
    enum cgroup_limit in_cgroup = enforcers[limit].limit;
    enum enforcer enforcer = enforcers[limit].enforcer;
    uint64_t value = spec->limits.value[limit];
    bool has_io = context->controllers & CGROUP_CONTROLLER_IO;
    const struct disk_set *disks = &context_profile_find(context, spec->profile)->disks;
    int r = 0;

    if (enforcer == BY_LEVELS && in_cgroup == CGROUP_LIMIT_CPU_WEIGHT)
        return reserve_cpu(context, spec->group, cgroups, &spec->limits, detail);
    if (enforcer == BY_LEVELS)
        return reserve_memory(context, spec->group, cgroups, in_cgroup, value, detail);

    if (enforcer == BY_DISKS && has_io)
        return disk_limits_apply(context, disks, cgroups->cmd, in_cgroup, value, detail);
    if (enforcer == BY_WEIGHT && has_io)
        return disk_limits_apply_weight(context, disks, cgroups->job, cgroups->cmd, value, detail);
    if (enforcer == BY_SHARE)
        r = cgroup_limit_apply(cgroups->job, in_cgroup, NULL, value, detail, LIMIT_DETAIL_MAX);
    return r < 0 ? r
                 : cgroup_limit_apply(cgroups->cmd, in_cgroup, &(struct disk){0}, value, detail,
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

static int apply_by_init(int cmd_fd, uint64_t value, char *detail)
{
    if (!has_file(cmd_fd, "cpu.stat")) {
        snprintf(detail, LIMIT_DETAIL_MAX, "there is no cpu.stat");
        return -EOPNOTSUPP;
    }
    snprintf(detail, LIMIT_DETAIL_MAX, "cpu.stat usage_usec %" PRIu64, value);
    return 0;
}

static int limit_apply(const struct spawn_context *context, const struct job_cgroups *cgroups,
                       const struct spawn_spec *spec, enum limit limit, char *detail)
{
    enum enforcer enforcer = enforcers[limit].enforcer;
    uint64_t value = spec->limits.value[limit];

    if (enforcer == BY_RLIMIT)
        return apply_rlimit(context, limit, value, detail);
    if (limit_is_none(limit, value)) {
        snprintf(detail, LIMIT_DETAIL_MAX, "no limit"); /* so it is in a fresh cgroup */
        return 0;
    }
    if (cgroups->cmd < 0) {
        snprintf(detail, LIMIT_DETAIL_MAX, "jobs have no cgroup here");
        return -EOPNOTSUPP;
    }
    if (enforcer == BY_INIT)
        return apply_by_init(cgroups->cmd, value, detail);
    return apply_in_cgroup(context, cgroups, spec, limit, detail);
}

static int refuse(enum limit limit, const char *detail, struct error *err)
{
    const char *controller = limit_controller(limit);

    return error_set(err, -EOPNOTSUPP, "limit %s can't be enforced%s%s%s: %s", limit_name(limit),
                     controller ? " (controller " : "", controller ? controller : "",
                     controller ? ")" : "", detail);
}

int job_limits_apply(const struct spawn_context *context, const struct job_cgroups *cgroups,
                     const struct spawn_spec *spec, struct limit_report *ret,
                     enum spawn_failure *ret_failure, struct error *err)
{
    *ret = (struct limit_report){0};
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++) {
        bool may_be_less = spec->warn_unenforced || enforcers[limit].enforcer == BY_RLIMIT;

        if (!limit_is_given(&spec->limits, limit))
            continue;
        if (limit_apply(context, cgroups, spec, limit, ret->detail[limit]) >= 0) {
            ret->enforced |= LIMIT_BIT(limit);
        } else if (!may_be_less) {
            *ret_failure = SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE;
            ret->refused = LIMIT_BIT(limit);
            return refuse(limit, ret->detail[limit], err);
        }
    }
    return 0;
}
