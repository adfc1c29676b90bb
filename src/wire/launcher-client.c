/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/launcher-client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "wire/packet.h"

/*
 * One list holds every request without an answer, oldest first. The launcher answers in order, so
 * that the search for an answer's request ends at the head; those that still wait for room in the
 * socket are the list's tail. Only what waits keeps a packet and duplicates of its descriptors.
 */

/* Packets received in one dispatch: other sources of the loop get their turn. */
#define RECEIVE_BURST 64

struct pending {
    struct pending *next;
    uint64_t id;
    enum launcher_request_type type;
    union {
        launcher_hello_fn *hello;
        launcher_listen_fn *listen;
        launcher_done_fn *done; /* Ready, Kill */
        launcher_spawn_fn *spawn;
        launcher_remove_fn *remove;
        launcher_list_groups_fn *list_groups;
        launcher_find_fn *find;
        launcher_list_tasks_fn *list_tasks;
    };
    void *owner;

    /* Until it is sent: */
    struct buffer packet;
    struct packet_fds fds;
};

struct launcher_client {
    int fd;
    struct launcher_notices notices;
    void *owner;
    uint64_t last_id;
    int dead; /* 0, or the negative errno that ended it */
    bool dispatching;

    struct pending *head, **tail; /* all */
    struct pending **unsent;      /* the link to the first that waits for room */
    unsigned pending_count;
    unsigned unsent_count;

    struct launcher_answer answer; /* the one in hand */
    uint8_t received[LAUNCHER_ANSWER_MAX];
};

static struct pending *pending_free(struct pending *pending)
{
    if (!pending)
        return NULL;
    buffer_done(&pending->packet);
    packet_fds_done(&pending->fds);
    free(pending);
    return NULL;
}
DEFINE_CLEANUP(struct pending *, pending_free);

/* --- the list -------------------------------------------------------------------------------- */

static void list_append(struct launcher_client *client, struct pending *pending, bool sent)
{
    *client->tail = pending;
    client->tail = &pending->next;
    client->pending_count++;
    if (sent)
        client->unsent = client->tail;
    else
        client->unsent_count++;
}

/* Takes out the one that `link` leads to; it is the caller's then. */
static struct pending *list_take(struct launcher_client *client, struct pending **link)
{
    struct pending *pending = *link;

    *link = pending->next;
    if (client->tail == &pending->next)
        client->tail = link;
    if (client->unsent == &pending->next)
        client->unsent = link;
    client->pending_count--;
    pending->next = NULL;
    return pending;
}

/* --- completion ------------------------------------------------------------------------------ */

/* Calls back with an error; `failure` and `refused` are for Spawn. */
static void pending_fail(struct pending *pending, enum spawn_failure failure, uint32_t refused,
                         const struct error *err)
{
    struct spawn_result result = SPAWN_RESULT_NULL;
    int none = FD_NONE;

    switch (pending->type) {
    case LAUNCHER_REQUEST_HELLO:
        pending->hello(NULL, &none, err, pending->owner);
        break;
    case LAUNCHER_REQUEST_LISTEN:
        pending->listen(&none, 0, err, pending->owner);
        break;
    case LAUNCHER_REQUEST_READY:
    case LAUNCHER_REQUEST_KILL:
        pending->done(err, pending->owner);
        break;
    case LAUNCHER_REQUEST_SPAWN:
        result.limits.refused = refused;
        pending->spawn(&result, &none, failure, err, pending->owner);
        break;
    case LAUNCHER_REQUEST_FIND:
        pending->find(NULL, err, pending->owner);
        break;
    case LAUNCHER_REQUEST_LIST_TASKS:
        pending->list_tasks(NULL, err, pending->owner);
        break;
    case LAUNCHER_REQUEST_REMOVE:
        pending->remove(NULL, err, pending->owner);
        break;
    case LAUNCHER_REQUEST_LIST_GROUPS:
        pending->list_groups(NULL, err, pending->owner);
        break;
    case _LAUNCHER_REQUEST_MAX:
    default:
        assert(false);
    }
}

static void complete_remove(struct pending *pending, const struct launcher_answer *answer)
{
    struct error busy;

    if (!answer->remove.busy) {
        pending->remove(&answer->remove.usage, NULL, pending->owner);
        return;
    }
    error_set(&busy, -EBUSY, "processes of the job are still ending");
    pending->remove(NULL, &busy, pending->owner);
}

/* Calls back with the answer, whose type and descriptors were checked; those not taken are closed,
 * those that didn't come are FD_NONE. */
static void pending_complete(struct pending *pending, struct launcher_answer *answer,
                             struct packet_fds *fds)
{
    switch (pending->type) {
    case LAUNCHER_REQUEST_HELLO:
        pending->hello(&answer->hello, &fds->fd[0], NULL, pending->owner);
        break;
    case LAUNCHER_REQUEST_LISTEN:
        pending->listen(&fds->fd[0], answer->listen_port, NULL, pending->owner);
        break;
    case LAUNCHER_REQUEST_READY:
    case LAUNCHER_REQUEST_KILL:
        pending->done(NULL, pending->owner);
        break;
    case LAUNCHER_REQUEST_SPAWN:
        answer->spawn.result.pidfd = TAKE_FD(fds->fd[0]);
        pending->spawn(&answer->spawn.result, &fds->fd[1], SPAWN_FAILURE_NONE, NULL,
                       pending->owner);
        answer->spawn.result.pidfd = fd_close(answer->spawn.result.pidfd);
        break;
    case LAUNCHER_REQUEST_FIND:
        answer->find.pidfd = TAKE_FD(fds->fd[0]);
        pending->find(&answer->find, NULL, pending->owner);
        answer->find.pidfd = fd_close(answer->find.pidfd);
        break;
    case LAUNCHER_REQUEST_LIST_TASKS:
        pending->list_tasks(&answer->tasks, NULL, pending->owner);
        break;
    case LAUNCHER_REQUEST_REMOVE:
        complete_remove(pending, answer);
        break;
    case LAUNCHER_REQUEST_LIST_GROUPS:
        pending->list_groups(&answer->page, NULL, pending->owner);
        break;
    case _LAUNCHER_REQUEST_MAX:
    default:
        assert(false);
    }
}

/* Ends the client: nothing is sent any more, and everything that waits is told why. */
static int client_die(struct launcher_client *client, const struct error *why)
{
    client->dead = why->code;
    while (client->head) {
        _cleanup_(pending_freep) struct pending *pending = list_take(client, &client->head);

        pending_fail(pending, SPAWN_FAILURE_UNAVAILABLE, 0, why);
    }
    client->unsent = &client->head;
    client->unsent_count = 0;
    return client->dead;
}

static int client_dead_error(const struct launcher_client *client, struct error *err)
{
    return error_set(err, client->dead, "the launcher's connection has ended: %s",
                     strerror(-client->dead));
}

/* --- making and ending ----------------------------------------------------------------------- */

int launcher_client_new(int fd, const struct launcher_notices *notices, void *owner,
                        struct launcher_client **ret, struct error *err)
{
    struct launcher_client *client;
    int r = packet_check_socket(fd, err);

    if (r < 0)
        return r;
    client = calloc(1, sizeof(*client));
    if (!client)
        return error_set(err, -ENOMEM, "no memory for the launcher's client");
    client->fd = fd;
    client->notices = *notices;
    client->owner = owner;
    client->tail = client->unsent = &client->head;
    *ret = client;
    return 0;
}

struct launcher_client *launcher_client_free(struct launcher_client *client)
{
    struct error why;

    if (!client)
        return NULL;
    assert(!client->dispatching);
    error_set(&why, -ECANCELED, "the agent ends");
    client_die(client, &why);
    fd_close(client->fd);
    free(client);
    return NULL;
}

int launcher_client_fd(const struct launcher_client *client)
{
    return client->fd;
}

uint32_t launcher_client_events(const struct launcher_client *client)
{
    return client->unsent_count > 0 ? POLLIN | POLLOUT : POLLIN;
}

unsigned launcher_client_pending(const struct launcher_client *client)
{
    return client->pending_count;
}

/* --- sending --------------------------------------------------------------------------------- */

/* Keeps duplicates, since the caller's descriptors are borrowed for its call only. */
static int pending_keep_fds(struct pending *pending, const int *fds, size_t count,
                            struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int fd = fd_duplicate(fds[i]);

        if (fd < 0)
            return error_set(err, fd, "can't duplicate a descriptor for the launcher: %s",
                             strerror(-fd));
        pending->fds.fd[pending->fds.count++] = fd;
    }
    return 0;
}

/* Sends at once if nothing waits before it. Returns 1 if sent, 0 if it has to wait, or an errno. */
static int client_try_send(struct launcher_client *client, const struct buffer *packet,
                           const int *fds, size_t fd_count, struct error *err)
{
    int r;

    if (client->unsent_count > 0)
        return 0;
    r = packet_send(client->fd, buffer_bytes(packet), buffer_size(packet), fds, fd_count, err);
    if (r == -EAGAIN)
        return 0;
    return r < 0 ? r : 1;
}

static int client_check_room(const struct launcher_client *client, struct error *err)
{
    if (client->dead)
        return client_dead_error(client, err);
    if (client->pending_count >= LAUNCHER_CLIENT_PENDING_MAX ||
        client->unsent_count >= LAUNCHER_CLIENT_QUEUE_MAX)
        return error_set(err, -ENOBUFS, "too many requests wait for the launcher (%u)",
                         client->pending_count);
    return 0;
}

/* Makes the request; `model` holds the callback and its owner. */
static int client_request(struct launcher_client *client, struct launcher_request *request,
                          const int *fds, size_t fd_count, const struct pending *model,
                          struct error *err)
{
    _cleanup_(pending_freep) struct pending *pending = NULL;
    int r = client_check_room(client, err);

    if (r < 0)
        return r;
    pending = malloc(sizeof(*pending));
    if (!pending)
        return error_set(err, -ENOMEM, "no memory for a request to the launcher");
    *pending = *model;
    pending->type = request->type;
    pending->id = request->id = client->last_id + 1;
    r = launcher_request_encode(request, &pending->packet, err);
    if (r < 0)
        return r;
    r = client_try_send(client, &pending->packet, fds, fd_count, err);
    if (r < 0)
        return r;
    if (r == 0) {
        int kept = pending_keep_fds(pending, fds, fd_count, err);

        if (kept < 0)
            return kept;
    } else {
        buffer_done(&pending->packet);
        pending->packet = (struct buffer){.limit = 0};
    }
    client->last_id++;
    list_append(client, TAKE_PTR(pending), r > 0);
    return 0;
}

/* Sends what waits, until the socket is full. Only the connection's own end is an error. */
static int client_flush(struct launcher_client *client, struct error *err)
{
    while (client->unsent_count > 0) {
        struct pending *pending = *client->unsent;
        int r =
            packet_send(client->fd, buffer_bytes(&pending->packet), buffer_size(&pending->packet),
                        pending->fds.fd, pending->fds.count, err);

        if (r == -EAGAIN)
            return 0;
        if (r == -EPIPE)
            return r;
        client->unsent_count--;
        if (r < 0) {
            _cleanup_(pending_freep) struct pending *failed = list_take(client, client->unsent);

            pending_fail(failed, SPAWN_FAILURE_UNAVAILABLE, 0, err);
            continue;
        }
        buffer_done(&pending->packet);
        pending->packet = (struct buffer){.limit = 0};
        packet_fds_done(&pending->fds);
        client->unsent = &pending->next;
    }
    return 0;
}

/* --- receiving ------------------------------------------------------------------------------- */

static const struct {
    enum launcher_answer_type answer;
    size_t fd_count;
} expectations[] = {
    [LAUNCHER_REQUEST_HELLO] = {LAUNCHER_ANSWER_HELLO, 0},
    [LAUNCHER_REQUEST_LISTEN] = {LAUNCHER_ANSWER_LISTEN, 1},
    [LAUNCHER_REQUEST_READY] = {LAUNCHER_ANSWER_DONE, 0},
    [LAUNCHER_REQUEST_SPAWN] = {LAUNCHER_ANSWER_SPAWN, 1},
    [LAUNCHER_REQUEST_KILL] = {LAUNCHER_ANSWER_DONE, 0},
    [LAUNCHER_REQUEST_REMOVE] = {LAUNCHER_ANSWER_REMOVE, 0},
    [LAUNCHER_REQUEST_LIST_GROUPS] = {LAUNCHER_ANSWER_LIST_GROUPS, 0},
    [LAUNCHER_REQUEST_FIND] = {LAUNCHER_ANSWER_FIND, 1},
    [LAUNCHER_REQUEST_LIST_TASKS] = {LAUNCHER_ANSWER_LIST_TASKS, 0},
};

static_assert(ARRAY_SIZE(expectations) == _LAUNCHER_REQUEST_MAX, "each request has an answer");

/* An answer that brings the jobs' cgroup root says so. */
static size_t fds_expected(const struct launcher_answer *answer, enum launcher_request_type type)
{
    switch (answer->type) {
    case LAUNCHER_ANSWER_FAILURE:
        return 0;
    case LAUNCHER_ANSWER_HELLO:
        return expectations[type].fd_count + answer->hello.cgroups;
    case LAUNCHER_ANSWER_SPAWN:
        return expectations[type].fd_count + answer->spawn.cgroups;
    case LAUNCHER_ANSWER_LISTEN:
    case LAUNCHER_ANSWER_DONE:
    case LAUNCHER_ANSWER_REMOVE:
    case LAUNCHER_ANSWER_LIST_GROUPS:
    case LAUNCHER_ANSWER_FIND:
    case LAUNCHER_ANSWER_LIST_TASKS:
    case LAUNCHER_ANSWER_STOPPING:
    case LAUNCHER_ANSWER_RELOADED:
    case _LAUNCHER_ANSWER_MAX:
    default:
        return expectations[type].fd_count;
    }
}

/* The link to the sent request that the answer in hand belongs to, or NULL. */
static struct pending **client_find(struct launcher_client *client)
{
    for (struct pending **link = &client->head; link != client->unsent; link = &(*link)->next)
        if ((*link)->id == client->answer.id)
            return link;
    return NULL;
}

static int client_take_answer(struct launcher_client *client, struct packet_fds *fds,
                              struct error *err)
{
    _cleanup_(pending_freep) struct pending *pending = NULL;
    bool failed = client->answer.type == LAUNCHER_ANSWER_FAILURE;
    struct pending **link = client_find(client);

    if (!link)
        return error_set(err, -EPROTO, "the launcher answered what was not asked");
    if (!failed && client->answer.type != expectations[(*link)->type].answer)
        return error_set(err, -EPROTO, "the launcher's answer to %s is of another kind",
                         launcher_request_name((*link)->type));
    if (fds->count != fds_expected(&client->answer, (*link)->type))
        return error_set(err, -EPROTO, "the launcher's answer to %s came with %zu descriptors",
                         launcher_request_name((*link)->type), fds->count);

    for (size_t i = fds->count; i < PACKET_FDS_MAX; i++)
        fds->fd[i] = FD_NONE;
    pending = list_take(client, link);
    if (failed)
        pending_fail(pending, client->answer.failure.spawn, client->answer.failure.refused,
                     &client->answer.failure.error);
    else
        pending_complete(pending, &client->answer, fds);
    return 0;
}

static void client_take_notice(struct launcher_client *client)
{
    const struct launcher_notices *notices = &client->notices;

    if (client->answer.type == LAUNCHER_ANSWER_STOPPING && notices->stopping)
        notices->stopping(client->owner);
    if (client->answer.type == LAUNCHER_ANSWER_RELOADED && notices->reloaded)
        notices->reloaded(&client->answer.hello, client->owner);
}

/* One packet. Returns 1, 0 when there is none, or an errno that ends the client. */
static int client_receive(struct launcher_client *client, struct error *err)
{
    _cleanup_packet_fds_ struct packet_fds fds = PACKET_FDS_NULL;
    ssize_t size =
        packet_receive(client->fd, client->received, sizeof(client->received), &fds, err);
    int r;

    if (size == -EAGAIN)
        return 0;
    if (size < 0)
        return (int)size;
    if (size == 0)
        return error_set(err, -EPIPE, "the launcher has ended");
    r = launcher_answer_decode(client->received, (size_t)size, &client->answer, err);
    if (r < 0)
        return r;
    if (launcher_answer_is_notice(client->answer.type)) {
        client_take_notice(client);
        return 1;
    }
    r = client_take_answer(client, &fds, err);
    return r < 0 ? r : 1;
}

int launcher_client_dispatch(struct launcher_client *client, struct error *err)
{
    struct error unsendable, unreceivable, *why = NULL;
    int received = 1;

    assert(!client->dispatching);
    if (client->dead)
        return client_dead_error(client, err);
    client->dispatching = true;
    if (client_flush(client, &unsendable) < 0)
        why = &unsendable;
    /* What the launcher said before it ended is still there when sending fails: hear it out. */
    for (int i = 0; i < RECEIVE_BURST && received > 0; i++)
        received = client_receive(client, &unreceivable);
    if (received < 0)
        why = &unreceivable;
    if (why) {
        client_die(client, why);
        error_set(err, why->code, "%s", why->text);
    }
    client->dispatching = false;
    return client->dead;
}

int launcher_client_wait(struct launcher_client *client, usec_t timeout, struct error *err)
{
    struct pollfd waiting = {
        .fd = client->fd,
        .events = (short)launcher_client_events(client),
    };
    usec_t msec = (timeout + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    int r = poll(&waiting, 1, msec > INT32_MAX ? INT32_MAX : (int)msec);

    if (r < 0 && errno != EINTR)
        return error_set(err, -errno, "can't wait for the launcher: %s", strerror(errno));
    if (r == 0)
        return error_set(err, -ETIMEDOUT, "the launcher has not answered in time");
    return launcher_client_dispatch(client, err);
}

/* --- the requests ---------------------------------------------------------------------------- */

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

    return client_request(client, &request, NULL, 0,
                          &(struct pending){.hello = done, .owner = owner}, err);
}

int launcher_client_listen(struct launcher_client *client, const char *host, uint16_t port,
                           launcher_listen_fn *done, void *owner, struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_LISTEN, .listen = {.port = port}};
    int r = put_text(host, request.listen.host, sizeof(request.listen.host), "the host", err);

    if (r < 0)
        return r;
    return client_request(client, &request, NULL, 0,
                          &(struct pending){.listen = done, .owner = owner}, err);
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
    return client_request(client, &request, fds, LAUNCHER_READY_FDS,
                          &(struct pending){.done = done, .owner = owner}, err);
}

int launcher_client_spawn(struct launcher_client *client, const struct spawn_spec *spec,
                          const struct spawn_files *files, launcher_spawn_fn *done, void *owner,
                          struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_SPAWN, .spawn = *spec};
    const int fds[LAUNCHER_SPAWN_FDS] = {files->data, files->index, files->state};

    return client_request(client, &request, fds, LAUNCHER_SPAWN_FDS,
                          &(struct pending){.spawn = done, .owner = owner}, err);
}

int launcher_client_kill(struct launcher_client *client, const char *group, const struct id *id,
                         launcher_done_fn *done, void *owner, struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_KILL};
    int r = put_job(group, id, &request.job, err);

    if (r < 0)
        return r;
    return client_request(client, &request, NULL, 0,
                          &(struct pending){.done = done, .owner = owner}, err);
}

int launcher_client_remove(struct launcher_client *client, const char *group, const struct id *id,
                           launcher_remove_fn *done, void *owner, struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_REMOVE};
    int r = put_job(group, id, &request.job, err);

    if (r < 0)
        return r;
    return client_request(client, &request, NULL, 0,
                          &(struct pending){.remove = done, .owner = owner}, err);
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
    return client_request(client, &request, NULL, 0,
                          &(struct pending){.list_groups = done, .owner = owner}, err);
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
    return client_request(client, &request, NULL, 0,
                          &(struct pending){.find = done, .owner = owner}, err);
}

int launcher_client_list_tasks(struct launcher_client *client, const char *group,
                               const struct id *id, launcher_list_tasks_fn *done, void *owner,
                               struct error *err)
{
    struct launcher_request request = {.type = LAUNCHER_REQUEST_LIST_TASKS};
    int r = put_job(group, id, &request.job, err);

    if (r < 0)
        return r;
    return client_request(client, &request, NULL, 0,
                          &(struct pending){.list_tasks = done, .owner = owner}, err);
}
