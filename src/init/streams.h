/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct error;

/*
 * The command's standard streams: /dev/null and the pipes, made while hoist-init is root, since an
 * unprivileged user gets only so much pipe memory (pipe(7), pipe-user-pages-soft).
 */

struct streams {
    int command[3]; /* for its 0, 1 and 2; owned */
    int readers[2]; /* the other ends of 1 and 2, non-blocking; owned; [1] is FD_NONE if merged */
};

/*
 * The pipes belong to `uid` and can be opened again for writing only (as /dev/stdout, by
 * /proc/self/fd). On failure nothing is open.
 */
int streams_open(bool merged, uid_t uid, gid_t gid, struct streams *ret, struct error *err);

/* Closes the command's ends, so that the readers see the end when the job's processes are gone. */
void streams_close_command_ends(struct streams *streams);
