/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nghttp2 parses frames, HPACK, flow control and the state of streams, and refuses what breaks RFC
 * 9113. What it lets pass, measured with 1.52, is counted here: 20,000 PING, WINDOW_UPDATE,
 * PRIORITY, empty DATA or unknown frames and 5,000 SETTINGS go through when the peer reads the
 * answers, and nobody counts the resets that a peer provokes (THREATS, "What the libraries do not
 * do for us").
 */
#include "grpc/http2.h"

#include <errno.h>
#include <string.h>

#include "grpc/bounds.h"

/* Those below are RFC 9113's own. */
#define FIRST_EXTENSION_TYPE 0x0a

static bool frame_does_work(const nghttp2_frame_hd *head)
{
    switch (head->type) {
    case NGHTTP2_HEADERS:
        return true;
    case NGHTTP2_DATA:
        return head->length > 0 || (head->flags & NGHTTP2_FLAG_END_STREAM);
    default:
        return false;
    }
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user_data)
{
    struct http2 *http2 = user_data;

    (void)session;
    if (frame_does_work(head)) {
        uint64_t earned =
            head->type == NGHTTP2_HEADERS ? HTTP2_CONTROL_PER_CALL : HTTP2_CONTROL_PER_DATA;

        bucket_earn(&http2->control, earned, HTTP2_CONTROL_EARNED_MAX);
        return 0;
    }
    if (bucket_take(&http2->control, http2->now))
        return 0;
    http2_refuse(http2, NGHTTP2_ENHANCE_YOUR_CALM, "a flood of control frames");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Not when the peer's own RST_STREAM is answered, and not the NO_ERROR that ends an answered
 * upload. */
static void count_reset(struct http2 *http2)
{
    if (!bucket_take(&http2->resets, http2->now))
        http2_refuse(http2, NGHTTP2_ENHANCE_YOUR_CALM, "too many streams that had to be reset");
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error_code,
                            void *user_data)
{
    (void)session;
    (void)frame;
    (void)error_code;
    count_reset(user_data);
    return 0;
}

/* NO_ERROR ends the upload of an answered call, and a client may cancel as it likes. */
static bool was_provoked(const struct http2 *http2, uint32_t error_code)
{
    return error_code != NGHTTP2_NO_ERROR && (http2->is_server || error_code != NGHTTP2_CANCEL);
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http2 *http2 = user_data;

    (void)session;
    if (frame->hd.type == NGHTTP2_RST_STREAM && was_provoked(http2, frame->rst_stream.error_code))
        count_reset(http2);
    if (frame->hd.type == NGHTTP2_HEADERS && http2->hooks->headers_sent)
        http2->hooks->headers_sent(http2, frame);
    return 0;
}

/* Frames of types that nobody knows are dropped; they are asked for only to be counted. */
static int unpack_unknown(nghttp2_session *session, void **payload, const nghttp2_frame_hd *head,
                          void *user_data)
{
    (void)session;
    (void)payload;
    (void)head;
    (void)user_data;
    return NGHTTP2_ERR_CANCEL;
}

static int http2_callbacks_new(const struct http2_hooks *hooks, nghttp2_session_callbacks **ret)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return -ENOMEM;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, unpack_unknown);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, hooks->begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, hooks->header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, hooks->frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, hooks->data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, hooks->stream_closed);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, hooks->send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, hooks->read_length);
    *ret = callbacks;
    return 0;
}

static int http2_option_new(bool server, nghttp2_option **ret)
{
    nghttp2_option *option;

    if (nghttp2_option_new(&option) != 0)
        return -ENOMEM;
    nghttp2_option_set_max_outbound_ack(option, HTTP2_ACKS_MAX);
    nghttp2_option_set_max_continuations(option, HTTP2_CONTINUATIONS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(option, HTTP2_RESET_BURST, HTTP2_RESET_PER_SECOND);
    /* The client's windows follow its reader; a server buffers whole requests within its own
     * limits. */
    nghttp2_option_set_no_auto_window_update(option, !server);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, HTTP2_HPACK_TABLE);
    /* Pushes that cross the SETTINGS which forbids them are reset. */
    nghttp2_option_set_max_reserved_remote_streams(option, 0);
    for (unsigned type = FIRST_EXTENSION_TYPE; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
    /* Without this a server that hasn't heard our SETTINGS yet could be sent any number of streams.
     */
    nghttp2_option_set_peer_max_concurrent_streams(option, HTTP2_STREAMS_MAX);
    *ret = option;
    return 0;
}

int http2_init(struct http2 *http2, bool server, const struct http2_hooks *hooks, void *owner,
               usec_t now)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    int r;

    *http2 = (struct http2){
        .hooks = hooks,
        .is_server = server,
        .owner = owner,
        .now = now,
        .control = bucket_full(HTTP2_CONTROL_BURST, HTTP2_CONTROL_PER_SECOND, now),
        .resets = bucket_full(HTTP2_RESET_BURST, HTTP2_RESET_PER_SECOND, now),
    };
    r = http2_callbacks_new(hooks, &callbacks);
    if (r < 0)
        return r;
    r = http2_option_new(server, &option);
    if (r == 0) {
        r = server ? nghttp2_session_server_new2(&http2->session, callbacks, http2, option)
                   : nghttp2_session_client_new2(&http2->session, callbacks, http2, option);
        r = r == 0 ? 0 : -ENOMEM;
        nghttp2_option_del(option);
    }
    nghttp2_session_callbacks_del(callbacks);
    return r;
}

void http2_done(struct http2 *http2)
{
    nghttp2_session_del(http2->session);
    http2->session = NULL;
    buffer_done(&http2->out);
}

/* The sentence for what nghttp2 found out by itself. */
static const char *failure_text(int code)
{
    switch (code) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return "the peer doesn't speak HTTP/2";
    case NGHTTP2_ERR_FLOODED:
        return "a flood of frames that must be answered";
    default:
        return nghttp2_strerror(code);
    }
}

int http2_receive(struct http2 *http2, const void *data, size_t size, usec_t now)
{
    ssize_t n;

    http2->now = now;
    if (http2->broken)
        return -EPROTO;
    n = nghttp2_session_mem_recv(http2->session, data, size);
    if (n < 0) {
        http2->broken = true;
        if (!http2->failure)
            http2->failure = failure_text((int)n);
        return n == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
    }
    return http2->broken ? -EPROTO : 0;
}

int http2_produce(struct http2 *http2, usec_t now)
{
    const uint8_t *data;
    ssize_t n;

    http2->now = now;
    while (buffer_size(&http2->out) < HTTP2_OUTPUT_MAX &&
           (!http2->broken || nghttp2_session_want_write(http2->session))) {
        n = nghttp2_session_mem_send(http2->session, &data);
        if (n == NGHTTP2_ERR_NOMEM)
            return -ENOMEM;
        if (n < 0)
            return -EPROTO;
        if (n == 0)
            break;
        if (buffer_append(&http2->out, data, (size_t)n) < 0)
            return -ENOMEM;
    }
    return 0;
}

bool http2_is_done(const struct http2 *http2)
{
    return buffer_size(&http2->out) == 0 && !nghttp2_session_want_write(http2->session) &&
           (http2->broken || !nghttp2_session_want_read(http2->session));
}

bool http2_wants_input(const struct http2 *http2)
{
    return !http2->broken && buffer_size(&http2->out) < HTTP2_OUTPUT_MAX &&
           nghttp2_session_want_read(http2->session);
}

bool http2_count_header_bomb(struct http2 *http2)
{
    if (++http2->header_bombs < HTTP2_HEADER_BOMBS_MAX)
        return false;
    http2_refuse(http2, NGHTTP2_ENHANCE_YOUR_CALM, "headers beyond the limit again and again");
    return true;
}

void http2_refuse(struct http2 *http2, uint32_t error_code, const char *failure)
{
    if (http2->broken)
        return;
    http2->broken = true;
    http2->failure = failure;
    /* Fails without memory only, and then the connection just closes. */
    (void)nghttp2_session_terminate_session(http2->session, error_code);
}

int http2_put_frame(struct http2 *http2, const uint8_t *head, size_t size, uint8_t **ret_payload)
{
    uint8_t *place;

    if (buffer_reserve(&http2->out, HTTP2_FRAME_HEAD_SIZE + size, &place) < 0)
        return -ENOMEM;
    memcpy(place, head, HTTP2_FRAME_HEAD_SIZE);
    *ret_payload = place + HTTP2_FRAME_HEAD_SIZE;
    buffer_commit(&http2->out, HTTP2_FRAME_HEAD_SIZE + size);
    bucket_earn(&http2->control, HTTP2_CONTROL_PER_DATA, HTTP2_CONTROL_EARNED_MAX);
    return 0;
}
