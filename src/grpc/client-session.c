/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/client-session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "grpc/bounds.h"
#include "grpc/frame.h"
#include "grpc/response.h"
#include "grpc/timeout.h"

/* Ours: pseudo headers, te, content-type, accept-encoding, user-agent, grpc-timeout. */
#define OWN_FIELDS     9
#define METADATA_MAX   16
#define REQUEST_FIELDS (OWN_FIELDS + METADATA_MAX)

static struct client_session *session_of(void *user_data)
{
    struct http2 *http2 = user_data;

    return http2->owner;
}

static struct grpc_client_call *find_call(struct client_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session->http2.session, stream_id);
}

/* ---- the end of a call ---- */

/* Off the session; the stream, if there is one, forgets it. */
static void call_detach(struct grpc_client_call *call)
{
    struct client_session *session = call->session;

    (void)nghttp2_session_set_stream_user_data(session->http2.session, call->stream_id, NULL);
    TAILQ_REMOVE(&session->calls, call, all);
    session->call_count--;
    call->session = NULL;
    buffer_done(&call->request);
}

void client_call_end(struct grpc_client_call *call, enum grpc_status status, const char *text,
                     uint32_t error_code)
{
    if (call->is_over)
        return;
    call->is_over = true;
    (void)grpc_result_set(&call->result, status, text); /* no memory: no text */
    if (error_code != NGHTTP2_NO_ERROR)
        (void)nghttp2_submit_rst_stream(call->session->http2.session, NGHTTP2_FLAG_NONE,
                                        call->stream_id, error_code);
    call_detach(call);
}

void client_session_fail(struct client_session *session, enum grpc_status status, const char *why)
{
    struct grpc_client_call *call;

    while ((call = TAILQ_FIRST(&session->calls)))
        client_call_end(call, status, why, NGHTTP2_NO_ERROR);
}

/* ---- what nghttp2 tells ---- */

static int on_begin_headers(nghttp2_session *http2, const nghttp2_frame *frame, void *user_data)
{
    (void)http2;
    (void)frame;
    (void)user_data;
    return 0;
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user_data)
{
    struct client_session *session = session_of(user_data);
    struct grpc_client_call *call = find_call(session, frame->hd.stream_id);

    (void)http2;
    (void)flags;
    if (call && metadata_add(&call->headers, name, name_size, value, value_size) == 0)
        return 0;
    if (!call) /* it is over here, and the RST_STREAM on its way */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    client_call_end(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "the server's headers are too large",
                    NGHTTP2_NO_ERROR);
    if (http2_count_header_bomb(&session->http2))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Calls that are queued behind the server's limit of streams will never be sent now; nghttp2 closes
 * those that it has sent and the server didn't take. */
static void end_unsent(struct client_session *session)
{
    struct grpc_client_call *call, *next;

    for (call = TAILQ_FIRST(&session->calls); call; call = next) {
        next = TAILQ_NEXT(call, all);
        if (!nghttp2_session_find_stream(session->http2.session, call->stream_id))
            client_call_end(call, GRPC_STATUS_UNAVAILABLE, "the server is shutting down",
                            NGHTTP2_CANCEL);
    }
}

static int on_frame_received(nghttp2_session *http2, const nghttp2_frame *frame, void *user_data)
{
    struct client_session *session = session_of(user_data);
    struct grpc_client_call *call;
    bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    (void)http2;
    if (frame->hd.type == NGHTTP2_SETTINGS)
        session->heard_settings = true;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        session->heard_goaway = true;
        end_unsent(session);
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    call = find_call(session, frame->hd.stream_id);
    if (!call)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        response_check_headers(call, is_last);
    else if (is_last)
        response_check_close(call, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

/* Bytes of a message that isn't whole must not wait for a reader: the rest of it may be larger than
 * the window. */
static void give_window_back(struct client_session *session, struct grpc_client_call *call)
{
    const uint8_t *message;
    size_t size;

    if (frame_parse(buffer_bytes(&call->received) + call->taken,
                    buffer_size(&call->received) - call->taken, call->message_max, &message,
                    &size) != 0)
        return;
    (void)nghttp2_session_consume_stream(session->http2.session, call->stream_id, call->unconsumed);
    call->unconsumed = 0;
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *user_data)
{
    struct client_session *session = session_of(user_data);
    struct grpc_client_call *call = find_call(session, stream_id);

    (void)flags;
    (void)nghttp2_session_consume_connection(http2, size);
    if (!call)
        return 0;
    if (!call->has_response) { /* nghttp2 has seen to it that HEADERS came */
        client_call_end(call, GRPC_STATUS_INTERNAL, "the server sent data before its answer",
                        NGHTTP2_PROTOCOL_ERROR);
        return 0;
    }
    if (buffer_append(&call->received, data, size) < 0) {
        client_call_end(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory for the server's answer",
                        NGHTTP2_CANCEL);
        return 0;
    }
    call->unconsumed += size;
    give_window_back(session, call);
    return 0;
}

static int on_stream_closed(nghttp2_session *http2, int32_t stream_id, uint32_t error_code,
                            void *user_data)
{
    struct grpc_client_call *call = find_call(session_of(user_data), stream_id);

    (void)http2;
    if (call)
        response_check_close(call, error_code);
    return 0;
}

/* ---- requests ---- */

static ssize_t read_request(nghttp2_session *http2, int32_t stream_id, uint8_t *unused,
                            size_t length, uint32_t *flags, nghttp2_data_source *source,
                            void *user_data)
{
    struct grpc_client_call *call = find_call(session_of(user_data), stream_id);
    size_t waiting;

    (void)http2;
    (void)unused;
    (void)source;
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    waiting = buffer_size(&call->request);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (waiting <= length)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)MIN(waiting, length);
}

static int send_data(nghttp2_session *http2, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *user_data)
{
    struct client_session *session = session_of(user_data);
    struct grpc_client_call *call = find_call(session, frame->hd.stream_id);
    uint8_t *payload;

    (void)http2;
    (void)source;
    if (!call || http2_put_frame(&session->http2, head, length, &payload) < 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(payload, buffer_bytes(&call->request), length);
    buffer_consume(&call->request, length);
    return 0;
}

static ssize_t read_length(nghttp2_session *http2, uint8_t frame_type, int32_t stream_id,
                           int32_t session_window, int32_t stream_window, uint32_t frame_max,
                           void *user_data)
{
    (void)http2;
    (void)frame_type;
    (void)stream_id;
    (void)session_window;
    (void)stream_window;
    (void)user_data;
    return (ssize_t)MIN((size_t)frame_max, (size_t)HTTP2_CLIENT_FRAME_MAX);
}

static const struct http2_hooks hooks = {
    .begin_headers = on_begin_headers,
    .header = on_header,
    .frame_received = on_frame_received,
    .data = on_data,
    .stream_closed = on_stream_closed,
    .send_data = send_data,
    .read_length = read_length,
};

static bool is_plain(const char *text, const char *also)
{
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
              strchr(also, *text)))
            return false;
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return false;
    return true;
}

static int check_options(const char *path, size_t request_size,
                         const struct grpc_call_options *options)
{
    if (path[0] != '/' || !is_printable(path) || options->metadata_count > METADATA_MAX)
        return -EINVAL;
    for (size_t i = 0; i < options->metadata_count; i++) {
        const struct grpc_metadata_pair *pair = &options->metadata[i];
        size_t length = strlen(pair->name);

        if (length == 0 || !is_plain(pair->name, "_.-") || text_starts_with(pair->name, "grpc-") ||
            (length >= 4 && strcmp(pair->name + length - 4, "-bin") == 0) ||
            !is_printable(pair->value))
            return -EINVAL;
    }
    return request_size > GRPC_MESSAGE_MAX ? -EMSGSIZE : 0;
}

static int submit(struct client_session *session, struct grpc_client_call *call, const char *path,
                  const struct grpc_call_options *options)
{
    char timeout[GRPC_TIMEOUT_TEXT_MAX];
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_request};
    nghttp2_nv fields[REQUEST_FIELDS] = {
        http2_text_field(":method", "POST"),
        http2_text_field(":scheme", "https"),
        http2_text_field(":path", path),
        http2_text_field(":authority", session->authority),
        http2_text_field("te", "trailers"),
        http2_text_field("content-type", "application/grpc"),
        http2_text_field("grpc-accept-encoding", "identity"),
        http2_text_field("user-agent", session->user_agent),
    };
    size_t count = OWN_FIELDS - 1;
    int32_t stream_id;

    if (call->deadline != USEC_INFINITY)
        fields[count++] = http2_text_field(
            "grpc-timeout", grpc_timeout_format(call->deadline - session->http2.now, timeout));
    for (size_t i = 0; i < options->metadata_count; i++)
        fields[count++] = http2_text_field(options->metadata[i].name, options->metadata[i].value);
    stream_id =
        nghttp2_submit_request(session->http2.session, NULL, fields, count, &provider, call);
    if (stream_id < 0)
        return stream_id == NGHTTP2_ERR_NOMEM ? -ENOMEM : -ESHUTDOWN;
    call->stream_id = stream_id;
    return 0;
}

static int put_request(struct grpc_client_call *call, const void *request, size_t size)
{
    uint8_t *place;

    if (buffer_reserve(&call->request, FRAME_HEAD_SIZE + size, &place) < 0)
        return -ENOMEM;
    frame_head_write(place, size);
    if (size > 0)
        memcpy(place + FRAME_HEAD_SIZE, request, size);
    buffer_commit(&call->request, FRAME_HEAD_SIZE + size);
    return 0;
}

/* The result of a call that never began. */
static void call_end_unborn(struct grpc_client_call *call, enum grpc_status status,
                            const char *text)
{
    call->is_over = true;
    (void)grpc_result_set(&call->result, status, text);
    buffer_done(&call->request);
}

static int call_begin(struct client_session *session, struct grpc_client_call *call,
                      const char *path, const struct grpc_call_options *options)
{
    int r;

    if (client_session_is_closing(session)) {
        call_end_unborn(call, GRPC_STATUS_UNAVAILABLE,
                        session->closed_why ? session->closed_why : "the server is shutting down");
        return 0;
    }
    if (call->deadline <= session->http2.now) {
        call_end_unborn(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
        return 0;
    }
    r = submit(session, call, path, options);
    if (r == -ESHUTDOWN) {
        call_end_unborn(call, GRPC_STATUS_UNAVAILABLE, "the connection is used up");
        return 0;
    }
    if (r < 0)
        return r;
    call->session = session;
    TAILQ_INSERT_TAIL(&session->calls, call, all);
    session->call_count++;
    session->next_deadline = MIN(session->next_deadline, call->deadline);
    return 0;
}

int client_session_call(struct client_session *session, struct grpc_channel *channel,
                        const char *path, const void *request, size_t request_size,
                        const struct grpc_call_options *options, usec_t now,
                        struct grpc_client_call **ret)
{
    static const struct grpc_call_options none = {0};
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = NULL;
    int r;

    options = options ? options : &none;
    r = check_options(path, request_size, options);
    if (r < 0)
        return r;
    call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    session->http2.now = now;
    call->channel = channel;
    call->message_max = session->message_max;
    call->deadline = options->deadline ? options->deadline : USEC_INFINITY;
    r = put_request(call, request, request_size);
    if (r == 0)
        r = call_begin(session, call, path, options);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(call);
    return 0;
}

/* ---- for the owner ---- */

static int submit_settings(nghttp2_session *http2)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, HTTP2_HPACK_TABLE},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_CLIENT_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, HTTP2_CLIENT_FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP2_HEADER_BYTES_MAX},
    };

    if (nghttp2_submit_settings(http2, NGHTTP2_FLAG_NONE, entries, ARRAY_SIZE(entries)) != 0 ||
        nghttp2_session_set_local_window_size(http2, NGHTTP2_FLAG_NONE, 0,
                                              HTTP2_CLIENT_CONNECTION_WINDOW) != 0)
        return -ENOMEM;
    return 0;
}

int client_session_new(const struct client_session_options *options, usec_t now,
                       struct client_session **ret)
{
    struct client_session *session = calloc(1, sizeof(*session));
    int r = 0;

    if (!session)
        return -ENOMEM;
    TAILQ_INIT(&session->calls);
    session->next_deadline = USEC_INFINITY;
    session->message_max = options->message_max ? options->message_max : GRPC_MESSAGE_MAX;
    session->authority = strdup(options->authority);
    session->user_agent = strdup(options->user_agent);
    if (!session->authority || !session->user_agent)
        r = -ENOMEM;
    if (r == 0)
        r = http2_init(&session->http2, false, &hooks, session, now);
    if (r == 0)
        r = submit_settings(session->http2.session);
    if (r < 0) {
        client_session_free(session, NULL);
        return r;
    }
    *ret = session;
    return 0;
}

struct client_session *client_session_free(struct client_session *session, const char *why)
{
    if (!session)
        return NULL;
    client_session_fail(session, GRPC_STATUS_UNAVAILABLE, why);
    http2_done(&session->http2);
    free(session->authority);
    free(session->user_agent);
    free(session);
    return NULL;
}

int client_session_receive(struct client_session *session, const void *data, size_t size,
                           usec_t now)
{
    return http2_receive(&session->http2, data, size, now);
}

int client_session_produce(struct client_session *session, usec_t now)
{
    return http2_produce(&session->http2, now);
}

void client_session_tick(struct client_session *session, usec_t now)
{
    struct grpc_client_call *call, *next;

    session->http2.now = now;
    if (now < session->next_deadline)
        return;
    session->next_deadline = USEC_INFINITY;
    for (call = TAILQ_FIRST(&session->calls); call; call = next) {
        next = TAILQ_NEXT(call, all);
        if (now >= call->deadline)
            client_call_end(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the deadline has passed",
                            NGHTTP2_CANCEL);
        else
            session->next_deadline = MIN(session->next_deadline, call->deadline);
    }
}

void client_session_ping(struct client_session *session)
{
    (void)nghttp2_submit_ping(session->http2.session, NGHTTP2_FLAG_NONE, NULL);
}

bool client_session_is_closing(const struct client_session *session)
{
    return session->http2.broken || session->heard_goaway || session->closed_why ||
           !nghttp2_session_check_request_allowed(session->http2.session);
}
