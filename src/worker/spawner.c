/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawner.h"

#include <errno.h>

#include "base/strv.h"

int spawner_spawn(struct spawner *spawner, const struct spawn_spec *spec,
                  const struct spawn_files *files, spawner_started_fn *done, void *userdata)
{
    return spawner->class->spawn(spawner, spec, files, done, userdata);
}

int spawner_kill(struct spawner *spawner, const struct id *id, const char *group,
                 spawner_killed_fn *done, void *userdata)
{
    return spawner->class->kill(spawner, id, group, done, userdata);
}

int spawner_remove(struct spawner *spawner, const struct id *id, const char *group,
                   spawner_removed_fn *done, void *userdata)
{
    return spawner->class->remove(spawner, id, group, done, userdata);
}

int spawner_list(struct spawner *spawner, spawner_listed_fn *done, void *userdata)
{
    return spawner->class->list(spawner, done, userdata);
}

int spawner_usage(struct spawner *spawner, const char *cgroup, struct cgroup_usage *ret)
{
    return spawner->class->usage(spawner, cgroup, ret);
}

int spawner_statistics(struct spawner *spawner, const char *cgroup, char ***ret)
{
    return spawner->class->statistics ? spawner->class->statistics(spawner, cgroup, ret)
                                      : -EOPNOTSUPP;
}

int spawner_tasks(struct spawner *spawner, const char *cgroup, struct hoist_blocked_task *ret,
                  size_t max)
{
    if (!spawner->class->tasks || text_is_empty(cgroup))
        return -EOPNOTSUPP;
    return spawner->class->tasks(spawner, cgroup, ret, max);
}

int spawner_control(struct spawner *spawner, const struct pidref *init,
                    const struct control_request *request)
{
    int signal, value, r;

    if (spawner->class->control)
        return spawner->class->control(spawner, init, request);
    r = control_pack(request, &signal, &value);
    return r < 0 ? r : pidref_queue(init, signal, value);
}

int spawner_find(struct spawner *spawner, const struct id *id, const char *group,
                 struct spawn_result *ret)
{
    return spawner->class->find ? spawner->class->find(spawner, id, group, ret) : -EOPNOTSUPP;
}

int spawner_reopen(struct spawner *spawner, pid_t pid, uint64_t start_time, struct pidref *ret)
{
    if (spawner->class->reopen)
        return spawner->class->reopen(spawner, pid, start_time, ret);
    return pidref_reopen(pid, start_time, ret);
}

struct spawner *spawner_free(struct spawner *spawner)
{
    if (spawner)
        spawner->class->free(spawner);
    return NULL;
}
