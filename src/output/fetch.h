/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "output/files.h"
#include "output/tail.h"
#include "output/totals.h"

/*
 * What somebody who must not wait for the disk will look at next, for a thread that may wait: it
 * takes the same step, and throws the result away. Afterwards the first one finds in the page cache
 * what it got -EAGAIN for. A fetch has descriptors of its own and may outlive the reader.
 */

struct output_reader;

enum output_fetch_kind {
    OUTPUT_FETCH_CHUNK,  /* output_reader_next() */
    OUTPUT_FETCH_TIME,   /* output_index_find_time() */
    OUTPUT_FETCH_TAIL,   /* output_tail_step() */
    OUTPUT_FETCH_TOTALS, /* output_totals_step() */
};

struct output_fetch {
    struct output_files files; /* duplicates; owned */
    enum output_fetch_kind kind;
    union {
        uint64_t offset; /* CHUNK */
        usec_t time;     /* TIME */
        struct output_tail tail;
        struct output_totals totals;
    };
};

/*
 * What `reader` gives next; who wants something else changes `kind` and what belongs to it. Returns
 * 0 or a negative errno of dup(2).
 */
int output_fetch_init(struct output_fetch *fetch, const struct output_reader *reader);
void output_fetch_done(struct output_fetch *fetch);

/* May block. Of data OUTPUT_FETCH_BYTES are read ahead. What can't be read is left to who asked,
 * who will find out and say so. */
#define OUTPUT_FETCH_BYTES (1024 * 1024)
void output_fetch_run(const struct output_fetch *fetch);
