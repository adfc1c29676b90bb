/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wire-reader.h"

#define FIELD_ID_MAX ((UINT64_C(1) << 29) - 1)
#define VARINT_MAX   10

bool wire_read_varint(struct wire_reader *reader, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_MAX && reader->at < reader->end; i++) {
        uint8_t byte = *reader->at++;

        if (i == VARINT_MAX - 1 && byte > 1) /* beyond 64 bits */
            return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool wire_read_tag(struct wire_reader *reader, uint32_t *ret_id, enum wire_type *ret_type)
{
    uint64_t tag;

    if (!wire_read_varint(reader, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_ID_MAX)
        return false;
    *ret_id = (uint32_t)(tag >> 3);
    *ret_type = (enum wire_type)(tag & 7);
    return true;
}

static bool read_bytes(struct wire_reader *reader, size_t size, struct wire_reader *ret)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    *ret = (struct wire_reader){reader->at, reader->at + size};
    reader->at += size;
    return true;
}

bool wire_read_value(struct wire_reader *reader, enum wire_type type, struct wire_reader *ret)
{
    uint64_t number;

    switch (type) {
    case WIRE_VARINT:
        ret->at = reader->at;
        if (!wire_read_varint(reader, &number))
            return false;
        ret->end = reader->at;
        return true;
    case WIRE_FIXED64:
        return read_bytes(reader, 8, ret);
    case WIRE_FIXED32:
        return read_bytes(reader, 4, ret);
    case WIRE_LENGTH:
        return wire_read_varint(reader, &number) && number <= SIZE_MAX &&
               read_bytes(reader, (size_t)number, ret);
    case WIRE_GROUP_START:
    case WIRE_GROUP_END:
    default:
        return false;
    }
}
