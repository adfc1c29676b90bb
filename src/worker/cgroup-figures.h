/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct cgroup_usage;

/*
 * Reads the figures of the cgroup `path` below the cgroup2 mount `mount_fd` (O_PATH). Needs no
 * privilege and doesn't block. 0 or a negative errno (-ENOENT, -ENODEV: it is gone).
 */
int cgroup_figures_read(int mount_fd, const char *path, struct cgroup_usage *ret);

/* All figures by the kernel's names, "cpu.stat.usage_usec 123"; *ret is the caller's. */
int cgroup_figures_list(int mount_fd, const char *path, char ***ret);

/* The same from figures that were kept. 0 or -ENOMEM. */
int cgroup_figures_kept(const struct cgroup_usage *usage, char ***ret);
