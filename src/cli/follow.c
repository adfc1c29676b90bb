/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/session.h"

static int follow_ask(struct follow *follow)
{
    int r = 0;

    for (size_t i = 0; i < follow->count && r == 0; i++)
        if (!follow->streams[i].ended && !follow->streams[i].over)
            r = output_stream_ask(&follow->streams[i]);
    return r;
}

static int follow_reconnect(struct follow *follow, const char *why)
{
    int r;

    for (size_t i = 0; i < follow->count; i++)
        if (!follow->streams[i].ended && !follow->streams[i].over)
            output_stream_hang_up(&follow->streams[i]);
    if (follow->lost)
        follow->lost(follow->userdata);
    r = reconnect_again(&follow->reconnect, why);
    if (r == 0 && follow->found)
        follow->found(follow->userdata);
    if (r == 0)
        return follow_ask(follow);
    for (size_t i = 0; i < follow->count && r != -EINTR; i++)
        if (!follow->streams[i].over)
            output_stream_tell_rest(&follow->streams[i]);
    return r;
}

static bool is_of_one_stream(int r)
{
    return r == -EREMOTEIO || r == -EPROTO || r == -EBADMSG;
}

/* One step of one stream. 1: there may be more at once; 0: not; or what ends all of it. */
static int follow_step(struct follow *follow, struct output_stream *stream, int *failed)
{
    _cleanup_free_ char *why = NULL;
    int r = output_stream_step(stream, &why);

    if (r > 0) {
        reconnect_proved(&follow->reconnect);
        if (stream->over && follow->shown)
            follow->shown(stream, follow->userdata);
        return r;
    }
    if (r == -EINTR)
        return follow->reconnect.interrupted(follow->reconnect.userdata) ? r : 1;
    if (r == -ENOTCONN) {
        r = follow_reconnect(follow, why);
        return r < 0 ? r : 1;
    }
    if (is_of_one_stream(r)) {
        output_stream_hang_up(stream);
        stream->over = true;
        *failed = *failed ? *failed : r;
        return 1;
    }
    return r;
}

static int follow_wait(struct follow *follow)
{
    struct session *session = follow->reconnect.session;
    int r;

    /* An agent that goes down waits for who stays; the next one knows the rest of the output. */
    if (grpc_channel_is_closing(session->channel))
        return follow_reconnect(follow, "the agent is going down");
    /* What else it may return is the result of the calls. */
    r = grpc_channel_wait(session->channel, USEC_INFINITY, session->interrupt_fd, NULL);
    return r == -EINTR && follow->reconnect.interrupted(follow->reconnect.userdata) ? r : 0;
}

int follow_outputs(struct follow *follow)
{
    int failed = 0, r = follow_ask(follow);

    while (r >= 0) {
        bool moved = false, over = true;

        for (size_t i = 0; i < follow->count && r >= 0; i++) {
            if (follow->streams[i].over)
                continue;
            over = false;
            r = follow_step(follow, &follow->streams[i], &failed);
            moved |= r > 0;
        }
        if (over)
            return failed;
        if (r >= 0 && !moved)
            r = follow_wait(follow);
    }
    return r;
}
