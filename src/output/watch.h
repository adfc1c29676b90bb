/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct error;

/*
 * Wakes followers when a job's index (or its state file) changes: one inotify instance for each
 * thread, one kernel watch for each followed file, however many follow it (inotify(7); both are
 * limited for each user, so a watch for each reader would run out).
 *
 * Where the kernel refuses (no instance or watch left), or the path leads elsewhere, followers are
 * called every OUTPUT_WATCH_POLL_MSEC instead: late, never deaf. For one thread only.
 */

#define OUTPUT_WATCH_POLL_MSEC 100

struct output_watch;
struct output_follower;

/*
 * The file may have changed: read again. Called from output_watch_dispatch(); it may follow and
 * leave, its own follower too.
 */
typedef void output_changed_fn(void *userdata);

/* 0, -ENOMEM or -EMFILE. A missing inotify instance is not an error: see output_watch_trouble(). */
int output_watch_new(struct output_watch **ret, struct error *err);

/* All followers must have left. Accepts NULL; returns NULL. */
struct output_watch *output_watch_free(struct output_watch *watch);

/*
 * One of them is readable when output_watch_dispatch() has something to do; for poll(2) or
 * epoll(7); they stay ours. The first is FD_NONE when the kernel refused an inotify instance; the
 * second is a timer, which runs only while somebody is polled. (Two, and not an epoll instance that
 * holds both: that would cost each live line another wake-up inside the kernel.)
 */
#define OUTPUT_WATCH_FDS 2
void output_watch_fds(const struct output_watch *watch, int ret[static OUTPUT_WATCH_FDS]);

/* Calls the followers of what has changed. Never blocks. Returns 0 or a negative errno of reading.
 */
int output_watch_dispatch(struct output_watch *watch);

/*
 * Calls `changed` whenever the file behind `fd` changes from now on; read once more after this
 * call, since it may have changed before. `path` is where it is, for inotify takes no descriptor,
 * and a detour by /proc/self/fd would need a /proc (linux/cage.h). Both are needed during this call
 * only. Returns 0 or -ENOMEM.
 */
int output_watch_follow(struct output_watch *watch, const char *path, int fd,
                        output_changed_fn *changed, void *userdata, struct output_follower **ret);

/* Ends it; `changed` is not called again. Accepts NULL; returns NULL. */
struct output_follower *output_follower_leave(struct output_follower *follower);

/* Kernel watches in use, and followers that are polled since the kernel refused one. */
size_t output_watch_count(const struct output_watch *watch);
size_t output_watch_polled(const struct output_watch *watch);

/* The negative errno of the kernel's last refusal, or 0: for the log and for doctor. */
int output_watch_trouble(const struct output_watch *watch);
