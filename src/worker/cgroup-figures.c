/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cgroup-figures.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-stat.h"
#include "linux/cgroup-tree.h"

static int cgroup_below(const struct cgroup_place *root, const char *cgroup)
{
    size_t size = strlen(root->path);

    if (root->fd < 0 || strncmp(cgroup, root->path, size) != 0 || cgroup[size] != '/')
        return -ENOENT;
    return cgroup_open(root->fd, cgroup + size + 1, NULL);
}

/* The events of the root are those of the limit of all jobs together. */
int cgroup_figures_read(const struct cgroup_place *root, const char *cgroup,
                        struct cgroup_usage *ret)
{
    _cleanup_close_ int fd = cgroup_below(root, cgroup);
    int r = fd < 0 ? fd : cgroup_usage_read(fd, ret, NULL);

    if (r >= 0)
        ret->oom_of_all = cgroup_oom_of_own(root->fd);
    return r;
}

static int append(const char *key, const char *value, void *data)
{
    _cleanup_free_ char *line = text_format("%s %s", key, value);

    return line ? strv_append(data, line) : -ENOMEM;
}

int cgroup_figures_list(const struct cgroup_place *root, const char *cgroup, char ***ret)
{
    _cleanup_close_ int fd = cgroup_below(root, cgroup);
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
