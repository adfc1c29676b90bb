/* SPDX-License-Identifier: Apache-2.0 */
#include "output/tail.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "output/index.h"
#include "output/read-at.h"
#include "output/reader.h"

/* What one step looks at. */
#define TAIL_STEP_ENTRIES 64U
#define TAIL_STEP_BYTES   (UINT64_C(512) * 1024)

/* One read: little of the stack, as most entries of those whose last lines people want are small.
 */
#define TAIL_READ_SIZE 8192U

void output_tail_begin(struct output_tail *tail, const struct output_files *files, unsigned streams,
                       enum output_tail_unit unit, uint64_t count)
{
    if (streams & OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT))
        streams |= OUTPUT_STREAM_BIT(OUTPUT_STREAM_MERGED);
    *tail = (struct output_tail){.files = *files, .unit = unit, .left = count, .streams = streams};
}

/* Looks where the output ends now. */
static int tail_find_end(struct output_tail *tail, bool nowait, struct error *err)
{
    struct output_header header;
    struct output_entry last;
    unsigned there;
    bool open;
    int r = output_index_header(tail->files.index, nowait, &header, err);

    if (r == 0)
        r = output_index_count(tail->files.index, &tail->position, err);
    if (r < 0)
        return r;
    tail->gap = header.gap;
    /* One that is just being written is not there yet; the one before it is whole. */
    for (unsigned tries = 0; tail->position > 0 && tries < 2; tries++) {
        r = output_index_read(tail->files.index, nowait, tail->position - 1, &last, 1, &there,
                              &open, err);
        if (r < 0)
            return r;
        if (there > 0) {
            tail->end = last.end;
            break;
        }
        tail->position--;
    }
    tail->end_found = true;
    return 0;
}

/*
 * The entries before `position` in the order of the index, up to TAIL_STEP_ENTRIES of them, without
 * those that were dropped. Returns 0 (none: the last one is just being written, try again), 1 when
 * only dropped ones are left, or a negative errno.
 */
static int tail_load(struct output_tail *tail, bool nowait, struct output_entry *entries,
                     unsigned *ret_count, struct error *err)
{
    uint64_t first = tail->position > TAIL_STEP_ENTRIES ? tail->position - TAIL_STEP_ENTRIES : 0;
    unsigned count;
    bool open;

    while (first < tail->position) {
        int r = output_index_read(tail->files.index, nowait, first, entries,
                                  (unsigned)(tail->position - first), &count, &open, err);

        if (r == -ENODATA) {
            first++;
            continue;
        }
        if (r < 0)
            return r;
        if (count == 0 || first + count == tail->position) {
            *ret_count = count;
            return 0;
        }
        first += count; /* the entry there is not good: the next read says why */
    }
    return 1;
}

/* Counts the lines that begin in bytes [start, start + size), backwards. 1: the last was found. */
static int tail_count_lines(struct output_tail *tail, uint64_t start, const uint8_t *bytes,
                            size_t size, uint64_t *ret_offset)
{
    if (!tail->last_byte_seen && size > 0 && bytes[size - 1] == '\n')
        tail->left++; /* it ends a line and begins none */
    tail->last_byte_seen = true;
    while (size > 0) {
        const uint8_t *newline = memrchr(bytes, '\n', size);

        if (!newline)
            return 0;
        size = (size_t)(newline - bytes);
        if (--tail->left == 0) {
            *ret_offset = start + size + 1;
            return 1;
        }
    }
    return 0;
}

static int tail_search_lines(struct output_tail *tail, bool nowait,
                             const struct output_entry *entry, uint64_t *ret_offset,
                             struct error *err)
{
    uint64_t start = output_entry_start(entry), end = entry->end;
    uint8_t bytes[TAIL_READ_SIZE];
    int r = 0;

    while (r == 0 && end > start) {
        uint64_t from = end - start > sizeof(bytes) ? end - sizeof(bytes) : start;
        ssize_t n = output_read_at(tail->files.data, nowait, bytes, (size_t)(end - from), from);

        if (n < 0)
            return error_set(err, (int)n, "can't read the output: %s", strerror((int)-n));
        if ((uint64_t)n != end - from) /* without waiting a read may be short for want of pages */
            return error_set(err, nowait ? -EAGAIN : -EBADMSG,
                             "the output ends before byte %llu, its index later",
                             (unsigned long long)end);
        r = tail_count_lines(tail, from, bytes, (size_t)n, ret_offset);
        end = from;
    }
    return r;
}

static int tail_search(struct output_tail *tail, bool nowait, const struct output_entry *entry,
                       uint64_t *ret_offset, struct error *err)
{
    if (!(tail->streams & OUTPUT_STREAM_BIT(entry->stream)))
        return 0;
    if (tail->unit == OUTPUT_TAIL_LINES)
        return tail_search_lines(tail, nowait, entry, ret_offset, err);
    if (entry->size >= tail->left) {
        *ret_offset = entry->end - tail->left;
        return 1;
    }
    tail->left -= entry->size;
    return 0;
}

/* The last entry may have grown since the beginning. */
static void tail_cut(const struct output_tail *tail, struct output_entry *entry)
{
    if (entry->kind == OUTPUT_ENTRY_DATA && entry->end > tail->end) {
        entry->size -= (uint32_t)(entry->end - tail->end);
        entry->end = tail->end;
    }
}

static bool tail_is_at_gap(const struct output_tail *tail, const struct output_entry *entry)
{
    return tail->gap.start != tail->gap.end && output_entry_start(entry) >= tail->gap.start &&
           output_entry_start(entry) < tail->gap.end;
}

/* Moves `tail` also where it fails. */
static int tail_step(struct output_tail *tail, bool nowait, uint64_t *ret_offset, struct error *err)
{
    struct output_entry entries[TAIL_STEP_ENTRIES];
    uint64_t looked_at = 0;
    unsigned count = 0;
    int r = tail->end_found ? 0 : tail_find_end(tail, nowait, err);

    if (r < 0)
        return r;
    if (tail->left == 0 || tail->position == 0) {
        *ret_offset = tail->left == 0 ? tail->end : 0;
        return 1;
    }
    r = tail_load(tail, nowait, entries, &count, err);
    if (r < 0)
        return r;
    if (r > 0) {
        *ret_offset = tail->gap.start;
        return 1;
    }
    for (; count > 0 && looked_at < TAIL_STEP_BYTES; count--) {
        struct output_entry *entry = &entries[count - 1];

        tail->position--;
        tail_cut(tail, entry);
        if (entry->kind == OUTPUT_ENTRY_END)
            continue;
        if (tail_is_at_gap(tail, entry)) {
            *ret_offset = tail->gap.start;
            return 1;
        }
        r = tail_search(tail, nowait, entry, ret_offset, err);
        if (r != 0)
            return r;
        looked_at += entry->size;
    }
    return 0;
}

int output_tail_step(struct output_tail *tail, bool nowait, uint64_t *ret_offset, struct error *err)
{
    struct output_tail next = *tail;
    int r = tail_step(&next, nowait, ret_offset, err);

    if (r >= 0)
        *tail = next;
    return r;
}
