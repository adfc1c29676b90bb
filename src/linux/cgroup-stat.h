/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cgroup-usage.h"

struct error;

/*
 * Reads struct cgroup_usage (base/cgroup-usage.h) from a cgroup's files. Needs no privilege: the
 * files are world-readable.
 */

/*
 * Reads all of it from the cgroup directory `dir_fd` (O_PATH will do). A file that isn't there
 * clears its bit in `known` and is no error. Returns 0, or a negative errno: -ENODEV when the
 * cgroup was removed meanwhile.
 */
int cgroup_usage_read(int dir_fd, struct cgroup_usage *ret, struct error *err);

/*
 * memory.events.local: how often the cgroup's own limit of memory was hit and nothing could be
 * reclaimed, its children's limits apart; 0 where nobody counts it.
 */
uint64_t cgroup_oom_of_own(int dir_fd);

/*
 * cgroup.events: is there a process, zombies not yet reaped aside, in it or below? Returns 1, 0, or
 * a negative errno. The file changes (inotify IN_MODIFY, poll POLLPRI) whenever the answer does.
 */
int cgroup_is_populated(int dir_fd);

/*
 * One value of a "flat keyed" file ("usage_usec 123\nuser_usec 45\n…"): fills *ret and returns 0,
 * or -ENODATA when `text` has no such key, -EBADMSG when its value is no number.
 */
int cgroup_stat_value(const char *text, const char *key, uint64_t *ret);

/*
 * Adds the values of `key` in a "nested keyed" file ("8:0 rbytes=1 wbytes=2 …\n") over all its
 * lines; lines without the key count 0. -EBADMSG when a value is no number.
 */
int cgroup_stat_sum(const char *text, const char *key, uint64_t *ret);

/*
 * The line `name` ("some", "full") of a pressure file: its total in µs and its average over ten
 * seconds in hundredths of a percent. -ENODATA without such a line, -EBADMSG when it is malformed.
 */
int cgroup_stat_pressure(const char *text, const char *name, uint64_t *ret_usec,
                         uint64_t *ret_avg10);

/*
 * Every figure of the cgroup, as the kernel writes it: `found` gets "cpu.stat.usage_usec" and
 * "123", "memory.current" and "4096", "io.stat.254:0.rbytes" and "512", "cpu.pressure.some.avg10"
 * and "0.00". Files that aren't there are passed over. A return value other than 0 ends the walk
 * and is returned. Negative errno: -ENODEV when the cgroup was removed meanwhile.
 */
typedef int cgroup_statistic_fn(const char *key, const char *value, void *data);
int cgroup_statistics_read(int dir_fd, cgroup_statistic_fn *found, void *data);

/* The same from figures that were kept: those that are known; of io.stat the sums, without a disk.
 */
int cgroup_usage_statistics(const struct cgroup_usage *usage, cgroup_statistic_fn *found,
                            void *data);
