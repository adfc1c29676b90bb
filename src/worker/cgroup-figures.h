/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct cgroup_usage;

/*
 * The jobs' cgroup root (O_PATH; FD_NONE: none), and what the paths of their cgroups
 * (spawn_result.cgroup) begin with.
 */
struct cgroup_place {
    int fd;
    const char *path;
};

/*
 * Reads the figures of `cgroup`. Needs no privilege and doesn't block. 0 or a negative errno
 * (-ENOENT, -ENODEV: it is gone, or not below this root).
 */
int cgroup_figures_read(const struct cgroup_place *root, const char *cgroup,
                        struct cgroup_usage *ret);

/* All figures by the kernel's names, "cpu.stat.usage_usec 123"; *ret is the caller's. */
int cgroup_figures_list(const struct cgroup_place *root, const char *cgroup, char ***ret);

/* The same from figures that were kept. 0 or -ENOMEM. */
int cgroup_figures_kept(const struct cgroup_usage *usage, char ***ret);
