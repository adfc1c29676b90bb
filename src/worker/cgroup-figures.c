/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cgroup-figures.h"

#include "base/fd.h"
#include "linux/cgroup-stat.h"
#include "linux/cgroup-tree.h"

int cgroup_figures_read(int mount_fd, const char *path, struct cgroup_usage *ret)
{
    _cleanup_close_ int fd = cgroup_open(mount_fd, path, NULL);

    return fd < 0 ? fd : cgroup_usage_read(fd, ret, NULL);
}
