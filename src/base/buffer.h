/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/*
 * A growing byte buffer that is filled at its end and drained at its front.
 *
 * Zero-initialised is empty and safe to clean up. No call aborts: what may need memory returns
 * -ENOMEM and leaves the contents as they were. A `limit` of 0 means none; growing beyond it is
 * -ENOBUFS.
 */

struct buffer {
    uint8_t *data; /* owned; the unread bytes are data[start .. end) */
    size_t start;
    size_t end;
    size_t room; /* bytes allocated */
    size_t limit;
};

void buffer_done(struct buffer *buffer);

#define _cleanup_buffer_ _cleanup_(buffer_done)

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* The unread bytes; valid until the next call that changes the buffer. */
static inline const uint8_t *buffer_bytes(const struct buffer *buffer)
{
    return buffer->data + buffer->start;
}

/* Makes room for `size` more bytes and points *ret at them; commit with buffer_commit(). */
int buffer_reserve(struct buffer *buffer, size_t size, uint8_t **ret);
void buffer_commit(struct buffer *buffer, size_t size);

int buffer_append(struct buffer *buffer, const void *data, size_t size);
int buffer_append_text(struct buffer *buffer, const char *text);
int buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Drops `size` (≤ buffer_size()) bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t size);
void buffer_clear(struct buffer *buffer);

/*
 * The contents as a NUL-terminated string that the caller frees; the buffer is empty afterwards.
 * NULL when there is no memory.
 */
char *buffer_take_text(struct buffer *buffer);
