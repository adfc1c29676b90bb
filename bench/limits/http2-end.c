/* SPDX-License-Identifier: Apache-2.0 */
#include "http2-end.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "tls-end.h"

#define FRAME_HEAD    9
#define MESSAGE_HEAD  5
#define MESSAGE_SIZE  ((size_t)64 * 1024)
#define FRAME_SIZE    (MESSAGE_HEAD + MESSAGE_SIZE)
#define OUT_ROOM      (TLS_END_BATCH + FRAME_HEAD + FRAME_SIZE)
#define STREAM_WINDOW (4 * 1024 * 1024)
#define WINDOW        (16 * 1024 * 1024)
#define READ_SIZE     ((size_t)16 * 1024)

/* One side's session, and the plaintext that it has made. */
struct side {
    nghttp2_session *session;
    struct tls_end *end;
    int file;
    off_t at;
    bool over;
    int32_t stream;  /* of the server: the call's */
    uint64_t bytes;  /* of the client: of messages */
    unsigned head;   /* bytes of the next message's head that came … */
    uint32_t length; /* … and what they say */
    size_t left;     /* bytes of the present message that didn't come */
    uint8_t out[OUT_ROOM];
    size_t size;
};

static void check(int result, const char *what)
{
    if (result < 0)
        measure_usage(what);
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void put(struct side *side, const uint8_t *data, size_t size)
{
    if (size > OUT_ROOM - side->size)
        measure_usage("too much HTTP/2 at a time");
    memcpy(side->out + side->size, data, size);
    side->size += size;
}

static void flush(struct side *side)
{
    if (side->size > 0)
        tls_end_write(side->end, side->out, side->size);
    side->size = 0;
}

/* Sends until nghttp2 has nothing more; it also stops when on_send() finds that the batch is full.
 */
static void send_all(struct side *side)
{
    const uint8_t *data;
    bool paused;
    ssize_t n;

    do {
        n = nghttp2_session_mem_send(side->session, &data);
        check((int)n, "nghttp2 can't send");
        put(side, data, (size_t)n);
        paused = side->size >= TLS_END_BATCH;
        if (paused)
            flush(side);
    } while (n > 0 || paused);
    flush(side);
    tls_end_flush(side->end);
}

static void receive(struct side *side)
{
    uint8_t data[READ_SIZE];
    size_t n = tls_end_read(side->end, data, sizeof(data));

    if (n == 0)
        side->over = true;
    else
        check((int)nghttp2_session_mem_recv(side->session, data, n), "nghttp2 can't receive");
}

/* ---- the server ---- */

static ssize_t on_read(nghttp2_session *session, int32_t stream, uint8_t *unused, size_t room,
                       uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct side *side = user_data;
    uint8_t *place = side->out + side->size + FRAME_HEAD;
    nghttp2_nv trailer = field("grpc-status", "0");
    ssize_t n;

    (void)unused;
    (void)source;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (room < FRAME_SIZE) /* the rest of a window: the next one takes whole records */
        return NGHTTP2_ERR_DEFERRED;
    n = pread(side->file, place + MESSAGE_HEAD, MESSAGE_SIZE, side->at);
    if (n < 0)
        measure_die("pread");
    if (n == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        check(nghttp2_submit_trailer(session, stream, &trailer, 1), "no trailers");
        return 0;
    }
    side->at += n;
    place[0] = 0;
    for (unsigned i = 0; i < 4; i++)
        place[1 + i] = (uint8_t)((size_t)n >> (24 - 8 * i));
    return MESSAGE_HEAD + n;
}

static int on_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                   size_t length, nghttp2_data_source *source, void *user_data)
{
    struct side *side = user_data;

    (void)session;
    (void)frame;
    (void)source;
    memcpy(side->out + side->size, head, FRAME_HEAD);
    side->size += FRAME_HEAD + length; /* the payload lies there */
    return side->size < TLS_END_BATCH ? 0 : NGHTTP2_ERR_PAUSE;
}

static ssize_t on_length(nghttp2_session *session, uint8_t type, int32_t stream, int32_t window,
                         int32_t stream_window, uint32_t frame_max, void *user_data)
{
    (void)session;
    (void)type;
    (void)stream;
    (void)window;
    (void)stream_window;
    (void)user_data;
    return frame_max < FRAME_SIZE ? (ssize_t)frame_max : (ssize_t)FRAME_SIZE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    nghttp2_nv fields[] = {field(":status", "200"), field("content-type", "application/grpc")};
    nghttp2_data_provider provider = {.read_callback = on_read};
    struct side *side = user_data;

    if (frame->hd.type == NGHTTP2_HEADERS) {
        side->stream = frame->hd.stream_id;
        check(nghttp2_submit_response(session, side->stream, fields, 2, &provider), "no answer");
    } else if (frame->hd.type == NGHTTP2_WINDOW_UPDATE && side->stream > 0)
        (void)nghttp2_session_resume_data(session, side->stream); /* it may not have waited */
    return 0;
}

static struct side *make_side(struct tls_end *end)
{
    struct side *side = calloc(1, sizeof(*side));

    if (!side)
        measure_die("memory");
    side->end = end;
    return side;
}

static void run(struct side *side)
{
    send_all(side);
    while (!side->over) {
        receive(side);
        if (!side->over)
            send_all(side);
    }
    nghttp2_session_del(side->session);
}

void http2_end_serve(struct tls_end *end, int file)
{
    struct side *side = make_side(end);
    nghttp2_session_callbacks *callbacks;

    side->file = file;
    check(nghttp2_session_callbacks_new(&callbacks), "no memory");
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_length);
    check(nghttp2_session_server_new(&side->session, callbacks, side), "no session");
    nghttp2_session_callbacks_del(callbacks);
    check(nghttp2_submit_settings(side->session, NGHTTP2_FLAG_NONE, NULL, 0), "no settings");
    run(side);
    free(side);
}

/* ---- the client ---- */

/* Looks at the heads of messages and passes over what is in them. */
static void take(struct side *side, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t part = side->left < size ? side->left : size;

        if (part == 0) {
            part = 1;
            side->length = side->length << 8 | *data;
            if (++side->head == MESSAGE_HEAD) {
                side->left = side->length;
                side->length = side->head = 0;
            }
        } else {
            side->left -= part;
            side->bytes += part;
        }
        data += part;
        size -= part;
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t size, void *user_data)
{
    (void)session;
    (void)flags;
    (void)stream;
    take(user_data, data, size);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user_data)
{
    struct side *side = user_data;

    (void)session;
    (void)stream;
    (void)error;
    side->over = true;
    return 0;
}

static int submit_client_settings(nghttp2_session *session)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 2 * MESSAGE_SIZE},
    };

    check(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries, 2), "no settings");
    return nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, WINDOW);
}

uint64_t http2_end_fetch(struct tls_end *end)
{
    const nghttp2_nv fields[] = {field(":method", "POST"), field(":scheme", "https"),
                                 field(":path", "/limit.v1.Limit/Stream"),
                                 field(":authority", "localhost"), field("te", "trailers")};
    struct side *side = make_side(end);
    nghttp2_session_callbacks *callbacks;
    uint64_t bytes;

    check(nghttp2_session_callbacks_new(&callbacks), "no memory");
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    check(nghttp2_session_client_new(&side->session, callbacks, side), "no session");
    nghttp2_session_callbacks_del(callbacks);
    check(submit_client_settings(side->session), "no window");
    check(nghttp2_submit_request(side->session, NULL, fields, sizeof(fields) / sizeof(fields[0]),
                                 NULL, NULL),
          "no request");
    run(side);
    bytes = side->bytes;
    free(side);
    return bytes;
}
