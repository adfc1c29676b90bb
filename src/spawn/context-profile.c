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

/* Where a place that root's file names really is. What isn't there yet stays as it is named. */
static char *place_resolve(const char *place)
{
    char *real = realpath(place, NULL);

    return real ? real : strdup(place);
}

static int places_resolve(struct context_profile *profile)
{
    const struct spawn_profile *given = profile->given;

    if (given->rootfs && !(profile->rootfs = place_resolve(given->rootfs)))
        return -ENOMEM;
    for (size_t i = 0; i < given->bind_count; i++) {
        _cleanup_free_ char *source = place_resolve(given->binds[i].source);
        int r = source ? strv_append(&profile->sources, source) : -ENOMEM;

        if (r < 0)
            return r;
    }
    return 0;
}

/* A root of its own has nothing of the host's to hide. */
static int view_make(const struct context_profile *profile, const struct spawn_options *options,
                     struct host_view *ret, struct error *err)
{
    if (profile->rootfs)
        return host_view_make(profile->rootfs, profile_default.own_places, NULL, NULL, ret, err);
    return host_view_make("/", profile_default.own_places, profile_default.hidden, options->hidden,
                          ret, err);
}

static int profile_make(struct context_profile *profile, const struct spawn_options *options,
                        struct error *err)
{
    int r = places_resolve(profile);

    return r < 0 ? error_set(err, r, "no memory for a profile")
                 : view_make(profile, options, &profile->view, err);
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

        context->profile_count++;
        profile->given = i == 0 ? &default_profile : options->profiles[i - 1];
        r = profile_make(profile, options, err);
        if (r < 0)
            return i == 0 ? r : error_prefix(err, "profile %s", profile->given->name);
    }
    return 0;
}

void context_profiles_done(struct spawn_context *context)
{
    for (size_t i = 0; i < context->profile_count; i++) {
        struct context_profile *profile = &context->profiles[i];

        host_view_done(&profile->view);
        free(profile->rootfs);
        strv_free(profile->sources);
        disk_set_done(&profile->disks);
    }
    free(context->profiles);
    context->profiles = NULL;
    context->profile_count = 0;
}

/*
 * What holds a shown place from above counts as well as what is mounted below it. For the few
 * entries only that are on the way to the place the whole table is searched.
 */
static bool place_shows(const char *place, const struct mount_table *table,
                        const struct mount_entry *entry)
{
    if (path_is_below(entry->target, place))
        return true;
    return path_is_below(place, entry->target) && mount_table_find(table, place) == entry;
}

bool context_profile_shows(const struct context_profile *profile, const struct mount_table *table,
                           const struct mount_entry *entry)
{
    if (entry->covered)
        return false;
    for (char **source = profile->sources; source && *source; source++)
        if (place_shows(*source, table, entry))
            return true;
    if (profile->rootfs)
        return place_shows(profile->rootfs, table, entry);
    return text_equal(entry->target, "/") || host_view_shows(&profile->view, entry->target);
}
