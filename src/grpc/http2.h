/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "grpc/bucket.h"

/*
 * What a server's and a client's HTTP/2 session have in common: bytes in, bytes out, and the
 * counting of what nghttp2 doesn't count.
 *
 * No I/O. Output gathers in one buffer of plaintext, HTTP2_OUTPUT_MAX at most: DATA is written
 * straight into it (NO_COPY), so that a message is copied once between its source and the TLS
 * record.
 */

struct http2_hooks;

struct http2 {
    nghttp2_session *session;        /* owned */
    const struct http2_hooks *hooks; /* static */
    bool is_server;
    void *owner; /* the server or client session around this one */
    struct buffer out;
    struct bucket control; /* frames without work or data that the peer may send */
    struct bucket resets;  /* RST_STREAMs that it may make us send */
    usec_t now;            /* clock_boot() of the call under way */
    unsigned header_bombs; /* header blocks that were too large */
    bool broken;           /* nothing is read any more */
    const char *failure;   /* why, one sentence, static; NULL: the peer may go in peace */
};

/* Called by nghttp2 through http2_new()'s callbacks where a side needs its own. */
struct http2_hooks {
    nghttp2_on_begin_headers_callback begin_headers;
    nghttp2_on_header_callback header;
    nghttp2_on_frame_recv_callback frame_received;
    nghttp2_on_data_chunk_recv_callback data;
    nghttp2_on_stream_close_callback stream_closed;
    void (*headers_sent)(struct http2 *http2, const nghttp2_frame *frame); /* may be NULL */
    nghttp2_send_data_callback send_data;
    nghttp2_data_source_read_length_callback read_length;
};

/* Fills `http2` (embedded in `owner`; nghttp2's user data is the http2). 0 or -ENOMEM. */
int http2_init(struct http2 *http2, bool server, const struct http2_hooks *hooks, void *owner,
               usec_t now);
void http2_done(struct http2 *http2);

/*
 * Takes bytes from the peer. 0, or -EPROTO when the session is broken (see `failure`; a GOAWAY may
 * wait in the output), or -ENOMEM.
 */
int http2_receive(struct http2 *http2, const void *data, size_t size, usec_t now);

/*
 * Makes output until there is none or HTTP2_OUTPUT_MAX is reached; the caller takes it from `out`
 * with buffer_consume(). 0 or a negative errno.
 */
int http2_produce(struct http2 *http2, usec_t now);

/* The session is of no more use: everything is said and heard. */
bool http2_is_done(const struct http2 *http2);

/* May be fed more: not broken, and its own output is not too long. */
bool http2_wants_input(const struct http2 *http2);

/* Counts one header block that was too large; true when the peer has had its last chance. */
bool http2_count_header_bomb(struct http2 *http2);

/* Sends GOAWAY and stops reading: for peers that break the rules. */
void http2_refuse(struct http2 *http2, uint32_t error_code, const char *failure);

/*
 * For send_data callbacks: appends a DATA frame's head; `size` bytes of its payload must follow,
 * which *ret_payload points at. 0 or -ENOMEM.
 */
#define HTTP2_FRAME_HEAD_SIZE 9
int http2_put_frame(struct http2 *http2, const uint8_t *head, size_t size, uint8_t **ret_payload);

/* A header field of literals or strings that live until the submitting call returns. */
static inline nghttp2_nv http2_field(const char *name, const void *value, size_t value_size)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name, /* nghttp2 copies; its struct knows no const */
        .namelen = __builtin_strlen(name),
        .value = (uint8_t *)(uintptr_t)value,
        .valuelen = value_size,
    };
}

static inline nghttp2_nv http2_text_field(const char *name, const char *value)
{
    return http2_field(name, value, __builtin_strlen(value));
}
