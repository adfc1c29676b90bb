/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Protobuf's wire form, piece by piece (protobuf.dev/programming-guides/encoding), within bounds:
 * whatever a function can't read whole it doesn't read at all, and says false.
 */

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_GROUP_START = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5,
};

struct wire_reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* At most 10 bytes and 64 bits. */
bool wire_read_varint(struct wire_reader *reader, uint64_t *ret);

/* A field's number (never 0, below 2^29) and type. */
bool wire_read_tag(struct wire_reader *reader, uint32_t *ret_id, enum wire_type *ret_type);

/* A value of `type`; of WIRE_LENGTH *ret is its contents. Groups aren't read. */
bool wire_read_value(struct wire_reader *reader, enum wire_type type, struct wire_reader *ret);
