/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/ceilings.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strv.h"
#include "launcher/config.h"
#include "wire/spawn-spec.h"

/* Keys of launcher.conf, for the sentence; NULL: it has no ceiling. */
static const char *const ceiling_keys[] = {
    [LIMIT_CPU_PERIOD] = NULL,
    [LIMIT_OOM_GROUP] = NULL,
    [LIMIT_CPU_TIME] = "max_cpu_time",
    [LIMIT_IO_WEIGHT] = "max_io_weight",
    [LIMIT_CPU_MILLIS] = "max_cpu_millis",
    [LIMIT_CPU_WEIGHT] = "max_cpu_weight",
    [LIMIT_MEMORY_MAX] = "max_memory",
    [LIMIT_MEMORY_HIGH] = "max_memory_high",
    [LIMIT_SWAP_MAX] = "max_swap",
    [LIMIT_PIDS_MAX] = "max_pids",
    [LIMIT_IO_READ_BPS] = "max_io_read_bps",
    [LIMIT_IO_WRITE_BPS] = "max_io_write_bps",
    [LIMIT_IO_READ_IOPS] = "max_io_read_iops",
    [LIMIT_IO_WRITE_IOPS] = "max_io_write_iops",
    [LIMIT_OPEN_FILES] = "max_open_files",
    [LIMIT_CORE_SIZE] = "max_core_size",
    [LIMIT_MEMORY_LOW] = "max_memory_low",
    [LIMIT_MEMORY_RESERVED] = "max_memory_reserved",
    [LIMIT_CPU_RESERVED] = "max_cpu_reserved",
};

static_assert(ARRAY_SIZE(ceiling_keys) == _LIMIT_MAX, "each limit has a row");

static int limit_check(const struct limits *ceilings, const struct limits *limits, enum limit limit,
                       struct error *err)
{
    uint64_t ceiling = ceilings->value[limit], value;
    bool holds = limits_hold(limits, limit, &value);

    if (!limit_is_given(ceilings, limit))
        return 0;
    if (!holds)
        return error_set(err, -EPERM,
                         "no limit %s is set, but launcher.conf allows at most %" PRIu64 " (%s)",
                         limit_name(limit), ceiling, ceiling_keys[limit]);
    if (value > ceiling)
        return error_set(err, -EPERM,
                         "%s %" PRIu64 " is above the %" PRIu64 " that launcher.conf allows (%s)",
                         limit_name(limit), value, ceiling, ceiling_keys[limit]);
    return 0;
}

static const struct spawn_profile *profile_find(const struct launcher_config *config,
                                                const char *name)
{
    for (size_t i = 0; i < config->profile_count; i++)
        if (text_equal(config->profiles[i].profile.name, name))
            return &config->profiles[i].profile;
    return NULL;
}

/* Without root the kernel lets nobody become another user: there is nothing to check. */
static int uid_check(const struct launcher_config *config, const struct spawn_profile *profile,
                     uid_t uid, struct error *err)
{
    if (geteuid() != 0)
        return 0;
    if (profile && profile->uid != 0 && uid != profile->uid)
        return error_set(err, -EPERM,
                         "uid %u is not the %u that launcher.conf gives the profile %s", uid,
                         profile->uid, profile->name);
    if ((!profile || profile->uid == 0) && (uid < config->job_uid_min || uid > config->job_uid_max))
        return error_set(err, -EPERM,
                         "uid %u is outside the %u-%u that launcher.conf allows (job_uids)", uid,
                         config->job_uid_min, config->job_uid_max);
    return 0;
}

int ceilings_check(const struct launcher_config *config, const struct spawn_spec *spec,
                   struct error *err)
{
    const struct spawn_profile *profile = NULL;
    int r;

    if (!text_is_empty(spec->profile)) {
        profile = profile_find(config, spec->profile);
        if (!profile)
            return error_set(err, -EPERM, "launcher.conf has no profile \"%s\"", spec->profile);
    }
    r = uid_check(config, profile, spec->uid, err);
    if (r < 0)
        return r;
    if (spec->network != SPAWN_NETWORK_NONE && !config->network_host)
        return error_set(err, -EPERM,
                         "the host's network is not allowed by launcher.conf (network_host)");
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++) {
        r = limit_check(&config->ceilings, &spec->limits, limit, err);

        if (r < 0)
            return r;
    }
    return 0;
}
