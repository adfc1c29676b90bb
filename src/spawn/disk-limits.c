/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/disk-limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-tree.h"
#include "linux/disks.h"
#include "linux/mount-table.h"
#include "spawn/context-profile.h"
#include "spawn/context.h"
#include "wire/limits.h"

#define SCHEDULERS_MAX 256         /* "none [mq-deadline] kyber bfq" */
#define IO_COST_MAX    (64u << 10) /* io.cost.qos: about 100 bytes for each disk */
#define BFQ_WEIGHT_MAX UINT64_C(1000)
#define DEPTH_MAX      8 /* of devices that are made of others */

/* --- the disks ----------------------------------------------------------------------------------
 */

struct sight {
    const struct context_profile *profile;
    const struct mount_table *table;
};

static bool mount_is_shown(const struct mount_entry *entry, void *data)
{
    const struct sight *sight = data;

    return context_profile_shows(sight->profile, sight->table, entry);
}

static int disks_find(const struct spawn_context *context, struct error *err)
{
    _cleanup_mount_table_ struct mount_table table = {0};
    int r = mount_table_read(&table, err);

    for (size_t i = 0; r >= 0 && i < context->profile_count; i++) {
        struct context_profile *profile = &context->profiles[i];
        struct sight sight = {profile, &table};
        struct disk_set disks;

        r = disk_set_find(&table, context->sysfs_fd, mount_is_shown, &sight, &disks, err);
        if (r < 0)
            return r;
        disk_set_done(&profile->disks);
        profile->disks = disks;
    }
    return r;
}

int disk_limits_refresh(struct spawn_context *context, struct error *err)
{
    uint64_t mounts;
    int r;

    if (!(context->controllers & CGROUP_CONTROLLER_IO))
        return 0;
    mounts = mount_watch_changes(&context->mounts);
    if (context->disks_of == mounts)
        return 0;
    if (context->sysfs_fd < 0)
        context->sysfs_fd = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (context->sysfs_fd < 0)
        return error_set(err, -errno, "can't open /sys: %s", strerror(errno));
    r = disks_find(context, err);
    if (r >= 0)
        context->disks_of = mounts;
    return r;
}

/* --- limits -------------------------------------------------------------------------------------
 */

static int refuse_unreachable(const struct disk_set *disks, char *detail)
{
    snprintf(detail, LIMIT_DETAIL_MAX, "not enforceable here: %.*s", LIMIT_DETAIL_MAX / 2,
             disks->unreachable[0]);
    return -EOPNOTSUPP;
}

/* What stands on each disk. Of very many the last are counted only. */
struct told {
    char *detail; /* [LIMIT_DETAIL_MAX] */
    unsigned more;
};

#define MORE_FORMAT ", and on %u more"
#define MORE_MAX    24

static void told_add(struct told *told, const char *text)
{
    size_t used = strlen(told->detail), size = strlen(text);

    if (used + size + MORE_MAX >= LIMIT_DETAIL_MAX)
        told->more++;
    else
        snprintf(told->detail + used, LIMIT_DETAIL_MAX - used, "%s%.*s", used ? ", " : "",
                 (int)size, text);
}

static void told_end(const struct told *told)
{
    size_t used = strlen(told->detail);

    if (told->more > 0)
        snprintf(told->detail + used, LIMIT_DETAIL_MAX - used, MORE_FORMAT, told->more);
}

/*
 * On the disk, or, where io.max refuses it and it is made of others, on all of those. What is
 * refused by the lowest is told.
 */
static int apply_on_disk(const struct spawn_context *context, int cmd_fd, enum cgroup_limit limit,
                         struct disk disk, uint64_t value, unsigned depth, struct told *told)
{
    struct disk_set lower = {.count = 0};
    char text[LIMIT_DETAIL_MAX];
    int r = cgroup_limit_apply(cmd_fd, limit, &disk, value, text, sizeof(text));

    if (r < 0 && r != -ENOENT && depth < DEPTH_MAX)
        (void)disk_set_lower(context->sysfs_fd, disk, &lower);
    if (r < 0 && lower.count == 0) {
        snprintf(told->detail, LIMIT_DETAIL_MAX, "%s", text);
        return r;
    }
    if (r >= 0)
        told_add(told, text);
    for (size_t i = 0; i < lower.count; i++) {
        r = apply_on_disk(context, cmd_fd, limit, lower.disks[i], value, depth + 1, told);
        if (r < 0)
            return r;
    }
    return 0;
}

int disk_limits_apply(const struct spawn_context *context, const struct disk_set *disks, int cmd_fd,
                      enum cgroup_limit limit, uint64_t value, char *detail)
{
    struct told told = {.detail = detail};

    detail[0] = '\0';
    for (size_t i = 0; i < disks->count; i++) {
        int r = apply_on_disk(context, cmd_fd, limit, disks->disks[i], value, 0, &told);

        if (r < 0)
            return r;
    }
    told_end(&told);
    if (disks->unreachable)
        return refuse_unreachable(disks, detail);
    if (disks->count == 0)
        snprintf(detail, LIMIT_DETAIL_MAX, "no disk is in sight");
    return 0;
}

/* --- weights ------------------------------------------------------------------------------------
 */

/* "none [mq-deadline] bfq": the one in brackets is at work. */
static bool disk_has_bfq(int sysfs_fd, struct disk disk)
{
    _cleanup_free_ char *schedulers = NULL;
    char path[64];

    snprintf(path, sizeof(path), "dev/block/%u:%u/queue/scheduler", disk.major, disk.minor);
    return file_read(sysfs_fd, path, SCHEDULERS_MAX, &schedulers, NULL) >= 0 &&
           strstr(schedulers, "[bfq]");
}

/* "254:0 enable=1 ctrl=auto …" in the io.cost.qos of the hierarchy's root. */
static bool disk_has_io_cost(int mount_fd, struct disk disk)
{
    char text[IO_COST_MAX], device[32];
    const char *line;

    snprintf(device, sizeof(device), "%u:%u enable=1", disk.major, disk.minor);
    if (cgroup_file_read(mount_fd, "io.cost.qos", text, sizeof(text)) < 0)
        return false;
    for (line = strstr(text, device); line; line = strstr(line + 1, device))
        if (line == text || line[-1] == '\n')
            return true;
    return false;
}

/* Among its siblings a job is its own cgroup, of which the command's is a part. */
static int weight_write(int job_fd, int cmd_fd, enum cgroup_limit file, uint64_t weight,
                        char *detail)
{
    int r = cgroup_limit_apply(job_fd, file, NULL, weight, detail, LIMIT_DETAIL_MAX);

    return r < 0 ? r : cgroup_limit_apply(cmd_fd, file, NULL, weight, detail, LIMIT_DETAIL_MAX);
}

int disk_limits_apply_weight(const struct spawn_context *context, const struct disk_set *disks,
                             int job_fd, int cmd_fd, uint64_t weight, char *detail)
{
    bool bfq = false, io_cost = false;
    int r = 0;

    if (disks->unreachable)
        return refuse_unreachable(disks, detail);
    snprintf(detail, LIMIT_DETAIL_MAX, "no disk is in sight");
    for (size_t i = 0; i < disks->count; i++) {
        struct disk disk = disks->disks[i];

        if (disk_has_bfq(context->sysfs_fd, disk)) {
            bfq = true;
        } else if (disk_has_io_cost(context->tree.fd, disk)) {
            io_cost = true;
        } else {
            snprintf(detail, LIMIT_DETAIL_MAX,
                     "disk %u:%u heeds no weights: give it the scheduler bfq or io.cost.qos",
                     disk.major, disk.minor);
            return -EOPNOTSUPP;
        }
    }
    if (bfq)
        r = weight_write(job_fd, cmd_fd, CGROUP_LIMIT_IO_BFQ_WEIGHT, MIN(weight, BFQ_WEIGHT_MAX),
                         detail);
    if (r >= 0 && io_cost)
        r = weight_write(job_fd, cmd_fd, CGROUP_LIMIT_IO_WEIGHT, weight, detail);
    return r;
}
