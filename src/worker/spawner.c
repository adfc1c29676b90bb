/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawner.h"

#include <errno.h>

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

int spawner_tasks(struct spawner *spawner, const struct id *id, const char *group,
                  spawner_tasks_fn *done, void *userdata)
{
    return spawner->class->tasks(spawner, id, group, done, userdata);
}

int spawner_find(struct spawner *spawner, const struct id *id, const char *group,
                 const struct spawn_process *known, spawner_found_fn *done, void *userdata)
{
    return spawner->class->find(spawner, id, group, known, done, userdata);
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

struct spawner *spawner_free(struct spawner *spawner)
{
    if (spawner)
        spawner->class->free(spawner);
    return NULL;
}
