/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawner-local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "base/strv.h"
#include "linux/cgroup-tree.h"
#include "spawn/spawn.h"
#include "worker/blocked-tasks.h"
#include "worker/cgroup-figures.h"
#include "worker/init-process.h"

/*
 * src/spawn answers at once; an answer waits here in a queue until the event loop delivers it,
 * since a completion must never run inside the call that asked.
 */

enum answer_kind {
    ANSWER_STARTED,
    ANSWER_KILLED,
    ANSWER_REMOVED,
    ANSWER_LISTED,
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
    } done;
    union {
        struct spawner_started started;
        struct spawner_removed removed;
        struct spawner_groups groups;
    };
};

struct spawner_local {
    struct spawner head;
    struct spawn_context *context;
    struct cgroup_tree tree; /* for the figures; none: fd FD_NONE */
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

static int local_usage(struct spawner *spawner, const char *cgroup, struct cgroup_usage *ret)
{
    return cgroup_figures_read(local(spawner)->tree.fd, cgroup, ret);
}

static int local_statistics(struct spawner *spawner, const char *cgroup, char ***ret)
{
    return cgroup_figures_list(local(spawner)->tree.fd, cgroup, ret);
}

static int local_tasks(struct spawner *spawner, const char *cgroup, struct hoist_blocked_task *ret,
                       size_t max)
{
    return blocked_tasks_read(local(spawner)->tree.fd, cgroup, ret, max);
}

static int local_find(struct spawner *spawner, const struct id *id, const char *group,
                      struct spawn_result *ret)
{
    const char *root = spawn_context_cgroup_root(local(spawner)->context);

    return text_is_empty(root) ? -EOPNOTSUPP
                               : init_process_find(local(spawner)->tree.fd, root, group, id, ret);
}

static void local_free(struct spawner *spawner)
{
    struct spawner_local *self = local(spawner);

    while (self->answers)
        answer_free(self, self->answers);
    self->source = sd_event_source_disable_unref(self->source);
    spawn_context_free(self->context);
    cgroup_tree_done(&self->tree);
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
    spawner->tree = CGROUP_TREE_NULL;
    (void)cgroup_tree_open(&spawner->tree, NULL); /* without it there are no figures */
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
