/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/reserves.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-tree.h"
#include "spawn/context.h"
#include "spawn/job-cgroups.h"
#include "spawn/spawn.h"
#include "wire/limits.h"

#define WEIGHT_DEFAULT UINT64_C(100) /* of every cgroup, unless told */
#define WEIGHT_MAX     UINT64_C(10000)
#define NUMBER_MAX     32

/* --- sums ---------------------------------------------------------------------------------------
 */

/* What stands in the child's file, or `without` where it has none. */
static uint64_t child_number(int dir_fd, const char *child, enum cgroup_limit limit,
                             uint64_t without)
{
    _cleanup_free_ char *path = text_format("%s/%s", child, cgroup_limit_file(limit));
    char text[NUMBER_MAX], end;
    uint64_t number;

    if (!path || cgroup_file_read(dir_fd, path, text, sizeof(text)) < 0)
        return without;
    if (text_equal(text, "max"))
        return CGROUP_LIMIT_NONE;
    return sscanf(text, "%" SCNu64 "%c", &number, &end) == 1 ? number : without;
}

/* What the child needs of the cgroup that it is in. */
typedef uint64_t share_fn(int dir_fd, const char *child, enum cgroup_limit limit);

static uint64_t share_of_memory(int dir_fd, const char *child, enum cgroup_limit limit)
{
    return child_number(dir_fd, child, limit, 0);
}

static uint64_t share_of_job_in_cpu(int group_fd, const char *job, enum cgroup_limit limit)
{
    _cleanup_free_ char *cmd = text_format("%s/cmd", job);
    uint64_t weight = child_number(group_fd, job, limit, WEIGHT_DEFAULT);
    uint64_t base = cmd ? child_number(group_fd, cmd, limit, weight) : weight;

    return weight > base ? weight - base : 0;
}

static int sum_write(int dir_fd, share_fn *share, enum cgroup_limit limit, uint64_t base,
                     uint64_t largest)
{
    _cleanup_strv_ char **children = NULL;
    uint64_t sum = base;
    int r = cgroup_children(dir_fd, &children);

    for (char **child = children; r >= 0 && child && *child; child++)
        if (__builtin_add_overflow(sum, share(dir_fd, *child, limit), &sum))
            sum = largest;
    return r < 0 ? r : cgroup_limit_apply(dir_fd, limit, NULL, MIN(sum, largest), NULL, 0);
}

static int group_sum_up(const struct spawn_context *context, const char *group,
                        enum cgroup_limit limit)
{
    _cleanup_close_ int fd = cgroup_open(context->root_fd, group, NULL);

    if (fd < 0)
        return fd;
    return limit == CGROUP_LIMIT_CPU_WEIGHT
               ? sum_write(fd, share_of_job_in_cpu, limit, WEIGHT_DEFAULT, WEIGHT_MAX)
               : sum_write(fd, share_of_memory, limit, 0, CGROUP_LIMIT_NONE);
}

/* What the root weighs is not ours to say: there all jobs compete with what is none. */
static int root_sum_up(const struct spawn_context *context, enum cgroup_limit limit)
{
    return limit == CGROUP_LIMIT_CPU_WEIGHT
               ? 0
               : sum_write(context->root_fd, share_of_memory, limit, 0, CGROUP_LIMIT_NONE);
}

static int levels_sum_up(const struct spawn_context *context, const char *group,
                         enum cgroup_limit limit)
{
    int r = group_sum_up(context, group, limit);

    return r < 0 ? r : root_sum_up(context, limit);
}

static const enum cgroup_limit summed[] = {CGROUP_LIMIT_MEMORY_MIN, CGROUP_LIMIT_MEMORY_LOW,
                                           CGROUP_LIMIT_CPU_WEIGHT};

static bool is_summed_here(const struct spawn_context *context, enum cgroup_limit limit)
{
    return context->root_fd >= 0 && context->controllers & cgroup_limit_controller(limit);
}

void reserves_sum_up(const struct spawn_context *context, const char *group)
{
    for (size_t i = 0; i < ARRAY_SIZE(summed); i++) {
        if (!is_summed_here(context, summed[i]))
            continue;
        (void)group_sum_up(context, group, summed[i]);
        (void)root_sum_up(context, summed[i]);
    }
}

static bool groups_sum_up(const struct spawn_context *context, enum cgroup_limit limit)
{
    uint64_t nothing = limit == CGROUP_LIMIT_CPU_WEIGHT ? WEIGHT_DEFAULT : 0;
    _cleanup_strv_ char **groups = NULL;
    bool found = false;

    (void)cgroup_children(context->root_fd, &groups);
    for (char **group = groups; group && *group; group++) {
        if (!spawn_group_is_valid(*group))
            continue;
        (void)group_sum_up(context, *group, limit);
        found |= child_number(context->root_fd, *group, limit, nothing) != nothing;
    }
    return found;
}

bool reserves_found(const struct spawn_context *context)
{
    bool found = false;

    for (size_t i = 0; i < ARRAY_SIZE(summed); i++) {
        if (!is_summed_here(context, summed[i]))
            continue;
        found |= groups_sum_up(context, summed[i]);
        (void)root_sum_up(context, summed[i]);
    }
    return found;
}

/* --- memory -------------------------------------------------------------------------------------
 */

/* Cgroups above the jobs' root are others', and so is what they are protected: it bounds ours. */
static int check_above(const struct spawn_context *context, enum cgroup_limit limit, uint64_t sum,
                       char *detail)
{
    const char *file = cgroup_limit_file(limit);

    for (const char *end = strchr(context->root, '/'); end; end = strchr(end + 1, '/')) {
        _cleanup_free_ char *above = strndup(context->root, (size_t)(end - context->root));
        uint64_t protected = above ? child_number(context->tree.fd, above, limit, 0) : 0;

        if (protected < sum) {
            snprintf(detail, LIMIT_DETAIL_MAX,
                     "%s of %.60s is %" PRIu64 ", less than the %" PRIu64 " of all jobs", file,
                     above ? above : "the cgroup above", protected, sum);
            return -EDQUOT;
        }
    }
    return 0;
}

/* hoistd adds up before it asks; whoever has taken it over does not. */
static int check_room(const struct spawn_context *context, enum cgroup_limit limit, uint64_t sum,
                      char *detail)
{
    if (limit != CGROUP_LIMIT_MEMORY_MIN || sum <= context->room.memory)
        return 0;
    snprintf(detail, LIMIT_DETAIL_MAX,
             "%s of all jobs would be %" PRIu64 ", they may have %" PRIu64,
             cgroup_limit_file(limit), sum, context->room.memory);
    return -EDQUOT;
}

int reserve_memory(const struct spawn_context *context, const char *group,
                   const struct job_cgroups *cgroups, enum cgroup_limit limit, uint64_t bytes,
                   char *detail)
{
    uint64_t sum = 0;
    int r = cgroup_limit_read(context->root_fd, limit, NULL, &sum);

    if (r < 0) /* no such file: the write says so */
        return cgroup_limit_apply(cgroups->job, limit, NULL, bytes, detail, LIMIT_DETAIL_MAX);
    if (__builtin_add_overflow(sum, bytes, &sum))
        sum = UINT64_MAX;
    r = check_room(context, limit, sum, detail);
    if (r >= 0)
        r = check_above(context, limit, sum, detail);
    if (r >= 0)
        r = cgroup_limit_apply(cgroups->job, limit, NULL, bytes, detail, LIMIT_DETAIL_MAX);
    if (r < 0)
        return r;
    r = levels_sum_up(context, group, limit);
    if (r < 0)
        snprintf(detail, LIMIT_DETAIL_MAX, "can't write %s above the job: %s",
                 cgroup_limit_file(limit), strerror(-r));
    return r < 0 ? r
                 : cgroup_limit_apply(cgroups->cmd, limit, NULL, bytes, detail, LIMIT_DETAIL_MAX);
}

/* --- CPU ----------------------------------------------------------------------------------------
 */

static uint64_t weight_of_part(const struct spawn_context *context, uint64_t millis)
{
    return (WEIGHT_MAX - WEIGHT_DEFAULT) * MIN(millis, context->room.cpu_millis) /
           context->room.cpu_millis;
}

int reserve_cpu(const struct spawn_context *context, const char *group,
                const struct job_cgroups *cgroups, const struct limits *limits, char *detail)
{
    uint64_t base =
        limit_is_given(limits, LIMIT_CPU_WEIGHT) ? limits->value[LIMIT_CPU_WEIGHT] : WEIGHT_DEFAULT;
    uint64_t part = weight_of_part(context, limits->value[LIMIT_CPU_RESERVED]);
    int r = cgroup_limit_apply(cgroups->job, CGROUP_LIMIT_CPU_WEIGHT, NULL,
                               MIN(base + part, WEIGHT_MAX), detail, LIMIT_DETAIL_MAX);

    if (r < 0)
        return r;
    r = levels_sum_up(context, group, CGROUP_LIMIT_CPU_WEIGHT);
    if (r < 0)
        snprintf(detail, LIMIT_DETAIL_MAX, "can't write cpu.weight of the job's group: %s",
                 strerror(-r));
    return r;
}
