/* SPDX-License-Identifier: Apache-2.0 */
#include "h2-wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE 9

static void check(int r)
{
    if (r < 0)
        abort();
}

void h2_put_frame(struct buffer *out, uint8_t type, uint8_t flags, uint32_t stream,
                  const void *payload, size_t size)
{
    uint8_t head[HEAD_SIZE] = {
        (uint8_t)(size >> 16),
        (uint8_t)(size >> 8),
        (uint8_t)size,
        type,
        flags,
        (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16),
        (uint8_t)(stream >> 8),
        (uint8_t)stream,
    };

    check(buffer_append(out, head, sizeof(head)));
    check(buffer_append(out, payload, size));
}

/* A string of HPACK without Huffman (RFC 7541, 5.2). */
static void put_string(struct buffer *out, const char *text)
{
    size_t length = strlen(text);
    uint8_t byte;

    if (length < 127) {
        byte = (uint8_t)length;
        check(buffer_append(out, &byte, 1));
    } else {
        byte = 127;
        check(buffer_append(out, &byte, 1));
        for (size_t rest = length - 127;; rest >>= 7) {
            byte = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
            check(buffer_append(out, &byte, 1));
            if (rest <= 127)
                break;
        }
    }
    check(buffer_append(out, text, length));
}

void h2_put_headers(struct buffer *out, uint8_t flags, uint32_t stream, const char *const *fields)
{
    /* What comes after an ACK has to say that it knows of a smaller table (RFC 7541, 4.2): 1024. */
    static const uint8_t resized[] = {0x3f, 0xe1, 0x07};
    _cleanup_buffer_ struct buffer block = {0};

    check(buffer_append(&block, resized, sizeof(resized)));
    for (; fields[0]; fields += 2) {
        check(buffer_append(&block, "", 1)); /* literal, not indexed, new name */
        put_string(&block, fields[0]);
        put_string(&block, fields[1]);
    }
    h2_put_frame(out, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream,
                 buffer_bytes(&block), buffer_size(&block));
}

void h2_put_message(struct buffer *out, uint8_t flags, uint32_t stream, const void *message,
                    size_t size)
{
    _cleanup_buffer_ struct buffer framed = {0};
    uint8_t head[5] = {0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                       (uint8_t)size};

    check(buffer_append(&framed, head, sizeof(head)));
    check(buffer_append(&framed, message, size));
    h2_put_frame(out, NGHTTP2_DATA, flags, stream, buffer_bytes(&framed), buffer_size(&framed));
}

void h2_reader_init(struct h2_reader *reader)
{
    reader->headers[0] = 0;
    check(nghttp2_hd_inflate_new(&reader->inflater));
}

void h2_reader_done(struct h2_reader *reader)
{
    nghttp2_hd_inflate_del(reader->inflater);
}

static void inflate(struct h2_reader *reader, const uint8_t *block, size_t size)
{
    size_t used = 0;
    int flags;

    for (;;) {
        nghttp2_nv field;
        ssize_t n = nghttp2_hd_inflate_hd2(reader->inflater, &field, &flags, block, size, 1);

        check((int)n);
        block += n;
        size -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            used += (size_t)snprintf(reader->headers + used, sizeof(reader->headers) - used,
                                     "%.*s: %.*s\n", (int)field.namelen, (char *)field.name,
                                     (int)field.valuelen, (char *)field.value);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    check(nghttp2_hd_inflate_end_headers(reader->inflater));
}

bool h2_reader_next(struct h2_reader *reader, struct buffer *in, struct h2_frame *ret)
{
    const uint8_t *head = buffer_bytes(in);
    size_t size;

    if (buffer_size(in) < HEAD_SIZE)
        return false;
    size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    if (buffer_size(in) < HEAD_SIZE + size)
        return false;
    *ret = (struct h2_frame){
        .type = head[3],
        .flags = head[4],
        .stream =
            (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8],
        .payload = head + HEAD_SIZE,
        .size = size,
    };
    if (ret->type == NGHTTP2_HEADERS)
        inflate(reader, ret->payload, size);
    buffer_consume(in, HEAD_SIZE + size); /* the bytes stay where they are */
    return true;
}
