/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define BUFFER_ROOM_MIN 256

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.limit = buffer->limit};
}

static void buffer_move_to_front(struct buffer *buffer)
{
    if (buffer->start == 0)
        return;
    memmove(buffer->data, buffer->data + buffer->start, buffer_size(buffer));
    buffer->end -= buffer->start;
    buffer->start = 0;
}

int buffer_reserve(struct buffer *buffer, size_t size, uint8_t **ret)
{
    size_t used = buffer_size(buffer), need, room;
    uint8_t *larger;

    if (__builtin_add_overflow(used, size, &need))
        return -ENOBUFS;
    if (buffer->limit && need > buffer->limit)
        return -ENOBUFS;
    if (buffer->room - buffer->end < size && need <= buffer->room && buffer->start >= used)
        buffer_move_to_front(buffer);
    if (buffer->room - buffer->end < size) {
        buffer_move_to_front(buffer);
        room = MAX(need, (size_t)BUFFER_ROOM_MIN);
        if (room < buffer->room * 2)
            room = buffer->room * 2;
        larger = realloc(buffer->data, room);
        if (!larger)
            return -ENOMEM;
        buffer->data = larger;
        buffer->room = room;
    }
    *ret = buffer->data ? buffer->data + buffer->end : NULL;
    return 0;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->room - buffer->end);
    buffer->end += size;
}

int buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *place;
    int r = buffer_reserve(buffer, size, &place);

    if (r < 0)
        return r;
    if (size > 0) {
        assert(place); /* where there is room there is memory */
        memcpy(place, data, size);
    }
    buffer_commit(buffer, size);
    return 0;
}

int buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

int buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return buffer_append(buffer, text, (size_t)length);
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer_size(buffer));
    buffer->start += size;
    if (buffer->start == buffer->end)
        buffer_clear(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
}

char *buffer_take_text(struct buffer *buffer)
{
    size_t limit = buffer->limit;
    char *text;

    buffer->limit = 0; /* the NUL is not content */
    if (buffer_append(buffer, "", 1) < 0) {
        buffer->limit = limit;
        return NULL;
    }
    buffer_move_to_front(buffer);
    text = (char *)TAKE_PTR(buffer->data);
    *buffer = (struct buffer){.limit = limit};
    return text;
}
