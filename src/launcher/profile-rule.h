/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "spawn/spawn.h"

struct error;

/*
 * A profile of launcher.conf: one line that names it and says what differs from the default one.
 *
 *   debian rootfs=/srv/debian bind=ro:/srv/data:/data userns=yes user=builder
 */

#define PROFILE_BINDS_MAX 16

struct profile_rule {
    char *text; /* what the others point into; owned */
    const char *user;
    struct spawn_profile profile; /* its uid once the user has been looked up */
    struct spawn_bind binds[PROFILE_BINDS_MAX];
};

void profile_rule_done(struct profile_rule *rule);

/*
 * -EINVAL with a sentence. What jobs could leave files in (rootfs_writable, bind=rw) needs a user:
 * a uid of the range goes to another job, who would find them.
 */
int profile_rule_parse(const char *text, struct profile_rule *ret, struct error *err);
