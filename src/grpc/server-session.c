/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/server-session.h"

#include <errno.h>
#include <stdlib.h>

#include "grpc/bounds.h"
#include "grpc/frame.h"
#include "grpc/request.h"
#include "grpc/server-answer.h"

static struct server_session *session_of(void *user_data)
{
    struct http2 *http2 = user_data;

    return http2->owner;
}

/* ---- the life of a call ---- */

/* NULL: off every queue. */
static void queue_move(struct grpc_call *call, struct call_list *to)
{
    if (call->queued)
        TAILQ_REMOVE(call->queued, call, queue);
    call->queued = to;
    if (to)
        TAILQ_INSERT_TAIL(to, call, queue);
}

static void request_drop(struct server_session *session, struct grpc_call *call)
{
    session->request_bytes -= buffer_size(&call->request);
    buffer_done(&call->request);
}

static int call_begin(struct server_session *session, int32_t stream_id)
{
    struct grpc_call *call = call_new(session, stream_id, session->http2.now);

    if (!call)
        return -ENOMEM;
    call->is_admitted = !session->ops->enter || session->ops->enter(session->arg);
    TAILQ_INSERT_TAIL(&session->calls, call, all);
    session->call_count++;
    session->next_deadline = MIN(session->next_deadline, call->request_deadline);
    nghttp2_session_set_stream_user_data(session->http2.session, stream_id, call);
    return 0;
}

/* The stream is gone; the callbacks follow when nghttp2 has returned. */
static void call_close(struct grpc_call *call, bool delivered)
{
    struct server_session *session = call->session;

    call->was_delivered = delivered && call_is(call, CALL_ANSWERED);
    if (!call_is(call, CALL_ANSWERED))
        call->end.status = session->is_cut ? GRPC_STATUS_UNAVAILABLE : GRPC_STATUS_CANCELLED;
    queue_move(call, &session->ended);
    call_move(call, CALL_CLOSED);
    request_drop(session, call);
    answer_drop(call);
    TAILQ_REMOVE(&session->calls, call, all);
    session->call_count--;
}

static void tell_closed(struct server_session *session, struct grpc_call *call)
{
    struct grpc_outcome outcome = {
        .status = call->end.status,
        .delivered = call->was_delivered,
        .duration = session->http2.now - call->started,
        .sent_bytes = call->sent_bytes,
    };
    const char *path = metadata_get(&call->headers, ":path");

    if (call->was_handled && session->ops->closed)
        session->ops->closed(call, &outcome, session->arg);
    else if (!call->was_handled && session->ops->refused)
        session->ops->refused(session, path ? path : "", &outcome, session->arg);
}

static void run_ended(struct server_session *session)
{
    struct grpc_call *call;

    while ((call = TAILQ_FIRST(&session->ended))) {
        queue_move(call, NULL);
        tell_closed(session, call);
        if (call->is_admitted && session->ops->leave)
            session->ops->leave(session->arg);
        call_free(call);
    }
}

static void tell_draining(struct server_session *session, struct grpc_call *call)
{
    if (!call_is(call, CALL_HANDLING) && !call_is(call, CALL_STREAMING))
        return;
    if (session->ops->draining)
        session->ops->draining(call, session->arg);
    grpc_call_resume(call);
}

static void run_ready(struct server_session *session)
{
    struct grpc_call *call;

    while ((call = TAILQ_FIRST(&session->ready))) {
        queue_move(call, NULL);
        call_move(call, CALL_HANDLING);
        call->was_handled = true;
        session->ops->request(call, buffer_bytes(&call->request) + FRAME_HEAD_SIZE,
                              buffer_size(&call->request) - FRAME_HEAD_SIZE, session->arg);
        request_drop(session, call);
        if (session->is_draining)
            tell_draining(session, call);
    }
}

/* Handlers run here, outside of nghttp2. */
static void run_callbacks(struct server_session *session)
{
    if (!session->http2.broken)
        run_ready(session);
    run_ended(session);
}

/* ---- what nghttp2 tells ---- */

static int on_begin_headers(nghttp2_session *http2, const nghttp2_frame *frame, void *user_data)
{
    struct server_session *session = session_of(user_data);
    int r;

    (void)http2;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    r = call_begin(session, frame->hd.stream_id);
    if (r == 0)
        return 0;
    session->refused_header_bytes = 0;
    (void)nghttp2_submit_rst_stream(session->http2.session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                    NGHTTP2_REFUSED_STREAM);
    return 0;
}

struct grpc_call *server_session_call(struct server_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session->http2.session, stream_id);
}

/* Trailers of a request are counted like headers, and kept with them. The headers of a stream that
 * was refused at its first byte are decoded for HPACK's sake only. */
static int add_header(struct server_session *session, struct grpc_call *call, const uint8_t *name,
                      size_t name_size, const uint8_t *value, size_t value_size)
{
    if (call)
        return metadata_add(&call->headers, name, name_size, value, value_size);
    session->refused_header_bytes += name_size + value_size;
    return session->refused_header_bytes > HTTP2_HEADER_BYTES_MAX ? -E2BIG : 0;
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user_data)
{
    struct server_session *session = session_of(user_data);
    struct grpc_call *call = server_session_call(session, frame->hd.stream_id);

    (void)http2;
    (void)flags;
    if (add_header(session, call, name, name_size, value, value_size) == 0)
        return 0;
    if (http2_count_header_bomb(&session->http2))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM, and no more fields of this block */
}

static void check_body(struct server_session *session, struct grpc_call *call)
{
    if (!call_is(call, CALL_RECEIVING))
        return;
    request_check_body(call, session->message_max);
    if (call_is(call, CALL_READY))
        queue_move(call, &session->ready);
    else if (call_is(call, CALL_ANSWERED))
        request_drop(session, call);
}

static void on_request_frame(struct server_session *session, const nghttp2_frame *frame)
{
    struct grpc_call *call = server_session_call(session, frame->hd.stream_id);

    if (!call)
        return;
    call->request_ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        request_check_headers(call, session);
        session->next_deadline = MIN(session->next_deadline, call->deadline);
    }
    if (call->request_ended)
        check_body(session, call);
}

static int on_frame_received(nghttp2_session *http2, const nghttp2_frame *frame, void *user_data)
{
    struct server_session *session = session_of(user_data);

    (void)http2;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
        on_request_frame(session, frame);
    else if (frame->hd.type == NGHTTP2_SETTINGS)
        session->heard_settings = true;
    else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) &&
             session->is_draining)
        server_session_drain_finish(session);
    return 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *user_data)
{
    struct server_session *session = session_of(user_data);
    struct grpc_call *call = server_session_call(session, stream_id);

    (void)http2;
    (void)flags;
    if (!call || !call_is(call, CALL_RECEIVING))
        return 0;
    if (size > HTTP2_REQUEST_BYTES_MAX - session->request_bytes ||
        buffer_append(&call->request, data, size) < 0) {
        call_end(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many large requests at a time", NULL,
                 0);
        request_drop(session, call);
        return 0;
    }
    session->request_bytes += size;
    check_body(session, call);
    return 0;
}

static int on_stream_closed(nghttp2_session *http2, int32_t stream_id, uint32_t error_code,
                            void *user_data)
{
    struct server_session *session = session_of(user_data);
    struct grpc_call *call = server_session_call(session, stream_id);

    if (!call)
        return 0;
    nghttp2_session_set_stream_user_data(http2, stream_id, NULL);
    call_close(call, error_code == NGHTTP2_NO_ERROR);
    return 0;
}

/* The peer may still be sending a request that nobody waits for. Only now: nghttp2 drops the
 * HEADERS of a stream that a RST_STREAM is queued for. */
static void on_headers_sent(struct http2 *http2, const nghttp2_frame *frame)
{
    struct grpc_call *call = server_session_call(session_of(http2), frame->hd.stream_id);

    if (call && !call->request_ended && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        (void)nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                        NGHTTP2_NO_ERROR);
}

static const struct http2_hooks hooks = {
    .begin_headers = on_begin_headers,
    .header = on_header,
    .frame_received = on_frame_received,
    .data = on_data,
    .stream_closed = on_stream_closed,
    .headers_sent = on_headers_sent,
    .send_data = answer_send_data,
    .read_length = answer_read_length,
};

/* ---- for the owner ---- */

static int submit_settings(nghttp2_session *http2)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, HTTP2_HPACK_TABLE},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_SERVER_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP2_HEADER_BYTES_MAX},
    };

    if (nghttp2_submit_settings(http2, NGHTTP2_FLAG_NONE, entries, ARRAY_SIZE(entries)) != 0 ||
        nghttp2_session_set_local_window_size(http2, NGHTTP2_FLAG_NONE, 0,
                                              HTTP2_SERVER_CONNECTION_WINDOW) != 0)
        return -ENOMEM;
    return 0;
}

int server_session_new(const struct server_session_options *options, usec_t now,
                       struct server_session **ret)
{
    struct server_session *session = calloc(1, sizeof(*session));
    int r;

    if (!session)
        return -ENOMEM;
    session->ops = options->ops;
    session->arg = options->arg;
    session->methods = options->methods;
    session->method_count = options->method_count;
    session->message_max = options->message_max ? options->message_max : GRPC_MESSAGE_MAX;
    session->peer = options->peer;
    session->thread = options->thread;
    session->refusal = options->refusal;
    session->refusal_text = options->refusal_text;
    session->next_deadline = USEC_INFINITY;
    TAILQ_INIT(&session->calls);
    TAILQ_INIT(&session->ready);
    TAILQ_INIT(&session->ended);
    r = http2_init(&session->http2, true, &hooks, session, now);
    if (r == 0)
        r = submit_settings(session->http2.session);
    if (r < 0) {
        server_session_free(session);
        return r;
    }
    *ret = session;
    return 0;
}

struct server_session *server_session_free(struct server_session *session)
{
    struct grpc_call *call;

    if (!session)
        return NULL;
    while ((call = TAILQ_FIRST(&session->calls)))
        call_close(call, false);
    run_ended(session);
    http2_done(&session->http2);
    free(session);
    return NULL;
}

int server_session_receive(struct server_session *session, const void *data, size_t size,
                           usec_t now)
{
    int r = http2_receive(&session->http2, data, size, now);

    run_callbacks(session);
    return r;
}

int server_session_produce(struct server_session *session, usec_t now)
{
    int r = http2_produce(&session->http2, now);

    run_callbacks(session);
    return r;
}

static void call_tick(struct server_session *session, struct grpc_call *call)
{
    usec_t now = session->http2.now;

    if (call_is(call, CALL_RECEIVING) && now >= call->request_deadline) {
        call_end(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the request didn't arrive in time", NULL, 0);
        request_drop(session, call);
    }
    if (now >= call->deadline) {
        queue_move(call, NULL); /* it may have been READY */
        call_abort(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the deadline has passed", NULL, 0);
        call->deadline = USEC_INFINITY;
    }
    session->next_deadline = MIN(session->next_deadline, call->deadline);
    if (call_is(call, CALL_RECEIVING))
        session->next_deadline = MIN(session->next_deadline, call->request_deadline);
}

void server_session_tick(struct server_session *session, usec_t now)
{
    struct grpc_call *call;

    session->http2.now = now;
    if (now < session->next_deadline)
        return;
    session->next_deadline = USEC_INFINITY;
    TAILQ_FOREACH(call, &session->calls, all)
    call_tick(session, call);
    run_callbacks(session);
}

void server_session_drain_begin(struct server_session *session)
{
    struct grpc_call *call;

    if (session->is_draining)
        return;
    session->is_draining = true;
    (void)nghttp2_submit_shutdown_notice(session->http2.session);
    server_session_ping(session);
    TAILQ_FOREACH(call, &session->calls, all)
    tell_draining(session, call);
}

void server_session_drain_finish(struct server_session *session)
{
    nghttp2_session *http2 = session->http2.session;

    if (session->is_drained)
        return;
    session->is_draining = session->is_drained = true;
    (void)nghttp2_submit_goaway(http2, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(http2), NGHTTP2_NO_ERROR,
                                NULL, 0);
}

/* With the details that the handlers describe. */
static void abort_calls(struct server_session *session, enum grpc_refusal refusal,
                        enum grpc_status status, const char *text)
{
    _cleanup_buffer_ struct buffer details = {0};
    struct grpc_call *call;

    if (session->ops->describe)
        session->ops->describe(refusal, text, &details, session->arg);
    TAILQ_FOREACH(call, &session->calls, all)
    {
        bool is_receiving = call_is(call, CALL_RECEIVING);

        queue_move(call, NULL); /* it may have been READY */
        call_abort(call, status, text, buffer_bytes(&details), buffer_size(&details));
        if (is_receiving)
            request_drop(session, call);
    }
    server_session_drain_finish(session);
}

void server_session_drain_end(struct server_session *session, usec_t now)
{
    session->http2.now = now;
    abort_calls(session, GRPC_REFUSAL_DRAINED, GRPC_STATUS_UNAVAILABLE,
                "the agent is going down; try again when it is back");
}

void server_session_expel(struct server_session *session, const char *text, usec_t now)
{
    session->http2.now = now;
    session->refusal = GRPC_STATUS_UNAUTHENTICATED;
    session->refusal_text = text;
    abort_calls(session, GRPC_REFUSAL_NOBODY, session->refusal, text);
}

void server_session_ping(struct server_session *session)
{
    (void)nghttp2_submit_ping(session->http2.session, NGHTTP2_FLAG_NONE, NULL);
}
