/* SPDX-License-Identifier: Apache-2.0 */
#include "output/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "output/index.h"
#include "output/read-at.h"

/*
 * A reader walks the index beside the data. `position` is the entry in which `offset` lies, or the
 * last one there is when all of it was read: that one may still be extended in place.
 *
 * The cap may drop bytes at any moment. It says so in the index's header before it punches, and
 * bytes that agree with the checksums of whole entries were not punched before they were read.
 * About all others a reader looks at the header *after* it has read and before it gives anything
 * out, so that whatever was punched under its hands is seen as a gap and never as zeros.
 */

#define READER_CACHE 64 /* entries: 4 MiB of a fast writer's data for one more pread(2) */

/* Entries of unwanted streams that one call passes at most: some 100 µs. */
#define READER_SKIP_MAX 4096

/* How far reading has come. */
struct progress {
    uint64_t offset;
    uint64_t position; /* in the index */

    /* CRC of the entry at `position` from its first byte to `offset`, if all of that was read. */
    uint32_t entry_crc;
    bool entry_crc_known;

    uint32_t crc; /* of all bytes given out */
};

struct output_reader {
    struct output_files files;
    struct output_header header;
    unsigned streams;
    unsigned flags;
    struct progress at;
    usec_t since; /* entries before it are passed until one is not; 0: give out everything */
    usec_t until;

    bool begun;  /* `header` was read */
    bool placed; /* `at.position` is right for `at.offset` */
    struct output_entry cache[READER_CACHE];
    uint64_t cache_first; /* number of cache[0] */
    unsigned cache_count;
    bool cache_open; /* the last one may have grown since it was read */
    bool is_told;    /* of changes to the index; */
    bool has_news;   /* there may have been one since it was looked at */

    uint64_t bytes; /* given out */
};

/* What the next read covers: entries [position, position + count) from `offset` to `end`. */
struct reader_run {
    const struct output_entry *entries;
    unsigned count;
    uint64_t end;
};

int output_reader_open(struct output_files *files, uint64_t offset, unsigned streams,
                       unsigned flags, struct output_reader **ret, struct error *err)
{
    struct output_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return error_set(err, -ENOMEM, "no memory");
    if (streams & OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT))
        streams |= OUTPUT_STREAM_BIT(OUTPUT_STREAM_MERGED);
    reader->streams = streams;
    reader->flags = flags;
    reader->at.offset = offset;
    reader->until = USEC_INFINITY;
    reader->files = output_files_take(files);
    *ret = reader;
    return 0;
}

void output_reader_start(struct output_reader *reader, uint64_t offset, usec_t since)
{
    assert(!reader->placed);
    reader->at.offset = offset;
    reader->since = since;
}

void output_reader_end(struct output_reader *reader, usec_t until)
{
    reader->until = until;
}

void output_reader_follow(struct output_reader *reader)
{
    assert(!reader->placed);
    reader->is_told = true;
}

void output_reader_changed(struct output_reader *reader)
{
    reader->has_news = true;
}

struct output_reader *output_reader_close(struct output_reader *reader)
{
    if (reader) {
        output_files_close(&reader->files);
        free(reader);
    }
    return NULL;
}

static void reader_forget_cache(struct output_reader *reader)
{
    reader->cache_count = 0;
    reader->cache_open = false;
}

static void reader_move(struct output_reader *reader, uint64_t offset)
{
    reader->at.offset = offset;
    reader->at.entry_crc_known = false;
}

/* Before anything else of the files is looked at. */
static int reader_begin(struct output_reader *reader, bool nowait, struct error *err)
{
    int r = 0;

    if (!reader->begun)
        r = output_index_header(reader->files.index, nowait, &reader->header, err);
    reader->begun = r == 0;
    return r;
}

static bool reader_in_gap(const struct output_reader *reader)
{
    const struct output_gap *gap = &reader->header.gap;

    return reader->at.offset >= gap->start && reader->at.offset < gap->end;
}

static int reader_pass_gap(struct output_reader *reader, struct output_chunk *chunk)
{
    *chunk = (struct output_chunk){
        .offset = reader->at.offset,
        .gap_end = reader->header.gap.end,
    };
    reader_move(reader, reader->header.gap.end);
    reader->placed = false;
    return OUTPUT_GAP;
}

/* Finds the entry of `offset`, or the last one when there is none yet, since that one may grow. */
static int reader_place(struct output_reader *reader, bool nowait, struct error *err)
{
    uint64_t position, count;
    int r;

    if (reader->placed)
        return 0;
    r = output_index_count(reader->files.index, &count, err);
    if (r < 0)
        return r;
    r = output_index_find_offset(reader->files.index, nowait, reader->at.offset,
                                 &reader->header.gap, &position, err);
    if (r < 0)
        return r;
    reader->at.position = position > 0 && position >= count ? position - 1 : position;
    reader->placed = true;
    reader_forget_cache(reader);
    return 0;
}

static const struct output_entry *reader_cached(const struct output_reader *reader)
{
    uint64_t place = reader->at.position - reader->cache_first;

    return place < reader->cache_count ? &reader->cache[place] : NULL;
}

/* `entry` may be an old copy of one that has grown since. */
static bool reader_entry_is_open(const struct output_reader *reader,
                                 const struct output_entry *entry)
{
    return reader->cache_open && entry == &reader->cache[reader->cache_count - 1];
}

/* All that is known of the index was given out. */
static bool reader_is_used_up(const struct output_reader *reader, const struct output_entry *entry)
{
    return !entry || (reader_entry_is_open(reader, entry) && entry->end <= reader->at.offset);
}

/*
 * Whoever is told of changes needn't look again behind what was the last entry when he looked: a
 * second look at each line of a live job would double the time until it is sent. No change is
 * missed, for the news is forgotten before the look begins: what is written before the look is
 * seen by it; what is written later is told later, since the kernel queues the event after the
 * write and the watch, which was set before the first look, hands it on after this look.
 */
static bool reader_knows_the_end(const struct output_reader *reader,
                                 const struct output_entry *entry)
{
    return entry && reader->is_told && !reader->has_news;
}

/*
 * The entry at `position`, read afresh if what is known of it was used up. NULL: there is none yet,
 * or nothing new in it.
 */
static int reader_entry(struct output_reader *reader, bool nowait, const struct output_entry **ret,
                        struct error *err)
{
    const struct output_entry *entry = reader_cached(reader);
    int r;

    if (reader_is_used_up(reader, entry) && reader_knows_the_end(reader, entry)) {
        entry = NULL;
    } else if (reader_is_used_up(reader, entry)) {
        reader->has_news = false;
        r = output_index_read(reader->files.index, nowait, reader->at.position, reader->cache,
                              READER_CACHE, &reader->cache_count, &reader->cache_open, err);
        if (r < 0) {
            reader_forget_cache(reader);
            return r;
        }
        reader->cache_first = reader->at.position;
        entry = reader_cached(reader);
        if (reader_is_used_up(reader, entry))
            entry = NULL;
    }
    *ret = entry;
    return 0;
}

static bool reader_wants(const struct output_reader *reader, const struct output_entry *entry)
{
    return entry->time >= reader->since && reader->streams & OUTPUT_STREAM_BIT(entry->stream);
}

/* As many entries as one read may give: in a row, wanted, alike, and in `size` bytes. */
static struct reader_run reader_plan(const struct output_reader *reader,
                                     const struct output_entry *first, size_t size)
{
    const struct output_entry *behind = reader->cache + reader->cache_count;
    const struct output_gap *gap = &reader->header.gap;
    struct reader_run run = {.entries = first, .count = 1, .end = first->end};

    for (const struct output_entry *next = first + 1; next < behind; next++) {
        if (run.end - reader->at.offset >= size || reader->flags & OUTPUT_READER_EACH_ENTRY)
            break;
        if (next->kind != OUTPUT_ENTRY_DATA || output_entry_start(next) != run.end ||
            !reader_wants(reader, next) || next->time > reader->until)
            break;
        if (next->stream != first->stream && !(reader->flags & OUTPUT_READER_UNTOLD_STREAMS))
            break;
        run.end = next->end;
        run.count++;
    }
    run.end = MIN(run.end, reader->at.offset + size);
    if (gap->start != gap->end && gap->start > reader->at.offset)
        run.end = MIN(run.end, gap->start);
    return run;
}

/* What is known of bytes that were read. */
enum proof {
    PROVEN,   /* they end an entry, or several, and all of each agree with its checksum */
    UNPROVEN, /* of some entry not all bytes were read */
    REFUTED,  /* they don't agree */
};

/*
 * Takes `size` bytes into the checksums, entry by entry, and `at` behind them, or behind the entry
 * that refutes them. Each byte is looked at once: the checksum of a part goes into that of its
 * entry and into that of all by arithmetic.
 */
static enum proof progress_take(struct progress *at, const struct reader_run *run,
                                const uint8_t *bytes, size_t size)
{
    uint64_t end = at->offset + size;
    enum proof proof = PROVEN;

    for (unsigned i = 0; i < run->count && at->offset < end; i++) {
        const struct output_entry *entry = &run->entries[i];
        size_t part = (size_t)(MIN(entry->end, end) - at->offset);
        uint32_t crc = crc32c(0, bytes, part);

        if (at->offset == output_entry_start(entry)) {
            at->entry_crc = crc;
            at->entry_crc_known = true;
        } else {
            at->entry_crc = crc32c_combine(at->entry_crc, crc, part);
        }
        at->crc = crc32c_combine(at->crc, crc, part);
        at->offset += part;
        bytes += part;
        if (at->offset < entry->end || !at->entry_crc_known)
            proof = UNPROVEN;
        else if (at->entry_crc != entry->crc)
            return REFUTED;
        if (at->offset == entry->end && i + 1 < run->count)
            at->position++;
    }
    return proof;
}

/*
 * Looks whether the gap has reached the `*n` bytes that were read; fewer of them may be good, or
 * none: 0.
 */
static int reader_heed_gap(struct output_reader *reader, bool nowait, ssize_t *n, struct error *err)
{
    const struct output_gap *gap = &reader->header.gap;
    int r = output_index_header(reader->files.index, nowait, &reader->header, err);

    if (r < 0)
        return r;
    if (reader_in_gap(reader))
        *n = 0;
    else if (gap->start > reader->at.offset && gap->start != gap->end)
        *n = (ssize_t)MIN((uint64_t)*n, gap->start - reader->at.offset);
    return 0;
}

/* Reads the run. 0: the gap has swallowed its beginning meanwhile; look again. */
static int reader_read(struct output_reader *reader, bool nowait, const struct reader_run *run,
                       void *buffer, struct output_chunk *chunk, struct error *err)
{
    const struct output_entry *first = run->entries;
    struct progress behind = reader->at;
    enum proof proof;
    ssize_t n;
    int r;

    n = output_read_at(reader->files.data, nowait, buffer, (size_t)(run->end - behind.offset),
                       behind.offset);
    if (n < 0)
        return error_set(err, (int)n, "can't read the output: %s", strerror((int)-n));
    if (n == 0)
        return error_set(err, -EBADMSG, "the output ends at or before byte %llu, its index later",
                         (unsigned long long)behind.offset);

    proof = progress_take(&behind, run, buffer, (size_t)n);
    if (proof != PROVEN) {
        ssize_t kept = n;

        r = reader_heed_gap(reader, nowait, &kept, err);
        if (r < 0 || kept == 0)
            return r;
        if (kept < n) {
            n = kept;
            behind = reader->at;
            proof = progress_take(&behind, run, buffer, (size_t)n);
        }
    }
    if (proof == REFUTED) {
        const struct output_entry *entry = &first[behind.position - reader->at.position];

        return error_set(err, -EBADMSG, "the output's bytes %llu … %llu are damaged on disk",
                         (unsigned long long)output_entry_start(entry),
                         (unsigned long long)entry->end);
    }
    *chunk = (struct output_chunk){
        .offset = reader->at.offset,
        .size = (size_t)n,
        .stream = reader->flags & OUTPUT_READER_UNTOLD_STREAMS ? OUTPUT_STREAM_NONE : first->stream,
        .time = first->time,
    };
    reader->at = behind;
    reader->bytes += (size_t)n;
    return 1;
}

/* What an unusable entry means: dropped since the header was read, or damage. */
static int reader_explain(struct output_reader *reader, bool nowait, struct error *err)
{
    const struct error found = *err;
    int r = output_index_header(reader->files.index, nowait, &reader->header, err);

    if (r < 0)
        return r;
    if (reader_in_gap(reader))
        return 0;
    *err = found;
    err->code = -EBADMSG;
    return err->code;
}

static int reader_at_end_entry(const struct output_reader *reader, const struct output_entry *end,
                               struct error *err)
{
    if (reader->at.offset == end->end)
        return OUTPUT_COMPLETE;
    if (reader->at.offset > end->end)
        return error_set(err, -ERANGE, "the output ends at byte %llu, before byte %llu",
                         (unsigned long long)end->end, (unsigned long long)reader->at.offset);
    return error_set(err, -EBADMSG, "the output's index says nothing of bytes %llu … %llu",
                     (unsigned long long)reader->at.offset, (unsigned long long)end->end);
}

/* One step; OUTPUT_SKIPPED: nothing to give out yet, go on. */
static int reader_step(struct output_reader *reader, bool nowait, void *buffer, size_t size,
                       struct output_chunk *chunk, struct error *err)
{
    const struct output_entry *entry = NULL;
    struct reader_run run;
    int r = reader_begin(reader, nowait, err);

    if (r < 0)
        return r;
    if (reader_in_gap(reader))
        return reader_pass_gap(reader, chunk);
    r = reader_place(reader, nowait, err);
    if (r == 0)
        r = reader_entry(reader, nowait, &entry, err);
    if (r == -ENODATA || r == -EBADMSG) {
        r = reader_explain(reader, nowait, err);
        return r < 0 ? r : OUTPUT_SKIPPED;
    }
    if (r < 0)
        return r;

    if (!entry)
        return OUTPUT_AT_END;
    if (entry->kind == OUTPUT_ENTRY_END)
        return reader_at_end_entry(reader, entry, err);
    if (entry->end <= reader->at.offset) {
        reader->at.position++;
        return OUTPUT_SKIPPED;
    }
    if (output_entry_start(entry) > reader->at.offset)
        return error_set(err, -EBADMSG, "the output's index says nothing of bytes %llu … %llu",
                         (unsigned long long)reader->at.offset,
                         (unsigned long long)output_entry_start(entry));
    if (entry->time > reader->until)
        return OUTPUT_ENDED;
    if (entry->time >= reader->since)
        reader->since = 0;
    if (!reader_wants(reader, entry)) {
        reader_move(reader, entry->end);
        return OUTPUT_SKIPPED;
    }
    run = reader_plan(reader, entry, size);
    r = reader_read(reader, nowait, &run, buffer, chunk, err);
    return r < 0 ? r : r > 0 ? OUTPUT_CHUNK : OUTPUT_SKIPPED;
}

int output_reader_next(struct output_reader *reader, bool nowait, void *buffer, size_t size,
                       struct output_chunk *ret_chunk, struct error *err)
{
    struct output_chunk chunk = {.offset = reader->at.offset};
    struct error local = {};
    int r = OUTPUT_SKIPPED;

    assert(size > 0);
    for (unsigned i = 0; i < READER_SKIP_MAX && r == OUTPUT_SKIPPED; i++)
        r = reader_step(reader, nowait, buffer, size, &chunk, &local);
    if (r < 0) {
        if (err)
            *err = local;
        return r;
    }
    if (r != OUTPUT_CHUNK && r != OUTPUT_GAP)
        chunk.offset = reader->at.offset;
    *ret_chunk = chunk;
    return r;
}

const struct output_files *output_reader_files(const struct output_reader *reader)
{
    return &reader->files;
}

int output_reader_index_fd(const struct output_reader *reader)
{
    return reader->files.index;
}

uint64_t output_reader_offset(const struct output_reader *reader)
{
    return reader->at.offset;
}

uint64_t output_reader_bytes(const struct output_reader *reader)
{
    return reader->bytes;
}

uint32_t output_reader_crc(const struct output_reader *reader)
{
    return reader->at.crc;
}
