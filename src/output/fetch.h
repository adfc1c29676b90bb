/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "output/files.h"

/*
 * What a reader will read next, for a thread that may wait for the disk: after it has been fetched,
 * output_reader_next() with `nowait` finds it in the page cache. The reader itself stays where it
 * is, with its owner.
 */

struct output_reader;

struct output_fetch {
    struct output_files files; /* duplicates; owned */
    uint64_t offset;
};

/* Returns 0 or a negative errno of dup(2). */
int output_fetch_init(struct output_fetch *fetch, const struct output_reader *reader);
void output_fetch_done(struct output_fetch *fetch);

/* Reads the part of the index and the next OUTPUT_FETCH_BYTES of data; may block. What can't be
 * read is left to the reader, which will find out and say so. */
#define OUTPUT_FETCH_BYTES (1024 * 1024)
void output_fetch_run(const struct output_fetch *fetch);
