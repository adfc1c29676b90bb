/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/reload.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "base/strv.h"
#include "launcher/answer.h"
#include "launcher/config.h"
#include "launcher/options.h"
#include "spawn/spawn.h"

int launcher_make_context(const struct launcher_config *config, struct spawn_context *predecessor,
                          struct spawn_context **ret, struct error *err)
{
    const struct spawn_profile *profiles[CONFIG_PROFILES_MAX];
    const struct spawn_options options = {
        .cgroup_root = config->cgroup_root,
        .init_path = config->init,
        .agent_uid = config->agent_uid,
        .agent_gid = config->agent_gid,
        .jobs_max = config->jobs_max,
        .reserve_memory = config->reserve_memory,
        .reserve_pids = config->reserve_pids,
        .job_uid_min = config->job_uid_min,
        .job_uid_max = config->job_uid_max,
        .hidden = (const char *const *)config->hidden,
        .profiles = profiles,
        .profile_count = config->profile_count,
        .root_ahead = true,
        .predecessor = predecessor,
    };

    for (size_t i = 0; i < config->profile_count; i++)
        profiles[i] = &config->profiles[i].profile;
    return spawn_context_new(&options, ret, err);
}

/* The numbers behind the names, too: hoistd's files and those of jobs belong to them. */
static int check_user(const struct launcher_config *config, const struct launcher_config *old,
                      struct error *err)
{
    if (config->agent_uid != old->agent_uid || config->agent_gid != old->agent_gid)
        return error_set(err, -EBUSY,
                         "agent_user: \"%s\" is uid %u, gid %u by now, and hoistd runs as %u, %u: "
                         "restart hoist-launcher",
                         config->agent_user, config->agent_uid, config->agent_gid, old->agent_uid,
                         old->agent_gid);
    return 0;
}

static int load(const struct launcher *launcher, struct launcher_config *ret, char ***kept,
                struct error *err)
{
    enum options_request request;
    int r = config_init(ret, err);

    if (r >= 0)
        r = options_load(launcher->argc, launcher->argv, launcher->config->file, ret, &request,
                         err);
    if (r >= 0)
        r = config_keep(ret, launcher->config, kept, err);
    if (r >= 0)
        r = config_resolve(ret, err);
    return r < 0 ? r : check_user(ret, launcher->config, err);
}

int launcher_reload(struct launcher *launcher, struct error *err)
{
    _cleanup_launcher_config_ struct launcher_config *config = calloc(1, sizeof(*config));
    _cleanup_strv_ char **kept = NULL;
    struct launcher fresh = *launcher;
    int r = config ? load(launcher, config, &kept, err) : error_set(err, -ENOMEM, "no memory");

    if (r < 0)
        return r;
    fresh.config = config;
    r = launcher_make_context(config, launcher->spawn, &fresh.spawn, err);
    if (r < 0)
        return r;
    r = launcher_facts(&fresh, err);
    if (r < 0) {
        spawn_context_retire(fresh.spawn);
        return r;
    }
    spawn_context_retire(launcher->spawn);
    config_free(launcher->config);
    *launcher = fresh;
    TAKE_PTR(config);
    log_set((enum log_format)launcher->config->log_format,
            (enum log_level)launcher->config->log_level);
    for (char **key = kept; key && *key; key++)
        log_event(LOG_LEVEL_WARNING, "what has changed needs a restart of hoist-launcher",
                  LOG_TEXT("key", *key));
    return 0;
}
