/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawner-launcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "base/strv.h"
#include "linux/cgroup-tree.h"
#include "wire/launcher-client.h"
#include "worker/cgroup-figures.h"

/*
 * Each request is an object that the client hands back with the answer. The client may outlive the
 * spawner: freeing it cuts the requests off, and a late answer frees its request and nothing else.
 */

struct request;

struct spawner_launcher {
    struct spawner head;
    struct launcher_client *client; /* borrowed */
    sd_event_source *source;
    int cgroups;       /* the jobs' cgroup root; FD_NONE: none */
    char *cgroup_root; /* its path below the cgroup2 mount; "": none */
    char **degradations;
    struct spawner_launcher_events events;
    struct request *requests; /* under way */
};

struct request {
    struct request *prev, *next;
    struct spawner_launcher *spawner; /* NULL: cut off */
    void *userdata;
    union {
        spawner_started_fn *started;
        spawner_killed_fn *killed;
        spawner_removed_fn *removed;
        spawner_listed_fn *listed;
        spawner_found_fn *found;
        spawner_tasks_fn *tasks;
    } done;
    struct spawner_group *groups; /* of ListGroups, page by page */
    size_t group_count;
};

static struct spawner_launcher *launcher(struct spawner *spawner)
{
    return (struct spawner_launcher *)spawner;
}

static struct request *request_new(struct spawner_launcher *spawner, void *userdata)
{
    struct request *request = calloc(1, sizeof(*request));

    if (!request)
        return NULL;
    request->spawner = spawner;
    request->userdata = userdata;
    DL_APPEND(spawner->requests, request);
    return request;
}

static void request_free(struct request *request)
{
    if (request->spawner)
        DL_DELETE(request->spawner->requests, request);
    free(request->groups);
    free(request);
}

static void request_freep(struct request **request)
{
    request_free(*request);
}

#define _cleanup_request_ _cleanup_(request_freep)

/* --- spawn --------------------------------------------------------------------------------------
 */

/*
 * Another root in the place of the one that somebody had removed. Landlock's rules are of
 * directories: where it confines us the new one is shut.
 */
static void cgroups_moved(struct spawner_launcher *spawner, int cgroups)
{
    char text[256];

    fd_close(spawner->cgroups);
    spawner->cgroups = cgroups;
    if (cgroup_file_read(cgroups, "cgroup.controllers", text, sizeof(text)) == -EACCES)
        spawner->events.shut_out(spawner->events.userdata);
}

static void started(struct spawn_result *result, int *cgroups, enum spawn_failure failure,
                    const struct error *err, void *owner)
{
    _cleanup_request_ struct request *request = owner;
    struct spawner_started answer = {.failure = failure, .result = SPAWN_RESULT_NULL};

    if (!request->spawner)
        return;
    if (*cgroups >= 0)
        cgroups_moved(request->spawner, TAKE_FD(*cgroups));
    if (err) {
        answer.code = err->code;
        answer.error = *err;
        answer.result.limits.refused = result->limits.refused;
    } else {
        answer.result = *result;
        result->pidfd = FD_NONE;
    }
    request->done.started(&answer, request->userdata);
    fd_close(answer.result.pidfd);
}

static int launcher_spawn(struct spawner *spawner, const struct spawn_spec *spec,
                          const struct spawn_files *files, spawner_started_fn *done, void *userdata)
{
    struct request *request = request_new(launcher(spawner), userdata);
    int r;

    if (!request)
        return -ENOMEM;
    request->done.started = done;
    r = launcher_client_spawn(launcher(spawner)->client, spec, files, started, request, NULL);
    if (r < 0)
        request_free(request);
    return r;
}

/* --- kill ---------------------------------------------------------------------------------------
 */

static void killed(const struct error *err, void *owner)
{
    _cleanup_request_ struct request *request = owner;

    if (request->spawner)
        request->done.killed(err ? err->code : 0, request->userdata);
}

static int launcher_kill(struct spawner *spawner, const struct id *id, const char *group,
                         spawner_killed_fn *done, void *userdata)
{
    struct request *request = request_new(launcher(spawner), userdata);
    int r;

    if (!request)
        return -ENOMEM;
    request->done.killed = done;
    r = launcher_client_kill(launcher(spawner)->client, group, id, killed, request, NULL);
    if (r < 0)
        request_free(request);
    return r;
}

/* --- remove -------------------------------------------------------------------------------------
 */

static void removed(const struct cgroup_usage *usage, const struct error *err, void *owner)
{
    _cleanup_request_ struct request *request = owner;
    struct spawner_removed answer = {.code = err ? err->code : 0};

    if (!request->spawner)
        return;
    if (err)
        answer.error = *err;
    else
        answer.usage = *usage;
    request->done.removed(&answer, request->userdata);
}

static int launcher_remove(struct spawner *spawner, const struct id *id, const char *group,
                           spawner_removed_fn *done, void *userdata)
{
    struct request *request = request_new(launcher(spawner), userdata);
    int r;

    if (!request)
        return -ENOMEM;
    request->done.removed = done;
    r = launcher_client_remove(launcher(spawner)->client, group, id, removed, request, NULL);
    if (r < 0)
        request_free(request);
    return r;
}

/* --- list ---------------------------------------------------------------------------------------
 */

static void listed(const struct launcher_page *page, const struct error *err, void *owner);

static int take_page(struct request *request, const struct launcher_page *page)
{
    struct spawner_group *more =
        reallocarray(request->groups, request->group_count + page->count + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    request->groups = more;
    for (size_t i = 0; i < page->count; i++) {
        struct spawner_group *group = &more[request->group_count++];

        group->id = page->groups[i].job.id;
        memcpy(group->group, page->groups[i].job.group, sizeof(group->group));
    }
    if (!page->more || page->count == 0)
        return 0;
    return launcher_client_list_groups(request->spawner->client, &page->groups[page->count - 1].job,
                                       listed, request, NULL) < 0
               ? -EPIPE
               : 1;
}

/* One page; take_page() has asked for the next when it returns 1. */
static void listed(const struct launcher_page *page, const struct error *err, void *owner)
{
    struct request *request = owner;
    struct spawner_groups groups = {.code = err ? err->code : 0};

    if (request->spawner && !err) {
        groups.code = take_page(request, page);
        if (groups.code > 0)
            return;
        if (groups.code < 0)
            error_set(&groups.error, groups.code, "can't list the cgroups of jobs");
    }
    if (err)
        groups.error = *err;
    groups.groups = request->groups;
    groups.count = request->group_count;
    if (request->spawner)
        request->done.listed(&groups, request->userdata);
    request_free(request);
}

static int launcher_list(struct spawner *spawner, spawner_listed_fn *done, void *userdata)
{
    struct request *request = request_new(launcher(spawner), userdata);
    int r;

    if (!request)
        return -ENOMEM;
    request->done.listed = done;
    r = launcher_client_list_groups(launcher(spawner)->client, NULL, listed, request, NULL);
    if (r < 0)
        request_free(request);
    return r;
}

/* --- find ---------------------------------------------------------------------------------------
 */

static void found(struct spawn_result *result, const struct error *err, void *owner)
{
    _cleanup_request_ struct request *request = owner;
    struct spawner_found answer = {.result = SPAWN_RESULT_NULL};

    if (!request->spawner)
        return;
    if (err) {
        answer.code = err->code;
        answer.error = *err;
    } else {
        answer.result = *result;
        result->pidfd = FD_NONE;
    }
    request->done.found(&answer, request->userdata);
    fd_close(answer.result.pidfd);
}

static int launcher_find(struct spawner *spawner, const struct id *id, const char *group,
                         const struct spawn_process *known, spawner_found_fn *done, void *userdata)
{
    struct request *request = request_new(launcher(spawner), userdata);
    int r;

    if (!request)
        return -ENOMEM;
    request->done.found = done;
    r = launcher_client_find(launcher(spawner)->client, group, id, known, found, request, NULL);
    if (r < 0)
        request_free(request);
    return r;
}

/* --- tasks --------------------------------------------------------------------------------------
 */

static void tasks_listed(const struct launcher_tasks *tasks, const struct error *err, void *owner)
{
    _cleanup_request_ struct request *request = owner;
    struct spawner_tasks answer = {.code = err ? err->code : 0};

    if (!request->spawner)
        return;
    if (!err) {
        answer.count = tasks->count;
        memcpy(answer.list, tasks->list, sizeof(answer.list));
    }
    request->done.tasks(&answer, request->userdata);
}

static int launcher_tasks(struct spawner *spawner, const struct id *id, const char *group,
                          spawner_tasks_fn *done, void *userdata)
{
    struct request *request = request_new(launcher(spawner), userdata);
    int r;

    if (!request)
        return -ENOMEM;
    request->done.tasks = done;
    r = launcher_client_list_tasks(launcher(spawner)->client, group, id, tasks_listed, request,
                                   NULL);
    if (r < 0)
        request_free(request);
    return r;
}

/* --- figures and the socket ---------------------------------------------------------------------
 */

static struct cgroup_place place(struct spawner *spawner)
{
    return (struct cgroup_place){launcher(spawner)->cgroups, launcher(spawner)->cgroup_root};
}

static int launcher_usage(struct spawner *spawner, const char *cgroup, struct cgroup_usage *ret)
{
    const struct cgroup_place root = place(spawner);

    return cgroup_figures_read(&root, cgroup, ret);
}

static int launcher_statistics(struct spawner *spawner, const char *cgroup, char ***ret)
{
    const struct cgroup_place root = place(spawner);

    return cgroup_figures_list(&root, cgroup, ret);
}

static int socket_is_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct spawner_launcher *spawner = userdata;
    struct error err;

    (void)fd, (void)events;
    if (launcher_client_dispatch(spawner->client, &err) < 0) {
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        spawner->events.gone(&err, spawner->events.userdata);
    }
    return 0;
}

/* What to wait for changes with every request, so it is asked before each wait. */
static int before_waiting(sd_event_source *source, void *userdata)
{
    struct spawner_launcher *spawner = userdata;

    return sd_event_source_set_io_events(source, launcher_client_events(spawner->client));
}

static void launcher_free(struct spawner *spawner)
{
    struct spawner_launcher *self = launcher(spawner);

    while (self->requests) {
        struct request *request = self->requests;

        DL_DELETE(self->requests, request);
        request->spawner = NULL;
    }
    self->source = sd_event_source_disable_unref(self->source);
    self->cgroups = fd_close(self->cgroups);
    strv_free(self->degradations);
    free(self->cgroup_root);
    free(self);
}

static const struct spawner_class launcher_class = {
    .name = "launcher",
    .spawn = launcher_spawn,
    .kill = launcher_kill,
    .remove = launcher_remove,
    .list = launcher_list,
    .usage = launcher_usage,
    .statistics = launcher_statistics,
    .tasks = launcher_tasks,
    .find = launcher_find,
    .free = launcher_free,
};

int spawner_launcher_renew(struct spawner *spawner, const struct launcher_hello *hello)
{
    _cleanup_strv_ char **lacks = NULL;

    for (size_t i = 0; i < hello->lack_count; i++)
        if (strv_append(&lacks, hello->lacks[i]) < 0)
            return -ENOMEM;
    strv_free(launcher(spawner)->degradations);
    spawner->degradations = launcher(spawner)->degradations = TAKE_PTR(lacks);
    spawner->room = hello->room;
    return 0;
}

static int take_hello(struct spawner_launcher *spawner, const struct launcher_hello *hello)
{
    if (spawner_launcher_renew(&spawner->head, hello) < 0)
        return -ENOMEM;
    spawner->cgroup_root = strdup(hello->cgroup_root);
    return spawner->cgroup_root ? 0 : -ENOMEM;
}

static int watch_socket(struct spawner_launcher *spawner, sd_event *event)
{
    int r = sd_event_add_io(event, &spawner->source, launcher_client_fd(spawner->client),
                            launcher_client_events(spawner->client), socket_is_ready, spawner);

    return r < 0 ? r : sd_event_source_set_prepare(spawner->source, before_waiting);
}

int spawner_launcher_new(sd_event *event, struct launcher_client *client,
                         const struct launcher_hello *hello, int cgroups,
                         const struct spawner_launcher_events *events, struct spawner **ret,
                         struct error *err)
{
    struct spawner_launcher *spawner = calloc(1, sizeof(*spawner));
    int r;

    if (!spawner)
        return error_set(err, -ENOMEM, "no memory for a spawner");
    *spawner = (struct spawner_launcher){
        .head.class = &launcher_class,
        .client = client,
        .cgroups = FD_NONE,
        .events = *events,
    };
    r = take_hello(spawner, hello);
    if (r == 0)
        r = watch_socket(spawner, event);
    if (r == 0)
        spawner->cgroups = cgroups;
    if (r < 0) {
        launcher_free(&spawner->head);
        return error_set(err, r, "can't watch the launcher's socket: %s", strerrordesc_np(-r));
    }
    *ret = &spawner->head;
    return 0;
}
