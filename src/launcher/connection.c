/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "wire/launcher-messages.h"
#include "wire/packet.h"

/* Requests answered in one dispatch: signals and the end of hoistd get their turn. */
#define REQUEST_BURST 16

void connection_init(struct connection *connection, int fd)
{
    *connection = CONNECTION_NULL;
    connection->fd = fd;
}

void connection_done(struct connection *connection)
{
    fd_close(connection->fd);
    packet_fds_done(&connection->answer_fds);
    buffer_done(&connection->answer);
    *connection = CONNECTION_NULL;
}

static bool connection_has_answer(const struct connection *connection)
{
    return buffer_size(&connection->answer) > 0;
}

short connection_events(const struct connection *connection)
{
    return connection_has_answer(connection) || connection->tell_stopping ||
                   connection->tell_reloaded
               ? POLLOUT
               : POLLIN;
}

/* --- sending --------------------------------------------------------------------------------- */

/* Sends the answer that waits. -EAGAIN: it still does. */
static int answer_flush(struct connection *connection, struct error *err)
{
    int r;

    if (!connection_has_answer(connection))
        return 0;
    r = packet_send(connection->fd, buffer_bytes(&connection->answer),
                    buffer_size(&connection->answer), connection->answer_fds.fd,
                    connection->answer_fds.count, err);
    if (r < 0)
        return r;
    buffer_clear(&connection->answer);
    packet_fds_done(&connection->answer_fds);
    connection->answer_fds = PACKET_FDS_NULL;
    return 0;
}

/* What nobody has asked for, once no answer is under way. `due` until it is packed. */
static int notice_send(struct connection *connection, enum launcher_answer_type type,
                       const struct launcher_hello *facts, bool *due, struct error *err)
{
    _cleanup_free_ struct launcher_answer *notice = calloc(1, sizeof(*notice));
    int r;

    if (!notice)
        return error_set(err, -ENOMEM, "no memory for a word to hoistd");
    notice->type = type;
    if (facts)
        notice->hello = *facts;
    r = launcher_answer_encode(notice, &connection->answer, err);
    if (r < 0)
        return r;
    *due = false;
    return answer_flush(connection, err);
}

static int notices_flush(struct connection *connection, const struct launcher *launcher,
                         struct error *err)
{
    int r = 0;

    if (connection->tell_reloaded)
        r = notice_send(connection, LAUNCHER_ANSWER_RELOADED, &launcher->facts,
                        &connection->tell_reloaded, err);
    if (r >= 0 && connection->tell_stopping)
        r = notice_send(connection, LAUNCHER_ANSWER_STOPPING, NULL, &connection->tell_stopping,
                        err);
    return r;
}

static int connection_flush(struct connection *connection, const struct launcher *launcher,
                            struct error *err)
{
    int r = answer_flush(connection, err);

    return r < 0 ? r : notices_flush(connection, launcher, err);
}

static void connection_tell(struct connection *connection, const struct launcher *launcher,
                            bool *notice)
{
    struct error err;

    if (connection->fd < 0 || connection->state == CONNECTION_GREETING)
        return;
    *notice = true;
    (void)connection_flush(connection, launcher,
                           &err); /* what is wrong shows at the next dispatch */
}

void connection_tell_stopping(struct connection *connection, const struct launcher *launcher)
{
    connection_tell(connection, launcher, &connection->tell_stopping);
}

void connection_tell_reloaded(struct connection *connection, const struct launcher *launcher)
{
    connection_tell(connection, launcher, &connection->tell_reloaded);
}

/* --- answering ------------------------------------------------------------------------------- */

/* Has the request answered and encodes what is to be said; a failure is an answer, too. */
static int request_answer(struct connection *connection, struct launcher *launcher,
                          const struct launcher_request *request, const struct packet_fds *fds,
                          struct error *err)
{
    _cleanup_free_ struct launcher_answer *answer = calloc(1, sizeof(*answer));
    struct error why;
    int r;

    if (!answer)
        return error_set(err, -ENOMEM, "no memory for an answer");
    r = request_table_answer(request->type)(launcher, request, fds, answer, &connection->answer_fds,
                                            &why);
    if (r < 0) {
        answer->type = LAUNCHER_ANSWER_FAILURE;
        answer->failure.error = why;
    } else {
        connection->state = request_table_next(connection->state, request->type);
    }
    answer->id = request->id;
    return launcher_answer_encode(answer, &connection->answer, err);
}

/* One request. Returns 1, 0 when there is none, or an errno that ends the connection. */
static int connection_receive(struct connection *connection, struct launcher *launcher,
                              struct error *err)
{
    _cleanup_packet_fds_ struct packet_fds fds = PACKET_FDS_NULL;
    _cleanup_launcher_request_ struct launcher_request request = LAUNCHER_REQUEST_NULL;
    static uint8_t packet[LAUNCHER_REQUEST_MAX]; /* one thread, one packet at a time */
    ssize_t size = packet_receive(connection->fd, packet, sizeof(packet), &fds, err);
    int r;

    if (size == -EAGAIN)
        return 0;
    if (size < 0)
        return (int)size;
    if (size == 0)
        return error_set(err, -EPIPE, "hoistd has closed its end");
    r = launcher_request_decode(packet, (size_t)size, &request, err);
    if (r < 0)
        return r;
    r = request_table_check(connection->state, request.type, (size_t)size, fds.count, err);
    if (r < 0)
        return r;
    r = request_answer(connection, launcher, &request, &fds, err);
    return r < 0 ? r : 1;
}

int connection_dispatch(struct connection *connection, struct launcher *launcher, struct error *err)
{
    for (int i = 0; i < REQUEST_BURST; i++) {
        int r = connection_flush(connection, launcher, err);

        if (r == -EAGAIN)
            return 0;
        if (r < 0)
            return r;
        r = connection_receive(connection, launcher, err);
        if (r <= 0)
            return r;
    }
    return 0;
}
