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
#include "wire/launcher-requests.h"
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
    const struct launcher_request_kind *kind;
    struct launcher_call call;

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

/* What didn't come is FD_NONE. */
static void fill_up(struct packet_fds *fds)
{
    for (size_t i = fds->count; i < PACKET_FDS_MAX; i++)
        fds->fd[i] = FD_NONE;
}

/* No answer came. */
static void pending_fail(const struct pending *pending, const struct error *err)
{
    struct packet_fds none = PACKET_FDS_NULL;

    fill_up(&none);
    pending->kind->reply(&pending->call, &(struct launcher_reply){
                                             .fds = &none,
                                             .err = err,
                                             .failure = SPAWN_FAILURE_UNAVAILABLE,
                                         });
}

/* Calls back with the answer, whose type and descriptors were checked; those not taken are the
 * caller's still. */
static void pending_complete(const struct pending *pending, struct launcher_answer *answer,
                             struct packet_fds *fds)
{
    bool failed = answer->type == LAUNCHER_ANSWER_FAILURE;

    pending->kind->reply(&pending->call,
                         &(struct launcher_reply){
                             .answer = failed ? NULL : answer,
                             .fds = fds,
                             .err = failed ? &answer->failure.error : NULL,
                             .failure = failed ? answer->failure.spawn : SPAWN_FAILURE_NONE,
                             .refused = failed ? answer->failure.refused : 0,
                         });
}

/* Ends the client: nothing is sent any more, and everything that waits is told why. */
static int client_die(struct launcher_client *client, const struct error *why)
{
    client->dead = why->code;
    while (client->head) {
        _cleanup_(pending_freep) struct pending *pending = list_take(client, &client->head);

        pending_fail(pending, why);
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

int launcher_client_request(struct launcher_client *client, struct launcher_request *request,
                            const int *fds, size_t fd_count, const struct launcher_call *call,
                            struct error *err)
{
    _cleanup_(pending_freep) struct pending *pending = NULL;
    int r = client_check_room(client, err);

    if (r < 0)
        return r;
    pending = malloc(sizeof(*pending));
    if (!pending)
        return error_set(err, -ENOMEM, "no memory for a request to the launcher");
    request->id = client->last_id + 1;
    *pending = (struct pending){
        .id = request->id,
        .kind = &launcher_request_kinds[request->type],
        .call = *call,
    };
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

            pending_fail(failed, err);
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

/* An answer that brings the jobs' cgroup root says so. */
static size_t fds_expected(const struct launcher_answer *answer,
                           const struct launcher_request_kind *kind)
{
    return answer->type == LAUNCHER_ANSWER_FAILURE
               ? 0
               : kind->fd_count + (answer->type == LAUNCHER_ANSWER_HELLO && answer->hello.cgroups) +
                     (answer->type == LAUNCHER_ANSWER_SPAWN && answer->spawn.cgroups);
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
    const struct launcher_answer *answer = &client->answer;
    struct pending **link = client_find(client);
    const struct launcher_request_kind *kind;

    if (!link)
        return error_set(err, -EPROTO, "the launcher answered what was not asked");
    kind = (*link)->kind;
    if (answer->type != LAUNCHER_ANSWER_FAILURE && answer->type != kind->answer)
        return error_set(err, -EPROTO, "the launcher's answer to %s is of another kind",
                         launcher_request_name(kind->type));
    if (fds->count != fds_expected(answer, kind))
        return error_set(err, -EPROTO, "the launcher's answer to %s came with %zu descriptors",
                         launcher_request_name(kind->type), fds->count);

    fill_up(fds);
    pending = list_take(client, link);
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
