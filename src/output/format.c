/* SPDX-License-Identifier: Apache-2.0 */
#include "output/format.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"

/*
 * Fields stand at fixed places and are read one by one: structs of C promise neither order of bytes
 * nor padding to a second compiler. Unknown values are refused, not passed on: a later version has
 * another number in the header, and within one version whatever isn't known is damage.
 */

/* The largest offset that a file can have (off_t): sums of a few of them can't overflow. */
#define OFFSET_MAX ((uint64_t)INT64_MAX)

static const uint8_t output_magic[8] = {'h', 'o', 'i', 's', 't', 'I', 'X', '\n'};

enum header_place {
    HEADER_MAGIC = 0,
    HEADER_CREATED = 8,
    HEADER_JOB = 16,
    HEADER_GAP_START = 32,
    HEADER_GAP_END = 40,
    HEADER_GAP_STDERR = 48,
    HEADER_VERSION = 56,
    HEADER_FLAGS = 58,
    HEADER_CRC = 60, /* of all before it */
};

enum entry_place {
    ENTRY_END = 0,
    ENTRY_TIME = 8,
    ENTRY_SIZE = 16,     /* data entries */
    ENTRY_DATA_CRC = 20, /* data entries */
    ENTRY_STDERR = 16,   /* end entries */
    ENTRY_KIND = 24,
    ENTRY_STREAM = 25,
    ENTRY_FLAGS = 26,
    ENTRY_ZERO = 27,
    ENTRY_CRC = 28, /* of all before it */
};

_Static_assert(HEADER_CRC + sizeof(uint32_t) == OUTPUT_HEADER_SIZE, "the header is full");
_Static_assert(ENTRY_CRC + sizeof(uint32_t) == OUTPUT_ENTRY_SIZE, "an entry is full");
_Static_assert(OUTPUT_HEADER_SIZE % OUTPUT_ENTRY_SIZE == 0, "no entry crosses a page");

static void put64(uint8_t *out, uint64_t value)
{
    value = htole64(value);
    memcpy(out, &value, sizeof(value));
}

static void put32(uint8_t *out, uint32_t value)
{
    value = htole32(value);
    memcpy(out, &value, sizeof(value));
}

static void put16(uint8_t *out, uint16_t value)
{
    value = htole16(value);
    memcpy(out, &value, sizeof(value));
}

static uint64_t get64(const uint8_t *in)
{
    uint64_t value;

    memcpy(&value, in, sizeof(value));
    return le64toh(value);
}

static uint32_t get32(const uint8_t *in)
{
    uint32_t value;

    memcpy(&value, in, sizeof(value));
    return le32toh(value);
}

static uint16_t get16(const uint8_t *in)
{
    uint16_t value;

    memcpy(&value, in, sizeof(value));
    return le16toh(value);
}

void output_header_encode(const struct output_header *header,
                          uint8_t out[static OUTPUT_HEADER_SIZE])
{
    memcpy(out + HEADER_MAGIC, output_magic, sizeof(output_magic));
    put64(out + HEADER_CREATED, header->created);
    memcpy(out + HEADER_JOB, header->job.bytes, ID_SIZE);
    put64(out + HEADER_GAP_START, header->gap.start);
    put64(out + HEADER_GAP_END, header->gap.end);
    put64(out + HEADER_GAP_STDERR, header->gap.stderr_bytes);
    put16(out + HEADER_VERSION, OUTPUT_VERSION);
    put16(out + HEADER_FLAGS, header->flags);
    put32(out + HEADER_CRC, crc32c(0, out, HEADER_CRC));
}

int output_header_decode(const uint8_t in[static OUTPUT_HEADER_SIZE], struct output_header *ret)
{
    struct output_header header = {
        .created = get64(in + HEADER_CREATED),
        .gap.start = get64(in + HEADER_GAP_START),
        .gap.end = get64(in + HEADER_GAP_END),
        .gap.stderr_bytes = get64(in + HEADER_GAP_STDERR),
        .flags = get16(in + HEADER_FLAGS),
    };

    if (get32(in + HEADER_CRC) != crc32c(0, in, HEADER_CRC) ||
        memcmp(in + HEADER_MAGIC, output_magic, sizeof(output_magic)) != 0)
        return -EBADMSG;
    if (!format_is_readable(get16(in + HEADER_VERSION), OUTPUT_OLDEST, OUTPUT_VERSION) ||
        header.flags & ~_OUTPUT_HEADER_FLAGS_ALL)
        return -EPROTO;
    if (header.gap.start > header.gap.end || header.gap.end > OFFSET_MAX ||
        header.gap.stderr_bytes > header.gap.end - header.gap.start)
        return -EPROTO;

    memcpy(header.job.bytes, in + HEADER_JOB, ID_SIZE);
    *ret = header;
    return 0;
}

void output_entry_encode(const struct output_entry *entry, uint8_t out[static OUTPUT_ENTRY_SIZE])
{
    put64(out + ENTRY_END, entry->end);
    put64(out + ENTRY_TIME, entry->time);
    if (entry->kind == OUTPUT_ENTRY_DATA) {
        put32(out + ENTRY_SIZE, entry->size);
        put32(out + ENTRY_DATA_CRC, entry->crc);
    } else {
        put64(out + ENTRY_STDERR, entry->stderr_bytes);
    }
    out[ENTRY_KIND] = (uint8_t)entry->kind;
    out[ENTRY_STREAM] = (uint8_t)entry->stream;
    out[ENTRY_FLAGS] = entry->flags;
    out[ENTRY_ZERO] = 0;
    put32(out + ENTRY_CRC, crc32c(0, out, ENTRY_CRC));
}

static bool entry_is_sane(const struct output_entry *entry)
{
    if (entry->end > OFFSET_MAX)
        return false;
    switch (entry->kind) {
    case OUTPUT_ENTRY_DATA:
        return entry->stream > OUTPUT_STREAM_NONE && entry->stream < _OUTPUT_STREAM_MAX &&
               (entry->flags & ~OUTPUT_ENTRY_RECOVERED) == 0 && entry->size > 0 &&
               entry->size <= OUTPUT_ENTRY_BYTES_MAX && entry->size <= entry->end;
    case OUTPUT_ENTRY_END:
        return entry->stream == OUTPUT_STREAM_NONE && (entry->flags & ~OUTPUT_ENTRY_LOST) == 0 &&
               entry->stderr_bytes <= entry->end;
    case OUTPUT_ENTRY_NONE:
    case _OUTPUT_ENTRY_KIND_MAX:
        break;
    }
    return false;
}

static bool bytes_are_zero(const uint8_t *in, size_t size)
{
    return in[0] == 0 && memcmp(in, in + 1, size - 1) == 0;
}

int output_entry_decode(const uint8_t in[static OUTPUT_ENTRY_SIZE], struct output_entry *ret)
{
    struct output_entry entry = {
        .end = get64(in + ENTRY_END),
        .time = get64(in + ENTRY_TIME),
        .flags = in[ENTRY_FLAGS],
    };

    if (bytes_are_zero(in, OUTPUT_ENTRY_SIZE))
        return -ENODATA;
    if (get32(in + ENTRY_CRC) != crc32c(0, in, ENTRY_CRC))
        return -EBADMSG;
    if (in[ENTRY_KIND] >= _OUTPUT_ENTRY_KIND_MAX || in[ENTRY_STREAM] >= _OUTPUT_STREAM_MAX ||
        in[ENTRY_ZERO] != 0)
        return -EPROTO;

    entry.kind = in[ENTRY_KIND];
    entry.stream = in[ENTRY_STREAM];
    if (entry.kind == OUTPUT_ENTRY_DATA) {
        entry.size = get32(in + ENTRY_SIZE);
        entry.crc = get32(in + ENTRY_DATA_CRC);
    } else {
        entry.stderr_bytes = get64(in + ENTRY_STDERR);
    }
    if (!entry_is_sane(&entry))
        return -EPROTO;
    *ret = entry;
    return 0;
}
