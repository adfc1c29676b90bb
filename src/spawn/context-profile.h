/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct context_profile;
struct error;
struct mount_entry;
struct mount_table;
struct spawn_context;
struct spawn_options;

/*
 * The profiles of a context: what each shows of the host, looked at once. Private to this folder.
 *
 * Symbolic links on the way to a rootfs or to a bind's source are followed then, and not later:
 * what is mounted must be what the disks were looked for behind.
 */

int context_profiles_make(struct spawn_context *context, const struct spawn_options *options,
                          struct error *err);
void context_profiles_done(struct spawn_context *context);

/* Does a job of this profile see something of what is mounted there? `entry` is one of `table`. */
bool context_profile_shows(const struct context_profile *profile, const struct mount_table *table,
                           const struct mount_entry *entry);
