/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/profile-rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "base/strv.h"
#include "wire/spawn-spec.h"

void profile_rule_done(struct profile_rule *rule)
{
    free(rule->text);
    *rule = (struct profile_rule){.text = NULL};
}

/* "/" is no place of its own: the profile would be the host's root. */
static int path_check(const char *path, struct error *err)
{
    if (path[0] != '/' || !path[1] || path[strlen(path) - 1] == '/')
        return error_set(err, -EINVAL, "\"%s\" isn't an absolute path without a slash behind",
                         path);
    for (const char *part = path; part; part = strchr(part + 1, '/'))
        if (part[1] == '/' || part[1] == '.')
            return error_set(err, -EINVAL, "\"%s\" holds an empty part or one with a dot", path);
    return 0;
}

static int read_rootfs(struct profile_rule *rule, char *value, struct error *err)
{
    rule->profile.rootfs = value;
    return path_check(value, err);
}

static int read_switch(const char *value, bool *ret, struct error *err)
{
    if (!text_equal(value, "yes") && !text_equal(value, "no"))
        return error_set(err, -EINVAL, "\"%s\" is neither yes nor no", value);
    *ret = text_equal(value, "yes");
    return 0;
}

static int read_writable(struct profile_rule *rule, char *value, struct error *err)
{
    return read_switch(value, &rule->profile.rootfs_writable, err);
}

static int read_userns(struct profile_rule *rule, char *value, struct error *err)
{
    return read_switch(value, &rule->profile.userns, err);
}

static int read_network(struct profile_rule *rule, char *value, struct error *err)
{
    if (!text_equal(value, "none") && !text_equal(value, "host"))
        return error_set(err, -EINVAL, "\"%s\" is neither none nor host", value);
    rule->profile.network_host = text_equal(value, "host");
    return 0;
}

static int read_user(struct profile_rule *rule, char *value, struct error *err)
{
    (void)err;
    rule->user = value;
    return 0;
}

/* "ro:/srv/data:/data" or "rw:…" */
static int read_bind(struct profile_rule *rule, char *value, struct error *err)
{
    struct spawn_bind *bind = &rule->binds[rule->profile.bind_count];
    const char *mode = strsep(&value, ":");
    int r;

    if (rule->profile.bind_count == PROFILE_BINDS_MAX)
        return error_set(err, -E2BIG, "more than %d binds", PROFILE_BINDS_MAX);
    bind->source = value ? strsep(&value, ":") : NULL;
    bind->target = value;
    if (!bind->target || (!text_equal(mode, "ro") && !text_equal(mode, "rw")))
        return error_set(err, -EINVAL, "a bind is ro:/SOURCE:/TARGET or rw:/SOURCE:/TARGET");
    bind->writable = text_equal(mode, "rw");
    r = path_check(bind->source, err);
    if (r >= 0)
        r = path_check(bind->target, err);
    if (r >= 0)
        rule->profile.bind_count++;
    return r;
}

static int read_word(struct profile_rule *rule, char *word, struct error *err)
{
    static const struct {
        const char *key;
        int (*read)(struct profile_rule *rule, char *value, struct error *err);
    } keys[] = {
        {"bind", read_bind}, {"network", read_network}, {"rootfs", read_rootfs},
        {"user", read_user}, {"userns", read_userns},   {"writable", read_writable},
    };
    const char *key = strsep(&word, "=");

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (!text_equal(keys[i].key, key))
            continue;
        if (text_is_empty(word))
            return error_set(err, -EINVAL, "%s has no value", key);
        return keys[i].read(rule, word, err);
    }
    return error_set(err, -EINVAL,
                     "a profile has no \"%s\"; it has bind, network, rootfs, user, userns and "
                     "writable",
                     key);
}

static int rule_check(const struct profile_rule *rule, struct error *err)
{
    bool leaves_files = rule->profile.rootfs_writable;

    if (rule->profile.rootfs_writable && !rule->profile.rootfs)
        return error_set(err, -EINVAL, "writable=yes is for a rootfs, never for the host's root");
    for (size_t i = 0; i < rule->profile.bind_count; i++)
        leaves_files = leaves_files || rule->binds[i].writable;
    if (leaves_files && !rule->user)
        return error_set(err, -EINVAL,
                         "what is written stays, so the profile needs a user of its own (user=)");
    return 0;
}

int profile_rule_parse(const char *text, struct profile_rule *ret, struct error *err)
{
    _cleanup_(profile_rule_done) struct profile_rule rule = {.text = strdup(text)};
    char *rest = rule.text, *word;
    int r;

    if (!rule.text)
        return error_set(err, -ENOMEM, "no memory");
    rule.profile.name = strsep(&rest, " \t");
    r = job_name_check(rule.profile.name, err);
    if (r >= 0 && strlen(rule.profile.name) >= SPAWN_PROFILE_MAX)
        r = error_set(err, -EINVAL, "the name is too long");
    while (r >= 0 && (word = strsep(&rest, " \t")))
        r = word[0] ? read_word(&rule, word, err) : 0;
    if (r >= 0)
        r = rule_check(&rule, err);
    if (r < 0)
        return r;
    *ret = rule;
    ret->profile.binds = ret->binds;
    rule = (struct profile_rule){.text = NULL};
    return 0;
}
