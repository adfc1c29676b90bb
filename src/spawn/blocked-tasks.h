/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct spawn_task;

/*
 * The first tasks (threads) of the cgroup `path` below `root_fd` (O_PATH), with
 * what /proc/PID/stat shows to everybody: name and state. What a task waits for (/proc/PID/stack,
 * /proc/PID/wchan) the kernel tells to root alone. Asked for when a stop is past its deadline: what
 * is still there can't be killed. Doesn't block. A task that ends meanwhile is left out.
 *
 * How many were written to `ret`, at most `max`, or a negative errno.
 */
int blocked_tasks_read(int root_fd, const char *path, struct spawn_task *ret, size_t max);

/* One such text, "4711 (name) D …". 0 or -EBADMSG. */
int blocked_task_parse(const char *stat, struct spawn_task *ret);
