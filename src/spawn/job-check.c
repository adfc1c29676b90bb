/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/job-check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "base/strv.h"
#include "spawn/context.h"
#include "spawn/spawn.h"
#include "wire/plan.h"

#define WEIGHT_MAX      10000
#define CPU_PERIOD_MIN  1000 /* µs: what cpu.max takes */
#define CPU_PERIOD_LAST 1000000

bool spawn_group_is_valid(const char *group)
{
    return group && text_starts_with(group, "p-") && principal_is_valid(group + strlen("p-"));
}

static int check_command(const struct spawn_spec *spec, struct error *err)
{
    if (!spec->argv || text_is_empty(spec->argv[0]))
        return error_set(err, -EINVAL, "there is no command");
    if (strv_length(spec->argv) > PLAN_ARGUMENTS_MAX)
        return error_set(err, -E2BIG, "the command has more than %d arguments", PLAN_ARGUMENTS_MAX);
    if (spec->env && strv_length(spec->env) > PLAN_ENV_MAX)
        return error_set(err, -E2BIG, "there are more than %d environment variables", PLAN_ENV_MAX);
    for (char *const *env = spec->env; env && *env; env++) {
        const char *equals = strchr(*env, '=');

        if (!equals || equals == *env)
            return error_set(err, -EINVAL, "an environment variable is not of the form NAME=VALUE");
    }
    if (!text_is_empty(spec->cwd) && (spec->cwd[0] != '/' || strlen(spec->cwd) >= PATH_MAX))
        return error_set(err, -EINVAL, "the working directory is not an absolute path");
    return 0;
}

static int check_uid(const struct spawn_context *context, const struct spawn_profile *profile,
                     uid_t uid, struct error *err)
{
    if (context->rootless || (profile->uid != 0 && uid == profile->uid))
        return 0;
    if (profile->uid != 0)
        return error_set(err, -EPERM, "jobs of the profile %s run as uid %u, not as %u",
                         profile->name, (unsigned)profile->uid, (unsigned)uid);
    if (uid == 0 || uid == context->agent_uid || uid < context->job_uid_min ||
        uid > context->job_uid_max)
        return error_set(err, -EPERM, "jobs may not run as uid %u", (unsigned)uid);
    return 0;
}

static int check_limits(const struct limits *limits, struct error *err)
{
    static const struct {
        enum limit limit;
        uint64_t min, max;
    } bounds[] = {
        {LIMIT_CPU_PERIOD, CPU_PERIOD_MIN, CPU_PERIOD_LAST},
        {LIMIT_CPU_WEIGHT, 1, WEIGHT_MAX},
        {LIMIT_IO_WEIGHT, 1, WEIGHT_MAX},
        {LIMIT_OOM_GROUP, 0, 1},
    };

    if (limits->given & ~(LIMIT_BIT(_LIMIT_MAX) - 1))
        return error_set(err, -EINVAL, "an unknown limit is given");
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
        uint64_t value = limits->value[bounds[i].limit];

        if (limit_is_given(limits, bounds[i].limit) &&
            (value < bounds[i].min || value > bounds[i].max))
            return error_set(err, -EINVAL, "%s is not between %" PRIu64 " and %" PRIu64,
                             limit_name(bounds[i].limit), bounds[i].min, bounds[i].max);
    }
    return 0;
}

int job_check(const struct spawn_context *context, const struct spawn_spec *spec, struct error *err)
{
    const struct context_profile *profile = context_profile_find(context, spec->profile);
    int r;

    if (!profile)
        return error_set(err, -EPERM, "there is no profile \"%s\"", spec->profile);
    if (id_is_nil(&spec->id))
        return error_set(err, -EINVAL, "the job has no id");
    if (!spawn_group_is_valid(spec->group))
        return error_set(err, -EINVAL, "the job's group has no valid name");
    if (spec->network < 0 || spec->network >= _SPAWN_NETWORK_MAX)
        return error_set(err, -EINVAL, "the job's network is unknown");
    if (spec->adopt_wait > 0 && context->lifeline < 0)
        return error_set(err, -EINVAL,
                         "there is nothing by which a job could tell the agent's end");
    if (spec->stop_signal < 1 || spec->stop_signal > SIGRTMAX)
        return error_set(err, -EINVAL, "there is no signal %d", spec->stop_signal);
    r = check_command(spec, err);
    if (r >= 0)
        r = check_uid(context, profile->given, spec->uid, err);
    if (r >= 0)
        r = check_limits(&spec->limits, err);
    return r;
}
