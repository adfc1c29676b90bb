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
    int jobs;   /* jobs/ */
    int lock;   /* flock(2) held */
    char *path; /* absolute, for inotify alone, which takes no descriptors; owned */
};

#define STATE_DIR_NULL ((struct state_dir){FD_NONE, FD_NONE, FD_NONE, NULL})

/*
 * The lifeline: a FIFO in the directory, by which jobs that are to end with their agent tell that
 * it has died. *ret_hold (O_RDWR) is for who stands for the agent's life and closes it with its
 * own, *ret_watch (O_RDONLY, nonblocking) for the jobs; both are the caller's. Made when it is
 * missing; whoever opens it later takes the place of who was there before.
 */
int state_dir_open_lifeline(const struct state_dir *dir, int *ret_hold, int *ret_watch,
                            struct error *err);

/*
 * Opens `path`, making it (0700) when only its last part is missing, checks that it is a directory
 * of ours that nobody else may enter, and locks it. -EPERM: owner or mode; -EBUSY: another process
 * holds it, named by pid; each with a sentence that says how to mend it.
 */
int state_dir_open(const char *path, struct state_dir *ret, struct error *err);
void state_dir_close(struct state_dir *dir);
#define _cleanup_state_dir_ _cleanup_(state_dir_close)
