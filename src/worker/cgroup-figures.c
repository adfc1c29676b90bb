/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cgroup-figures.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-stat.h"
#include "linux/cgroup-tree.h"

#define LEVELS_BELOW_ROOT 3 /* group, job, cmd */

/* The events of <root>, whose limit is that of all jobs together: `path` is
 * <root>/<group>/<id>/cmd. */
static uint64_t oom_of_all(int mount_fd, const char *path)
{
    _cleanup_free_ char *root = strdup(path);
    _cleanup_close_ int fd = FD_NONE;

    for (int i = 0; root && i < LEVELS_BELOW_ROOT; i++) {
        char *slash = strrchr(root, '/');

        if (!slash)
            return 0;
        *slash = '\0';
    }
    fd = root ? cgroup_open(mount_fd, root, NULL) : -ENOMEM;
    return fd < 0 ? 0 : cgroup_oom_of_own(fd);
}

int cgroup_figures_read(int mount_fd, const char *path, struct cgroup_usage *ret)
{
    _cleanup_close_ int fd = cgroup_open(mount_fd, path, NULL);

    int r = fd < 0 ? fd : cgroup_usage_read(fd, ret, NULL);

    if (r >= 0)
        ret->oom_of_all = oom_of_all(mount_fd, path);
    return r;
}

static int append(const char *key, const char *value, void *data)
{
    _cleanup_free_ char *line = text_format("%s %s", key, value);

    return line ? strv_append(data, line) : -ENOMEM;
}

int cgroup_figures_list(int mount_fd, const char *path, char ***ret)
{
    _cleanup_close_ int fd = cgroup_open(mount_fd, path, NULL);
    _cleanup_strv_ char **list = NULL;
    int r = fd < 0 ? fd : cgroup_statistics_read(fd, append, &list);

    if (r < 0)
        return r;
    *ret = TAKE_PTR(list);
    return 0;
}

int cgroup_figures_kept(const struct cgroup_usage *usage, char ***ret)
{
    _cleanup_strv_ char **list = NULL;
    int r = cgroup_usage_statistics(usage, append, &list);

    if (r < 0)
        return r;
    *ret = TAKE_PTR(list);
    return 0;
}
