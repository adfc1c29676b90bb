/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "base/strv.h"
#include "launcher/config.h"

/*
 * From names to numbers when the configuration is read: nothing else asks a name service, which
 * might hang.
 */

#define AGENT_USER_DEFAULT "hoist"

static bool is_number(const char *text)
{
    return text[0] && !text[strspn(text, "0123456789")];
}

static int resolve_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
    const struct passwd *entry;
    uint64_t number;
    int r;

    if (is_number(name)) {
        r = quantity_parse_unsigned(name, UINT32_MAX - 1, &number, err);
        if (r < 0)
            return error_prefix(err, "agent_user");
        *ret_uid = (uid_t)number;
        *ret_gid = (gid_t)number;
        return 0;
    }
    entry = getpwnam(name); // NOLINT(concurrency-mt-unsafe): there is one thread
    if (!entry)
        return error_set(err, -ENOENT,
                         "there is no user \"%s\": make it (useradd --system %s) or set agent_user",
                         name, name);
    *ret_uid = entry->pw_uid;
    *ret_gid = entry->pw_gid;
    return 0;
}

static int resolve_group(const char *name, gid_t *ret, struct error *err)
{
    const struct group *entry;
    uint64_t number;
    int r;

    if (is_number(name)) {
        r = quantity_parse_unsigned(name, UINT32_MAX - 1, &number, err);
        if (r < 0)
            return error_prefix(err, "agent_group");
        *ret = (gid_t)number;
        return 0;
    }
    entry = getgrnam(name); // NOLINT(concurrency-mt-unsafe): there is one thread
    if (!entry)
        return error_set(err, -ENOENT, "there is no group \"%s\": make it or set agent_group",
                         name);
    *ret = entry->gr_gid;
    return 0;
}

/* Nobody else's to be given: neither hoistd nor a job of the range may be the same user. */
static int resolve_profile(const struct launcher_config *config, struct profile_rule *rule,
                           struct error *err)
{
    struct spawn_profile *profile = &rule->profile;
    int r;

    if (!rule->user)
        return 0;
    r = resolve_user(rule->user, &profile->uid, &profile->gid, err);
    if (r < 0)
        return r;
    if (profile->uid == 0 || profile->gid == 0 || profile->uid == config->agent_uid)
        return error_set(err, -EINVAL, "user: a job runs neither as root nor as hoistd");
    if (profile->uid >= config->job_uid_min && profile->uid <= config->job_uid_max)
        return error_set(err, -EINVAL, "user: uid %u lies in job_uids %u-%u", profile->uid,
                         config->job_uid_min, config->job_uid_max);
    return 0;
}

static int resolve_profiles(struct launcher_config *config, struct error *err)
{
    for (size_t i = 0; i < config->profile_count; i++) {
        int r;

        /* The rules were filled where they stand, but a configuration is copied as a whole. */
        config->profiles[i].profile.binds = config->profiles[i].binds;
        r = resolve_profile(config, &config->profiles[i], err);
        if (r < 0)
            return error_prefix(err, "profile %s", config->profiles[i].profile.name);
    }
    return 0;
}

static int resolve_rootless(struct launcher_config *config, struct error *err)
{
    uid_t uid = geteuid();
    gid_t gid;

    if (config->agent_user[0]) {
        int r = resolve_user(config->agent_user, &uid, &gid, err);

        if (r < 0)
            return r;
    }
    if (uid != geteuid())
        return error_set(err, -EPERM,
                         "only root can run hoistd as another user: leave agent_user out");
    config->agent_uid = uid;
    config->agent_gid = getegid();
    return 0;
}

static int resolve_root(struct launcher_config *config, struct error *err)
{
    const char *user = config->agent_user[0] ? config->agent_user : AGENT_USER_DEFAULT;
    int r = resolve_user(user, &config->agent_uid, &config->agent_gid, err);

    if (r < 0)
        return r;
    if (config->agent_group[0]) {
        r = resolve_group(config->agent_group, &config->agent_gid, err);
        if (r < 0)
            return r;
    }
    if (config->agent_uid == 0 || config->agent_gid == 0)
        return error_set(err, -EINVAL, "agent_user: hoistd must not run as root or in its group");
    if (config->agent_uid >= config->job_uid_min && config->agent_uid <= config->job_uid_max)
        return error_set(err, -EINVAL, "hoistd's uid %u lies in job_uids %u-%u", config->agent_uid,
                         config->job_uid_min, config->job_uid_max);
    return 0;
}

int config_resolve(struct launcher_config *config, struct error *err)
{
    int r = geteuid() == 0 ? resolve_root(config, err) : resolve_rootless(config, err);

    return r < 0 ? r : resolve_profiles(config, err);
}
