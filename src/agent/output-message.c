/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/output-message.h"

#include <string.h>

#include "base/clock.h"

/*
 * StreamOutputResponse.chunk = 1; in it offset = 1, data = 2, stream = 3, time = 4 with seconds = 1
 * and nanos = 2 (proto/hoist/v1/job_service.proto). The data is written last, since nothing may
 * follow it; parsers take fields in any order.
 */

#define TAG_VARINT(field) ((uint8_t)((field) << 3))
#define TAG_BYTES(field)  ((uint8_t)((field) << 3 | 2))

/* Bounded by design: two tags and lengths of at most 5 bytes, and four varints of at most 10. */
struct head {
    uint8_t bytes[OUTPUT_MESSAGE_HEAD_MAX];
    size_t size;
};

static void put_varint(struct head *head, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        head->bytes[head->size++] = (uint8_t)(value | 0x80);
    head->bytes[head->size++] = (uint8_t)value;
}

static void put_number(struct head *head, unsigned field, uint64_t value)
{
    if (value == 0)
        return; /* proto3: zero is absence */
    head->bytes[head->size++] = TAG_VARINT(field);
    put_varint(head, value);
}

static void put_bytes(struct head *head, unsigned field, const struct head *content)
{
    head->bytes[head->size++] = TAG_BYTES(field);
    put_varint(head, content->size);
    memcpy(head->bytes + head->size, content->bytes, content->size);
    head->size += content->size;
}

static struct head head_make(const struct output_chunk *chunk)
{
    struct head head = {.size = 0}, inner = {.size = 0}, time = {.size = 0};

    put_number(&time, 1, chunk->time / USEC_PER_SEC);
    put_number(&time, 2, chunk->time % USEC_PER_SEC * NSEC_PER_USEC);
    put_number(&inner, 1, chunk->offset);
    put_number(&inner, 3, (uint64_t)chunk->stream);
    put_bytes(&inner, 4, &time);
    inner.bytes[inner.size++] = TAG_BYTES(2);
    put_varint(&inner, chunk->size);

    head.bytes[head.size++] = TAG_BYTES(1);
    put_varint(&head, inner.size + chunk->size);
    memcpy(head.bytes + head.size, inner.bytes, inner.size);
    head.size += inner.size;
    return head;
}

size_t output_message_head_size(const struct output_chunk *chunk)
{
    return head_make(chunk).size;
}

size_t output_message_write(const struct output_chunk *chunk, uint8_t *buffer, size_t data_at)
{
    struct head head = head_make(chunk);

    if (head.size != data_at)
        memmove(buffer + head.size, buffer + data_at, chunk->size);
    memcpy(buffer, head.bytes, head.size);
    return head.size + chunk->size;
}
