/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "output/files.h"
#include "output/format.h"

struct error;

/*
 * Reads a job's output from an offset, while it is written or later: a pure function of (job,
 * offset, streams). A reader is a few KiB and two descriptors whatever its lag, touches nothing but
 * its two files, and may be used by one thread at a time.
 */

struct output_reader;

#define OUTPUT_STREAM_BIT(stream) (1U << (stream))
#define OUTPUT_STREAMS_ALL                                                                         \
    (OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT) | OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDERR) |           \
     OUTPUT_STREAM_BIT(OUTPUT_STREAM_MERGED))

enum output_reader_flags {
    /* A chunk never crosses an index entry, so that its time is that of all its bytes to 10 ms. */
    OUTPUT_READER_EACH_ENTRY = 1 << 0,
    /* A chunk may hold bytes of several selected streams (its stream is NONE): the plain file. */
    OUTPUT_READER_UNTOLD_STREAMS = 1 << 1,
};

/*
 * Starts at `offset` (of all streams' bytes together). `streams` are OUTPUT_STREAM_BIT()s; a merged
 * job's bytes are chosen by MERGED or STDOUT. An offset beyond the end is waited for while the job
 * writes. Nothing is looked at yet. The descriptors are taken on success. Returns 0, or -ENOMEM
 * with a sentence.
 */
int output_reader_open(struct output_files *files, uint64_t offset, unsigned streams,
                       unsigned flags, struct output_reader **ret, struct error *err);

/*
 * Before the first output_reader_next() only. Begins at `offset` instead (output/tail.h and
 * output/index.h find one); with `since` > 0 with the first entry from there on that has this time
 * or a later one: it may have to be written yet.
 */
void output_reader_start(struct output_reader *reader, uint64_t offset, usec_t since);

/* Ends before the first entry, of whatever stream, that is later than `until` (wall). */
void output_reader_end(struct output_reader *reader, usec_t until);

/*
 * From now on somebody calls output_reader_changed() whenever the index may have changed
 * (output_watch_follow()): what isn't told isn't looked for. Call it when the watch is set, before
 * the first output_reader_next().
 */
void output_reader_follow(struct output_reader *reader);

/* The index may have changed since the last output_reader_next(). */
void output_reader_changed(struct output_reader *reader);

/* Closes the descriptors; accepts NULL; returns NULL. */
struct output_reader *output_reader_close(struct output_reader *reader);
static inline void output_reader_closep(struct output_reader **reader)
{
    output_reader_close(*reader);
}
#define _cleanup_output_reader_ _cleanup_(output_reader_closep)

enum output_result {
    OUTPUT_CHUNK,    /* chunk->size > 0 bytes were read */
    OUTPUT_GAP,      /* [chunk->offset, chunk->gap_end) was dropped; reading goes on behind it */
    OUTPUT_AT_END,   /* all there is now; more may follow: wait for the index to change (watch.h) */
    OUTPUT_COMPLETE, /* all there will ever be */
    OUTPUT_ENDED,    /* what follows is later than output_reader_end() said */
    OUTPUT_SKIPPED,  /* many entries of other streams were passed and nothing was found yet: call
                        again, after others had their turn */
};

struct output_chunk {
    uint64_t offset; /* of the first byte */
    size_t size;
    uint64_t gap_end;
    enum output_stream stream; /* NONE: several */
    usec_t time;               /* wall; when the first byte of its entry was read from the job */
};

/*
 * Reads the next bytes into `buffer` (size > 0; at least 64 KiB reads fastest) and moves on.
 *
 * Returns an enum output_result, or: -EAGAIN (`nowait` only): the page cache doesn't hold it; call
 * again without `nowait` where waiting for the disk harms nobody. -EBADMSG: index or data are
 * damaged; the sentence says where. -EPROTO: the index is of another version. -ERANGE: the job is
 * complete and ends before the offset that was asked for. Other errors are of reading. After an
 * error but -EAGAIN the reader is only good for closing. Every entry that is read from its first
 * byte on is checked against its CRC.
 */
int output_reader_next(struct output_reader *reader, bool nowait, void *buffer, size_t size,
                       struct output_chunk *ret_chunk, struct error *err);

/* What it reads; stays the reader's. */
const struct output_files *output_reader_files(const struct output_reader *reader);

/* The descriptor to watch (output_watch_follow()); stays the reader's. */
int output_reader_index_fd(const struct output_reader *reader);

/* Where the next chunk starts at the earliest: resume here. */
uint64_t output_reader_offset(const struct output_reader *reader);

/* Number and CRC-32C of all bytes given out so far, in order. */
uint64_t output_reader_bytes(const struct output_reader *reader);
uint32_t output_reader_crc(const struct output_reader *reader);
