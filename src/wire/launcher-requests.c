/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/launcher-requests.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/packet.h"

/* --- calling back ---------------------------------------------------------------------------- */

static void reply_hello(const struct launcher_call *call, struct launcher_reply *reply)
{
    call->hello(reply->answer ? &reply->answer->hello : NULL, &reply->fds->fd[0], reply->err,
                call->owner);
}

static void reply_listen(const struct launcher_call *call, struct launcher_reply *reply)
{
    call->listen(&reply->fds->fd[0], reply->answer ? reply->answer->listen_port : 0, reply->err,
                 call->owner);
}

static void reply_done(const struct launcher_call *call, struct launcher_reply *reply)
{
    call->done(reply->err, call->owner);
}

static void reply_spawn(const struct launcher_call *call, struct launcher_reply *reply)
{
    struct spawn_result failed = SPAWN_RESULT_NULL;
    struct spawn_result *result = reply->answer ? &reply->answer->spawn.result : &failed;

    failed.limits.refused = reply->refused;
    result->pidfd = TAKE_FD(reply->fds->fd[0]);
    call->spawn(result, &reply->fds->fd[1], reply->failure, reply->err, call->owner);
    result->pidfd = fd_close(result->pidfd);
}

static void reply_remove(const struct launcher_call *call, struct launcher_reply *reply)
{
    struct error busy;

    if (!reply->answer || !reply->answer->remove.busy) {
        call->remove(reply->answer ? &reply->answer->remove.usage : NULL, reply->err, call->owner);
        return;
    }
    error_set(&busy, -EBUSY, "processes of the job are still ending");
    call->remove(NULL, &busy, call->owner);
}

static void reply_list_groups(const struct launcher_call *call, struct launcher_reply *reply)
{
    call->list_groups(reply->answer ? &reply->answer->page : NULL, reply->err, call->owner);
}

static void reply_find(const struct launcher_call *call, struct launcher_reply *reply)
{
    struct spawn_result *result = reply->answer ? &reply->answer->find : NULL;

    if (result)
        result->pidfd = TAKE_FD(reply->fds->fd[0]);
    call->find(result, reply->err, call->owner);
    if (result)
        result->pidfd = fd_close(result->pidfd);
}

static void reply_list_tasks(const struct launcher_call *call, struct launcher_reply *reply)
{
    call->list_tasks(reply->answer ? &reply->answer->tasks : NULL, reply->err, call->owner);
}

/* --- the catalogue --------------------------------------------------------------------------- */

/* clang-format off: one row, one line */
#define KIND(name, answer, fd_count, reply)                                                        \
    [LAUNCHER_REQUEST_##name] = {LAUNCHER_REQUEST_##name, LAUNCHER_ANSWER_##answer, fd_count, reply}

const struct launcher_request_kind launcher_request_kinds[] = {
    KIND(HELLO, HELLO, 0, reply_hello),
    KIND(LISTEN, LISTEN, 1, reply_listen),
    KIND(READY, DONE, 0, reply_done),
    KIND(SPAWN, SPAWN, 1, reply_spawn),
    KIND(KILL, DONE, 0, reply_done),
    KIND(REMOVE, REMOVE, 0, reply_remove),
    KIND(LIST_GROUPS, LIST_GROUPS, 0, reply_list_groups),
    KIND(FIND, FIND, 1, reply_find),
    KIND(LIST_TASKS, LIST_TASKS, 0, reply_list_tasks),
};
/* clang-format on */

static_assert(ARRAY_SIZE(launcher_request_kinds) == _LAUNCHER_REQUEST_MAX,
              "each request has an answer");

/* --- asking ---------------------------------------------------------------------------------- */

static int put_text(const char *text, char *ret, size_t room, const char *what, struct error *err)
{
    size_t size = strlen(text);

    if (size >= room)
        return error_set(err, -E2BIG, "%s is longer than %zu bytes", what, room - 1);
    memcpy(ret, text, size + 1);
    return 0;
}

static int put_job(const char *group, const struct id *id, struct launcher_job_ref *ret,
                   struct error *err)
{
    ret->id = *id;
    return put_text(group, ret->group, sizeof(ret->group), "the name of a job's group", err);
}

int launcher_client_hello(struct launcher_client *client, launcher_hello_fn *done, void *owner,
                          struct error *err)
{
    struct launcher_request request = {
        .type = LAUNCHER_REQUEST_HELLO,
        .hello = {.protocol = LAUNCHER_PROTOCOL_VERSION, .version = HOIST_VERSION},
    };

    return launcher_client_request(client, &request, NULL, 0,
                                   &(struct launcher_call){.hello = done, .owner = owner}, err);
}

int launcher_client_listen(struct launcher_client *client, const char *host, uint16_t port,
                           launcher_listen_fn *done, void *owner, struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_LISTEN, .listen = {.port = port}};
    int r = put_text(host, request.listen.host, sizeof(request.listen.host), "the host", err);

    if (r < 0)
        return r;
    return launcher_client_request(client, &request, NULL, 0,
                                   &(struct launcher_call){.listen = done, .owner = owner}, err);
}

int launcher_client_ready(struct launcher_client *client, const char *address,
                          const struct launcher_lifeline *lifeline, launcher_done_fn *done,
                          void *owner, struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_READY};
    const int fds[LAUNCHER_READY_FDS] = {lifeline->hold, lifeline->watch};
    int r =
        put_text(address, request.ready_address, sizeof(request.ready_address), "the address", err);

    if (r < 0)
        return r;
    return launcher_client_request(client, &request, fds, LAUNCHER_READY_FDS,
                                   &(struct launcher_call){.done = done, .owner = owner}, err);
}

int launcher_client_spawn(struct launcher_client *client, const struct spawn_spec *spec,
                          const struct spawn_files *files, launcher_spawn_fn *done, void *owner,
                          struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_SPAWN, .spawn = *spec};
    const int fds[LAUNCHER_SPAWN_FDS] = {files->data, files->index, files->state};

    return launcher_client_request(client, &request, fds, LAUNCHER_SPAWN_FDS,
                                   &(struct launcher_call){.spawn = done, .owner = owner}, err);
}

int launcher_client_kill(struct launcher_client *client, const char *group, const struct id *id,
                         launcher_done_fn *done, void *owner, struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_KILL};
    int r = put_job(group, id, &request.job, err);

    if (r < 0)
        return r;
    return launcher_client_request(client, &request, NULL, 0,
                                   &(struct launcher_call){.done = done, .owner = owner}, err);
}

int launcher_client_remove(struct launcher_client *client, const char *group, const struct id *id,
                           launcher_remove_fn *done, void *owner, struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_REMOVE};
    int r = put_job(group, id, &request.job, err);

    if (r < 0)
        return r;
    return launcher_client_request(client, &request, NULL, 0,
                                   &(struct launcher_call){.remove = done, .owner = owner}, err);
}

int launcher_client_list_groups(struct launcher_client *client,
                                const struct launcher_job_ref *after, launcher_list_groups_fn *done,
                                void *owner, struct error *err)
{
    struct launcher_request request = {
        .type = LAUNCHER_REQUEST_LIST_GROUPS,
        .list_groups = {.from_start = !after},
    };

    if (after)
        request.list_groups.after = *after;
    return launcher_client_request(client, &request, NULL, 0,
                                   &(struct launcher_call){.list_groups = done, .owner = owner},
                                   err);
}

int launcher_client_find(struct launcher_client *client, const char *group, const struct id *id,
                         const struct spawn_process *known, launcher_find_fn *done, void *owner,
                         struct error *err)
{
    struct launcher_request request = {
        .type = LAUNCHER_REQUEST_FIND,
        .find = {.known = *known},
    };
    int r = put_job(group, id, &request.find.job, err);

    if (r < 0)
        return r;
    return launcher_client_request(client, &request, NULL, 0,
                                   &(struct launcher_call){.find = done, .owner = owner}, err);
}

int launcher_client_list_tasks(struct launcher_client *client, const char *group,
                               const struct id *id, launcher_list_tasks_fn *done, void *owner,
                               struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_LIST_TASKS};
    int r = put_job(group, id, &request.job, err);

    if (r < 0)
        return r;
    return launcher_client_request(client, &request, NULL, 0,
                                   &(struct launcher_call){.list_tasks = done, .owner = owner},
                                   err);
}
