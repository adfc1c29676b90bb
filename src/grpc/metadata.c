/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/metadata.h"

#include <errno.h>
#include <string.h>

#include "grpc/bounds.h"

#define FIELD_OVERHEAD 32 /* RFC 9113, 6.5.2 */
#define ROOM_FIRST     512

void metadata_done(struct metadata *metadata)
{
    free(metadata->bytes);
    *metadata = (struct metadata){0};
}

static int metadata_reserve(struct metadata *metadata, size_t size)
{
    size_t room = MAX(metadata->room, (size_t)ROOM_FIRST);
    char *larger;

    if (metadata->room - metadata->used >= size)
        return 0;
    while (room - metadata->used < size)
        room *= 2;
    larger = realloc(metadata->bytes, room);
    if (!larger)
        return -ENOMEM;
    metadata->bytes = larger;
    metadata->room = room;
    return 0;
}

static void metadata_put(struct metadata *metadata, const void *text, size_t size)
{
    if (size > 0)
        memcpy(metadata->bytes + metadata->used, text, size);
    metadata->bytes[metadata->used + size] = 0;
    metadata->used += size + 1;
}

int metadata_add(struct metadata *metadata, const void *name, size_t name_size, const void *value,
                 size_t value_size)
{
    size_t left = HTTP2_HEADER_BYTES_MAX - metadata->charge;
    int r;

    if (metadata->count == HTTP2_HEADER_FIELDS_MAX || left < FIELD_OVERHEAD ||
        name_size > left - FIELD_OVERHEAD || value_size > left - FIELD_OVERHEAD - name_size)
        return -E2BIG;
    if (memchr(name, 0, name_size) || memchr(value, 0, value_size))
        return -EBADMSG;
    r = metadata_reserve(metadata, name_size + value_size + 2);
    if (r < 0)
        return r;
    metadata_put(metadata, name, name_size);
    metadata_put(metadata, value, value_size);
    metadata->charge += name_size + value_size + FIELD_OVERHEAD;
    metadata->count++;
    return 0;
}

static const char *metadata_find(const struct metadata *metadata, const char *name,
                                 unsigned *ret_count)
{
    const char *first = NULL, *field = metadata->bytes, *value;

    *ret_count = 0;
    for (unsigned i = 0; i < metadata->count; i++) {
        value = field + strlen(field) + 1;
        if (strcmp(field, name) == 0) {
            (*ret_count)++;
            first = first ? first : value;
        }
        field = value + strlen(value) + 1;
    }
    return first;
}

const char *metadata_get(const struct metadata *metadata, const char *name)
{
    unsigned count;

    return metadata_find(metadata, name, &count);
}

unsigned metadata_count(const struct metadata *metadata, const char *name)
{
    unsigned count;

    metadata_find(metadata, name, &count);
    return count;
}
