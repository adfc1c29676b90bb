/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/format-version.h"
#include "base/id.h"

/*
 * The index of a job's output, as bytes (docs/protocol/output-format.md).
 *
 * A job's output is two files: `output` holds the job's bytes and nothing else, `index` says which
 * of them came when and from which stream: a header of 64 bytes, then entries of 32 bytes. Every
 * number is little-endian; header and entries carry a checksum of their own, so that a reader that
 * meets a write half done sees something that doesn't check, and never a wrong value.
 *
 * Here are encoding and decoding, without I/O and without memory: this file, writer.[ch] and parts
 * of base are all that hoist-init takes from the store.
 */

#define OUTPUT_HEADER_SIZE 64
#define OUTPUT_ENTRY_SIZE  32
#define OUTPUT_VERSION     FORMAT_VERSION(1)
#define OUTPUT_OLDEST      1

/* What one data entry covers at most: so that time and checksum stay fine-grained, and so that the
 * index stays under 0.05 % of the data for block writers, and under 32 bytes for each 10 ms for
 * somebody who writes a few bytes at a time. */
#define OUTPUT_ENTRY_BYTES_MAX (UINT32_C(64) * 1024)
#define OUTPUT_ENTRY_USEC_MAX  (10 * USEC_PER_MSEC)

/* The numbers of hoist.v1.Stream. */
enum output_stream {
    OUTPUT_STREAM_NONE,
    OUTPUT_STREAM_STDOUT,
    OUTPUT_STREAM_STDERR,
    OUTPUT_STREAM_MERGED, /* both through one pipe; all entries of a merged job and of no other */
    _OUTPUT_STREAM_MAX,
};

enum output_header_flags {
    OUTPUT_HEADER_MERGED = 1 << 0,
    _OUTPUT_HEADER_FLAGS_ALL = (1 << 1) - 1,
};

/*
 * Data bytes [start, end) were dropped by the job's cap; start == end: none were. It only grows.
 * Index entries that lie wholly inside may be dropped too, and then read as zeros.
 */
struct output_gap {
    uint64_t start;
    uint64_t end;
    uint64_t stderr_bytes; /* of those dropped */
};

struct output_header {
    struct id job;
    uint16_t flags;        /* enum output_header_flags */
    usec_t created;        /* wall */
    struct output_gap gap; /* the one part that is ever rewritten */
};

enum output_entry_kind {
    OUTPUT_ENTRY_NONE, /* never written */
    OUTPUT_ENTRY_DATA, /* consecutive bytes of one stream */
    OUTPUT_ENTRY_END,  /* the last one: nothing will ever follow */
    _OUTPUT_ENTRY_KIND_MAX,
};

enum output_entry_flags {
    /* DATA: found in the data file without an entry after a crash: the bytes are the job's, stream
     * and time are a guess. */
    OUTPUT_ENTRY_RECOVERED = 1 << 0,
    /* END: written by the agent for a job whose hoist-init is gone; the job may have written more
     * than reached the file. */
    OUTPUT_ENTRY_LOST = 1 << 1,
    _OUTPUT_ENTRY_FLAGS_ALL = (1 << 2) - 1,
};

struct output_entry {
    enum output_entry_kind kind;
    enum output_stream stream; /* DATA; NONE in END */
    uint8_t flags;             /* enum output_entry_flags */
    uint64_t end;              /* DATA: offset behind its last byte. END: of all data */
    usec_t time;           /* wall. DATA: when its first byte was read. END: when it was written */
    uint32_t size;         /* DATA: bytes covered, 1 … OUTPUT_ENTRY_BYTES_MAX */
    uint32_t crc;          /* DATA: CRC-32C of them */
    uint64_t stderr_bytes; /* END: of all data, dropped ones included */
};

static inline uint64_t output_entry_start(const struct output_entry *entry)
{
    return entry->end - entry->size;
}

void output_header_encode(const struct output_header *header,
                          uint8_t out[static OUTPUT_HEADER_SIZE]);

/*
 * -EBADMSG: the checksum is wrong (torn, damaged or no index at all). -EPROTO: it checks, and is of
 * another version or holds what this version doesn't allow.
 */
int output_header_decode(const uint8_t in[static OUTPUT_HEADER_SIZE], struct output_header *ret);

void output_entry_encode(const struct output_entry *entry, uint8_t out[static OUTPUT_ENTRY_SIZE]);

/* Errors as above; -ENODATA: 32 zeros, which is what a dropped entry reads as. */
int output_entry_decode(const uint8_t in[static OUTPUT_ENTRY_SIZE], struct output_entry *ret);

/* Where entry number `position` stands in the index. */
static inline uint64_t output_entry_offset(uint64_t position)
{
    return OUTPUT_HEADER_SIZE + position * OUTPUT_ENTRY_SIZE;
}
