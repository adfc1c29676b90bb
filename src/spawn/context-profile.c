/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/context-profile.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/strv.h"
#include "linux/mount-table.h"
#include "spawn/context.h"
#include "spawn/profile.h"
#include "spawn/spawn.h"

static const struct spawn_profile default_profile = {.name = ""};

const struct context_profile *context_profile_find(const struct spawn_context *context,
                                                   const char *name)
{
    for (size_t i = 0; i < context->profile_count; i++)
        if (text_equal(context->profiles[i].given->name, name ? name : ""))
            return &context->profiles[i];
    return NULL;
}

bool context_network_is_hosts(const struct context_profile *profile, const struct spawn_spec *spec)
{
    return profile->given->network_host || spec->network == SPAWN_NETWORK_HOST;
}

/* A root of its own has nothing of the host's to hide. */
static int view_make(const struct spawn_profile *profile, const struct spawn_options *options,
                     struct host_view *ret, struct error *err)
{
    if (profile->rootfs)
        return host_view_make(profile->rootfs, profile_default.own_places, NULL, NULL, ret, err);
    return host_view_make("/", profile_default.own_places, profile_default.hidden, options->hidden,
                          ret, err);
}

int context_profiles_make(struct spawn_context *context, const struct spawn_options *options,
                          struct error *err)
{
    context->profiles = calloc(options->profile_count + 1, sizeof(*context->profiles));
    if (!context->profiles)
        return error_set(err, -ENOMEM, "no memory for profiles");
    for (size_t i = 0; i <= options->profile_count; i++) {
        struct context_profile *profile = &context->profiles[i];
        int r;

        profile->given = i == 0 ? &default_profile : options->profiles[i - 1];
        r = view_make(profile->given, options, &profile->view, err);
        if (r < 0)
            return i == 0 ? r : error_prefix(err, "profile %s", profile->given->name);
        context->profile_count++;
    }
    return 0;
}

void context_profiles_done(struct spawn_context *context)
{
    for (size_t i = 0; i < context->profile_count; i++)
        host_view_done(&context->profiles[i].view);
    free(context->profiles);
    context->profiles = NULL;
    context->profile_count = 0;
}

static bool profile_shows(const struct context_profile *profile, const char *path)
{
    const struct spawn_profile *given = profile->given;

    for (size_t i = 0; i < given->bind_count; i++)
        if (path_is_below(path, given->binds[i].source))
            return true;
    if (given->rootfs)
        return path_is_below(path, given->rootfs);
    return host_view_shows(&profile->view, path);
}

/* What holds a shown place from above counts, too: a bind of /srv/x is on the disk of "/". */
static bool profile_stands_on(const struct context_profile *profile, const char *mount)
{
    const struct spawn_profile *given = profile->given;

    for (size_t i = 0; i < given->bind_count; i++)
        if (path_is_below(given->binds[i].source, mount))
            return true;
    return given->rootfs && path_is_below(given->rootfs, mount);
}

bool context_shows_mount(const struct spawn_context *context, const struct mount_entry *entry)
{
    if (text_equal(entry->target, "/"))
        return true;
    for (size_t i = 0; i < context->profile_count; i++)
        if (profile_shows(&context->profiles[i], entry->target) ||
            profile_stands_on(&context->profiles[i], entry->target))
            return true;
    return false;
}
