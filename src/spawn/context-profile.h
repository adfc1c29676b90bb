/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct error;
struct mount_entry;
struct spawn_context;
struct spawn_options;

/*
 * The profiles of a context: what each shows of the host, looked at once. Private to this folder.
 */

int context_profiles_make(struct spawn_context *context, const struct spawn_options *options,
                          struct error *err);
void context_profiles_done(struct spawn_context *context);

/* Does a job of any profile see what is mounted there? */
bool context_shows_mount(const struct spawn_context *context, const struct mount_entry *entry);
