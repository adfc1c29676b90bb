/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers: headers, messages, trailers.
 *
 * A message reaches the output in one of two ways. Where the peer takes frames that hold a whole
 * message (ours does), a source pulls straight into the output buffer, behind the place of the
 * frame's head, and the bytes are next touched by the cipher. Otherwise the message is pulled into
 * the call's `pending` and leaves it in pieces as the windows allow; a reply to a unary call goes
 * that way too.
 */
#include "grpc/server-answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "grpc/bounds.h"
#include "grpc/frame.h"
#include "grpc/server-session.h"

/* grpc-status, grpc-message, details; and the two that stand before them in a Trailers-Only. */
#define TRAILERS_MAX 8

#define DIRECT_ROOM (FRAME_HEAD_SIZE + GRPC_PULL_MAX)

/* The fields that say how a call ended, with the buffers that they point into. */
struct trailers {
    nghttp2_nv fields[TRAILERS_MAX];
    size_t count;
    char status[4];
    struct buffer message;
    struct buffer details;
};

static void trailers_done(struct trailers *trailers)
{
    buffer_done(&trailers->message);
    buffer_done(&trailers->details);
}

static void trailers_add(struct trailers *trailers, nghttp2_nv field)
{
    trailers->fields[trailers->count++] = field;
}

static void trailers_add_bytes(struct trailers *trailers, const char *name,
                               const struct buffer *value)
{
    if (buffer_size(value) > 0)
        trailers_add(trailers, http2_field(name, buffer_bytes(value), buffer_size(value)));
}

/* Without memory for them the text and the details are left out; the status always arrives. */
static void trailers_set_end(struct trailers *trailers, const struct grpc_result *end)
{
    snprintf(trailers->status, sizeof(trailers->status), "%u", (unsigned)end->status % 100);
    trailers_add(trailers, http2_text_field("grpc-status", trailers->status));
    if (end->message && grpc_message_encode(&trailers->message, end->message) == 0)
        trailers_add_bytes(trailers, "grpc-message", &trailers->message);
    if (end->details_size > 0 &&
        grpc_base64_encode(&trailers->details, end->details, end->details_size) == 0)
        trailers_add_bytes(trailers, "grpc-status-details-bin", &trailers->details);
}

/* No memory to say anything: the stream ends abruptly. */
static void reset(struct grpc_call *call, uint32_t error_code)
{
    (void)nghttp2_submit_rst_stream(call->session->http2.session, NGHTTP2_FLAG_NONE,
                                    call->stream_id, error_code);
}

static void send_trailers_only(struct grpc_call *call)
{
    _cleanup_(trailers_done) struct trailers trailers = {0};

    trailers_add(&trailers, http2_text_field(":status", "200"));
    trailers_add(&trailers, http2_text_field("content-type", "application/grpc"));
    trailers_set_end(&trailers, &call->end);
    if (call->end.status == GRPC_STATUS_UNIMPLEMENTED)
        trailers_add(&trailers, http2_text_field("grpc-accept-encoding", "identity"));
    if (nghttp2_submit_response(call->session->http2.session, call->stream_id, trailers.fields,
                                trailers.count, NULL) != 0)
        reset(call, NGHTTP2_INTERNAL_ERROR);
}

static int send_trailers(struct grpc_call *call)
{
    _cleanup_(trailers_done) struct trailers trailers = {0};

    trailers_set_end(&trailers, &call->end);
    if (nghttp2_submit_trailer(call->session->http2.session, call->stream_id, trailers.fields,
                               trailers.count) != 0)
        return -ENOMEM;
    return 0;
}

static void call_wake(struct grpc_call *call)
{
    struct server_session *session = call->session;

    if (session->ops->wake)
        session->ops->wake(session->arg);
}

/* Has nghttp2 ask again. */
static void undefer(struct grpc_call *call)
{
    if (call->is_deferred) {
        call->is_deferred = false;
        (void)nghttp2_session_resume_data(call->session->http2.session, call->stream_id);
    }
    call_wake(call);
}

static void set_end(struct grpc_call *call, enum grpc_status status, const char *text,
                    const void *details, size_t details_size)
{
    char cut[GRPC_MESSAGE_TEXT_MAX + 1];

    snprintf(cut, sizeof(cut), "%s", text ? text : "");
    (void)grpc_result_set(&call->end, status, cut); /* no memory: no text */
    if (details_size == 0 || details_size > GRPC_DETAILS_MAX)
        return;
    call->end.details = malloc(details_size);
    if (!call->end.details)
        return;
    memcpy(call->end.details, details, details_size);
    call->end.details_size = details_size;
}

void call_end(struct grpc_call *call, enum grpc_status status, const char *text,
              const void *details, size_t details_size)
{
    set_end(call, status, text, details, details_size);
    call_move(call, CALL_ANSWERED);
    if (call->headers_sent)
        undefer(call);
    else {
        send_trailers_only(call);
        call_wake(call);
    }
}

void call_end_http(struct grpc_call *call, const char *http_status)
{
    nghttp2_nv field = http2_text_field(":status", http_status);

    set_end(call, GRPC_STATUS_UNKNOWN, "not a gRPC request", NULL, 0);
    call_move(call, CALL_ANSWERED);
    if (nghttp2_submit_response(call->session->http2.session, call->stream_id, &field, 1, NULL) !=
        0)
        reset(call, NGHTTP2_INTERNAL_ERROR);
}

void call_abort(struct grpc_call *call, enum grpc_status status, const char *text,
                const void *details, size_t details_size)
{
    bool is_blocked = call->headers_sent && buffer_size(&call->pending) > 0;

    if (is_blocked) {
        if (!call_is(call, CALL_ANSWERED)) {
            set_end(call, status, text, details, details_size);
            call_move(call, CALL_ANSWERED);
        }
        reset(call, NGHTTP2_CANCEL);
        call_wake(call);
    } else if (!call_is(call, CALL_ANSWERED))
        call_end(call, status, text, details, details_size);
}

/* ---- messages ---- */

/* Asks the source for one message to `place`, behind its gRPC head. What it did is left in the
 * call. */
static size_t pull_message(struct grpc_call *call, uint8_t *place)
{
    size_t size = 0;
    enum grpc_pull pulled =
        call->source->pull(call, place + FRAME_HEAD_SIZE, GRPC_PULL_MAX, &size, call->source_arg);

    if (pulled == GRPC_PULL_MESSAGE && size <= GRPC_PULL_MAX) {
        frame_head_write(place, size);
        call->sent_bytes += size;
        return FRAME_HEAD_SIZE + size;
    }
    if (pulled == GRPC_PULL_WAIT)
        call->is_waiting = true;
    else if (call_is(call, CALL_STREAMING)) {
        set_end(call, pulled == GRPC_PULL_END ? GRPC_STATUS_OK : GRPC_STATUS_INTERNAL, NULL, NULL,
                0);
        call_move(call, CALL_ANSWERED);
    }
    return 0;
}

static ssize_t pull_direct(struct grpc_call *call)
{
    uint8_t *place;

    if (buffer_reserve(&call->session->http2.out, HTTP2_FRAME_HEAD_SIZE + DIRECT_ROOM, &place) < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    call->direct_size = pull_message(call, place + HTTP2_FRAME_HEAD_SIZE);
    return (ssize_t)call->direct_size;
}

static int pull_pending(struct grpc_call *call)
{
    uint8_t *place;
    size_t size;

    if (buffer_reserve(&call->pending, DIRECT_ROOM, &place) < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size = pull_message(call, place);
    buffer_commit(&call->pending, size);
    call->session->answer_bytes += size;
    return 0;
}

/* Everything is said but how it ended. */
static ssize_t finish(struct grpc_call *call, uint32_t *flags)
{
    if (send_trailers(call) < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return 0;
}

static ssize_t read_data(nghttp2_session *session, int32_t stream_id, uint8_t *unused,
                         size_t length, uint32_t *flags, nghttp2_data_source *source,
                         void *user_data)
{
    struct grpc_call *call = source->ptr;
    size_t waiting;
    int r;

    (void)session;
    (void)stream_id;
    (void)unused;
    (void)user_data;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (buffer_size(&call->pending) == 0 && call_is(call, CALL_STREAMING) && !call->is_waiting) {
        if (length >= DIRECT_ROOM) {
            ssize_t n = pull_direct(call);

            if (n != 0)
                return n;
        } else {
            r = pull_pending(call);
            if (r < 0)
                return r;
        }
    }
    waiting = buffer_size(&call->pending);
    if (waiting > 0)
        return (ssize_t)MIN(waiting, length);
    if (call_is(call, CALL_ANSWERED))
        return finish(call, flags);
    call->is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}

/* nghttp2 goes from one such frame to the next as far as the peer's windows reach, 2 GiB if it
 * likes: it has to be told that this is enough. */
static int pause_when_full(const struct http2 *http2)
{
    return buffer_size(&http2->out) < HTTP2_OUTPUT_MAX ? 0 : NGHTTP2_ERR_PAUSE;
}

int answer_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *user_data)
{
    struct http2 *http2 = user_data;
    struct grpc_call *call = source->ptr;
    size_t direct = call->direct_size;
    uint8_t *payload;

    (void)session;
    (void)frame;
    if (http2_put_frame(http2, head, length, &payload) < 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    call->direct_size = 0;
    if (direct > 0) /* it lies there already: nothing was put between read_data() and here */
        return pause_when_full(http2);
    memcpy(payload, buffer_bytes(&call->pending), length);
    buffer_consume(&call->pending, length);
    call->session->answer_bytes -= length;
    return pause_when_full(http2);
}

ssize_t answer_read_length(nghttp2_session *session, uint8_t frame_type, int32_t stream_id,
                           int32_t session_window, int32_t stream_window, uint32_t frame_max,
                           void *user_data)
{
    (void)session;
    (void)frame_type;
    (void)stream_id;
    (void)session_window;
    (void)stream_window;
    (void)user_data;
    return (ssize_t)MIN((size_t)frame_max, (size_t)DIRECT_ROOM);
}

static int send_headers(struct grpc_call *call)
{
    nghttp2_nv fields[] = {
        http2_text_field(":status", "200"),
        http2_text_field("content-type", "application/grpc"),
    };
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_data};

    if (nghttp2_submit_response(call->session->http2.session, call->stream_id, fields,
                                ARRAY_SIZE(fields), &provider) != 0)
        return -ENOMEM;
    call->headers_sent = true;
    return 0;
}

/* ---- public ---- */

void answer_drop(struct grpc_call *call)
{
    call->session->answer_bytes -= buffer_size(&call->pending);
    buffer_done(&call->pending);
}

static bool is_answerable(const struct grpc_call *call)
{
    return call_is(call, CALL_HANDLING) || call_is(call, CALL_STREAMING);
}

static int put_message(struct grpc_call *call, const void *message, size_t size)
{
    uint8_t *place;

    if (size > GRPC_MESSAGE_MAX)
        return -EMSGSIZE;
    if (call->session->answer_bytes + size > HTTP2_ANSWER_BYTES_MAX)
        return -ENOBUFS;
    if (buffer_reserve(&call->pending, FRAME_HEAD_SIZE + size, &place) < 0)
        return -ENOMEM;
    frame_head_write(place, size);
    if (size > 0)
        memcpy(place + FRAME_HEAD_SIZE, message, size);
    buffer_commit(&call->pending, FRAME_HEAD_SIZE + size);
    call->session->answer_bytes += FRAME_HEAD_SIZE + size;
    call->sent_bytes += size;
    return 0;
}

int grpc_call_reply(struct grpc_call *call, const void *message, size_t size)
{
    int r;

    if (!call_is(call, CALL_HANDLING))
        return -EALREADY;
    r = put_message(call, message, size);
    if (r == 0)
        r = send_headers(call);
    if (r < 0) {
        answer_drop(call);
        call_end(call, GRPC_STATUS_RESOURCE_EXHAUSTED,
                 r == -EMSGSIZE ? "the answer is too large to be sent"
                                : "too many large answers at a time",
                 NULL, 0);
        return r;
    }
    set_end(call, GRPC_STATUS_OK, NULL, NULL, 0);
    call_move(call, CALL_ANSWERED);
    call_wake(call);
    return 0;
}

int grpc_call_fail(struct grpc_call *call, enum grpc_status status, const char *text,
                   const void *details, size_t details_size)
{
    if (!is_answerable(call))
        return -EALREADY;
    call_end(call, status, text, details, details_size);
    return 0;
}

int grpc_call_set_source(struct grpc_call *call, const struct grpc_source_ops *ops, void *arg)
{
    if (!call_is(call, CALL_HANDLING))
        return -EALREADY;
    call->source = ops;
    call->source_arg = arg;
    if (send_headers(call) < 0) {
        call_end(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory", NULL, 0);
        return 0;
    }
    call_move(call, CALL_STREAMING);
    call_wake(call);
    return 0;
}

void grpc_call_resume(struct grpc_call *call)
{
    if (!call_is(call, CALL_STREAMING) || !call->is_waiting)
        return;
    call->is_waiting = false;
    undefer(call);
}
