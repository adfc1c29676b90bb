/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawner-local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "base/strv.h"
#include "spawn/spawn.h"
#include "worker/cgroup-figures.h"

/*
 * src/spawn answers at once; an answer waits here in a queue until the event loop delivers it,
 * since a completion must never run inside the call that asked.
 */

enum answer_kind {
    ANSWER_STARTED,
    ANSWER_KILLED,
    ANSWER_REMOVED,
    ANSWER_LISTED,
    ANSWER_FOUND,
    ANSWER_TASKS,
};

struct answer {
    struct answer *prev, *next;
    enum answer_kind kind;
    void *userdata;
    int code; /* of Kill */
    union {
        spawner_started_fn *started;
        spawner_killed_fn *killed;
        spawner_removed_fn *removed;
        spawner_listed_fn *listed;
        spawner_found_fn *found;
        spawner_tasks_fn *tasks;
    } done;
    union {
        struct spawner_started started;
        struct spawner_removed removed;
        struct spawner_groups groups;
        struct spawner_found found;
        struct spawner_tasks tasks;
    };
};

struct spawner_local {
    struct spawner head;
    struct spawn_context *context;
    struct answer *answers;
    sd_event_source *source;
};

static struct spawner_local *local(struct spawner *spawner)
{
    return (struct spawner_local *)spawner;
}

static void answer_free(struct spawner_local *spawner, struct answer *answer)
{
    DL_DELETE(spawner->answers, answer);
    if (answer->kind == ANSWER_STARTED && answer->started.code == 0)
        fd_close(answer->started.result.pidfd);
    if (answer->kind == ANSWER_FOUND && answer->found.code == 0)
        fd_close(answer->found.result.pidfd);
    if (answer->kind == ANSWER_LISTED)
        free((void *)(uintptr_t)answer->groups.groups);
    free(answer);
}

static void answer_call(struct answer *answer)
{
    switch (answer->kind) {
    case ANSWER_STARTED:
        answer->done.started(&answer->started, answer->userdata);
        break;
    case ANSWER_KILLED:
        answer->done.killed(answer->code, answer->userdata);
        break;
    case ANSWER_REMOVED:
        answer->done.removed(&answer->removed, answer->userdata);
        break;
    case ANSWER_LISTED:
        answer->done.listed(&answer->groups, answer->userdata);
        break;
    case ANSWER_FOUND:
        answer->done.found(&answer->found, answer->userdata);
        break;
    case ANSWER_TASKS:
        answer->done.tasks(&answer->tasks, answer->userdata);
        break;
    }
}

static int deliver(sd_event_source *source, void *userdata)
{
    struct spawner_local *spawner = userdata;
    struct answer *answer = spawner->answers;

    if (!answer)
        return 0;
    answer_call(answer);
    answer_free(spawner, answer);
    if (spawner->answers)
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

/* Before anything is done, so that what was done can always be answered. */
static struct answer *answer_new(struct spawner_local *spawner, enum answer_kind kind,
                                 void *userdata)
{
    struct answer *answer = calloc(1, sizeof(*answer));

    if (!answer)
        return NULL;
    answer->kind = kind;
    answer->userdata = userdata;
    DL_APPEND(spawner->answers, answer);
    (void)sd_event_source_set_enabled(spawner->source, SD_EVENT_ONESHOT);
    return answer;
}

static int local_spawn(struct spawner *spawner, const struct spawn_spec *spec,
                       const struct spawn_files *files, spawner_started_fn *done, void *userdata)
{
    struct answer *answer = answer_new(local(spawner), ANSWER_STARTED, userdata);

    if (!answer)
        return -ENOMEM;
    answer->done.started = done;
    answer->started.result = SPAWN_RESULT_NULL;
    answer->started.code = spawn_job(local(spawner)->context, spec, files, &answer->started.result,
                                     &answer->started.failure, &answer->started.error);
    return 0;
}

static int local_kill(struct spawner *spawner, const struct id *id, const char *group,
                      spawner_killed_fn *done, void *userdata)
{
    struct answer *answer = answer_new(local(spawner), ANSWER_KILLED, userdata);

    if (!answer)
        return -ENOMEM;
    answer->done.killed = done;
    answer->code = spawn_kill(local(spawner)->context, group, id, NULL);
    return 0;
}

static int local_remove(struct spawner *spawner, const struct id *id, const char *group,
                        spawner_removed_fn *done, void *userdata)
{
    struct answer *answer = answer_new(local(spawner), ANSWER_REMOVED, userdata);

    if (!answer)
        return -ENOMEM;
    answer->done.removed = done;
    answer->removed.code = spawn_remove(local(spawner)->context, group, id, &answer->removed.usage,
                                        &answer->removed.error);
    return 0;
}

static int group_found(const char *group, const struct id *id, bool populated, void *data)
{
    struct spawner_groups *groups = data;
    struct spawner_group *more =
        reallocarray((void *)(uintptr_t)groups->groups, groups->count + 1, sizeof(*more));

    (void)populated;
    if (!more)
        return -ENOMEM;
    more[groups->count].id = *id;
    snprintf(more[groups->count].group, sizeof(more->group), "%s", group);
    groups->groups = more;
    groups->count++;
    return 0;
}

static int local_list(struct spawner *spawner, spawner_listed_fn *done, void *userdata)
{
    struct answer *answer = answer_new(local(spawner), ANSWER_LISTED, userdata);

    if (!answer)
        return -ENOMEM;
    answer->done.listed = done;
    answer->groups.code =
        spawn_list(local(spawner)->context, group_found, &answer->groups, &answer->groups.error);
    return 0;
}

static int local_find(struct spawner *spawner, const struct id *id, const char *group,
                      const struct spawn_process *known, spawner_found_fn *done, void *userdata)
{
    struct answer *answer = answer_new(local(spawner), ANSWER_FOUND, userdata);

    if (!answer)
        return -ENOMEM;
    answer->done.found = done;
    answer->found.code = spawn_find(local(spawner)->context, group, id, known,
                                    &answer->found.result, &answer->found.error);
    return 0;
}

static int local_tasks(struct spawner *spawner, const struct id *id, const char *group,
                       spawner_tasks_fn *done, void *userdata)
{
    struct answer *answer = answer_new(local(spawner), ANSWER_TASKS, userdata);
    int count;

    if (!answer)
        return -ENOMEM;
    answer->done.tasks = done;
    count = spawn_tasks(local(spawner)->context, group, id, answer->tasks.list, NULL);
    answer->tasks.code = MIN(count, 0);
    answer->tasks.count = (size_t)MAX(count, 0);
    return 0;
}

/* Asked for each time: another agent may have had the root made anew. */
static struct cgroup_place place(struct spawner *spawner)
{
    const struct spawn_context *context = local(spawner)->context;

    return (struct cgroup_place){
        spawn_context_cgroups(context),
        spawn_context_cgroup_root(context),
    };
}

static int local_usage(struct spawner *spawner, const char *cgroup, struct cgroup_usage *ret)
{
    const struct cgroup_place root = place(spawner);

    return cgroup_figures_read(&root, cgroup, ret);
}

static int local_statistics(struct spawner *spawner, const char *cgroup, char ***ret)
{
    const struct cgroup_place root = place(spawner);

    return cgroup_figures_list(&root, cgroup, ret);
}

static void local_free(struct spawner *spawner)
{
    struct spawner_local *self = local(spawner);

    while (self->answers)
        answer_free(self, self->answers);
    self->source = sd_event_source_disable_unref(self->source);
    spawn_context_free(self->context);
    free(self);
}

static const struct spawner_class local_class = {
    .name = "in-process",
    .spawn = local_spawn,
    .kill = local_kill,
    .remove = local_remove,
    .list = local_list,
    .usage = local_usage,
    .statistics = local_statistics,
    .tasks = local_tasks,
    .find = local_find,
    .free = local_free,
};

int spawner_local_new(sd_event *event, struct spawn_context *context, struct spawner **ret,
                      struct error *err)
{
    struct spawner_local *spawner = calloc(1, sizeof(*spawner));
    int r;

    if (!spawner)
        return error_set(err, -ENOMEM, "no memory for a spawner");
    spawner->head.class = &local_class;
    spawner->head.degradations = spawn_context_degradations(context);
    spawner->head.room = spawn_context_room(context);
    r = sd_event_add_defer(event, &spawner->source, deliver, spawner);
    if (r >= 0)
        r = sd_event_source_set_enabled(spawner->source, SD_EVENT_OFF);
    if (r < 0) {
        local_free(&spawner->head);
        return error_set(err, r, "can't use the event loop: %s", strerrordesc_np(-r));
    }
    spawner->context = context;
    *ret = &spawner->head;
    return 0;
}
