/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * HTTP/2 by hand, for peers that no library would play: frames are put together byte by byte, and
 * what comes back is taken apart again.
 */

#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Appends one frame. */
void h2_put_frame(struct buffer *out, uint8_t type, uint8_t flags, uint32_t stream,
                  const void *payload, size_t size);

/* Appends HEADERS with `fields`: name, value, name, value, …, NULL; never indexed, so stateless. */
void h2_put_headers(struct buffer *out, uint8_t flags, uint32_t stream, const char *const *fields);

/* Appends a DATA frame that holds one gRPC message. */
void h2_put_message(struct buffer *out, uint8_t flags, uint32_t stream, const void *message,
                    size_t size);

/* What was sent to a peer, frame by frame. */
struct h2_frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    const uint8_t *payload;
    size_t size;
};

struct h2_reader {
    nghttp2_hd_inflater *inflater;
    char headers[4096]; /* of the last HEADERS: "name: value\n" … */
};

void h2_reader_init(struct h2_reader *reader);
void h2_reader_done(struct h2_reader *reader);

/* Takes the next frame off the front of `in`; valid until `in` changes. False: none is whole. */
bool h2_reader_next(struct h2_reader *reader, struct buffer *in, struct h2_frame *ret);
