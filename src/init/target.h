/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Places in the job's new root, found from its descriptor: no path of a target is ever looked up
 * from the process's own root, so neither a symbolic link nor ".." leads out.
 */

/*
 * An O_PATH descriptor of `path` (absolute, inside the root `root_fd`). Symbolic links are refused
 * (-ELOOP) unless `follow`; magic links always. `flags` are O_DIRECTORY, O_NOFOLLOW or 0. Negative
 * errno on failure.
 */
int target_open(int root_fd, const char *path, bool follow, int flags);

/* The place of `path`'s last component. */
struct target_place {
    int parent_fd;    /* owned */
    const char *name; /* points into the path given; has no slash */
};

/* Opens the parent of `path`. -EINVAL when the last component is empty, "." or "..". */
int target_open_parent(int root_fd, const char *path, bool follow, struct target_place *ret);

/* Makes an empty regular file (0644) or a directory (0755) to mount on, unless something is there.
 */
int target_create(int root_fd, const char *path, bool follow, bool directory);

/*
 * Makes the directory with exactly `mode` and owner, or checks that there is one already (which
 * stays as it is). -ENOTDIR when something else is there.
 */
int target_make_directory(int root_fd, const char *path, bool follow, mode_t mode, uid_t uid,
                          gid_t gid);
