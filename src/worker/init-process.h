/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct id;
struct spawn_result;

/*
 * Finds the hoist-init of a job that nobody wrote down: the agent died between its birth and that.
 * It is born into the cgroup <root>/<group>/<id>/init below the cgroup2 mount `mount_fd` (O_PATH),
 * where only root can put a process, and is alone there.
 *
 * Returns 0 and fills all of *ret but the limits (the caller owns the pidfd), or a negative errno.
 * -ENOENT: there never was one. -ESRCH: it is gone.
 */
int init_process_find(int mount_fd, const char *root, const char *group, const struct id *id,
                      struct spawn_result *ret);
