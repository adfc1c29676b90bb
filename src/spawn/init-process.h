/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct id;
struct spawn_context;
struct spawn_result;

/*
 * Finds the hoist-init of a job that nobody wrote down: the agent died between its birth and that.
 * It is born into the cgroup <root>/<group>/<id>/init, where only root can put a process, and is
 * alone there.
 *
 * Returns 0 and fills pid, start time and pidfd of *ret (the caller owns the pidfd), or a negative
 * errno. -ENOENT: there never was one. -ESRCH: it is gone.
 */
int init_process_find(const struct spawn_context *context, const char *group, const struct id *id,
                      struct spawn_result *ret);
