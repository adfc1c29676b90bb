/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/fd.h"
#include "base/id.h"

struct error;

/*
 * The state directory: ours alone, locked, with one directory for each job below jobs/, named by
 * the job's id alone. Everything below is reached by descriptors, never through symbolic links.
 */

struct state_dir {
    int fd;
    int jobs; /* jobs/ */
    int lock; /* flock(2) held */
};

#define STATE_DIR_NULL ((struct state_dir){FD_NONE, FD_NONE, FD_NONE})

/*
 * Opens `path`, making it (0700) when only its last part is missing, checks that it is a directory
 * of ours that nobody else may enter, and locks it. -EPERM: owner or mode; -EBUSY: another process
 * holds it, named by pid; each with a sentence that says how to mend it.
 */
int state_dir_open(const char *path, struct state_dir *ret, struct error *err);
void state_dir_close(struct state_dir *dir);
#define _cleanup_state_dir_ _cleanup_(state_dir_close)
