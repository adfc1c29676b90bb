/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct error;

/*
 * One walk over the wire form of a message by its descriptor, allocating nothing, that refuses what
 * protobuf-c would let through or spend too much on:
 *
 *   - broken wire format: a varint of more than 10 bytes or beyond 64 bits, a length beyond the
 * end, a field number that is 0 or too large, a group;
 *   - a known field with another wire type than its own (packed and unpacked numbers are both
 * right);
 *   - a text that is not UTF-8 or holds a NUL (protobuf-c makes a C string of it, which ends
 * there);
 *   - the same singular message field twice (decoders merge them, each in its own way);
 *   - more than WIRE_SCAN_UNKNOWN_MAX fields that this version doesn't know;
 *   - nesting beyond WIRE_SCAN_DEPTH_MAX;
 *   - more elements of a repeated field than `limits` says for it, or than `elements_max` in all.
 */

#define WIRE_SCAN_UNKNOWN_MAX 64
#define WIRE_SCAN_DEPTH_MAX   16

/* Of one repeated field; a table ends with a NULL message. */
struct wire_scan_limit {
    const ProtobufCMessageDescriptor *message;
    const char *field;
    unsigned max;
};

struct wire_scan_options {
    const struct wire_scan_limit *limits;
    unsigned elements_max; /* of all repeated fields together */
};

/* Returns 0, -EBADMSG or -E2BIG with a sentence that names the field by its path ("spec.args"). */
int wire_scan(const ProtobufCMessageDescriptor *descriptor, const void *data, size_t size,
              const struct wire_scan_options *options, struct error *err);
