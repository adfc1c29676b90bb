/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "output/files.h"
#include "output/format.h"

struct error;

/*
 * Where the last n lines or bytes of a job's output begin, of some of its streams or of all.
 *
 * Found by going backwards over the index, and for lines over the data, in steps that each read
 * half a MiB or so at most: whoever has other things to do does them between two steps. What the
 * job writes meanwhile doesn't count: the end is where it was in the first step.
 */

enum output_tail_unit {
    OUTPUT_TAIL_BYTES,
    OUTPUT_TAIL_LINES, /* what stands behind the last newline is a line too */
};

/* Plain data; nothing to free. */
struct output_tail {
    struct output_files files; /* borrowed */
    unsigned streams;          /* OUTPUT_STREAM_BIT()s as output_reader_open() takes them */
    enum output_tail_unit unit;
    uint64_t left;       /* lines or bytes still to find */
    uint64_t position;   /* entries before it were not looked at yet */
    bool end_found;      /* the first step was made */
    uint64_t end;        /* of the output, then */
    bool last_byte_seen; /* OUTPUT_TAIL_LINES: whether it ends the last line is known */
    struct output_gap gap;
};

/* Nothing is looked at yet. */
void output_tail_begin(struct output_tail *tail, const struct output_files *files, unsigned streams,
                       enum output_tail_unit unit, uint64_t count);

/*
 * One step. Returns 1 and the offset to read from; 0: call it again; or a negative errno with a
 * sentence (output/index.h), -EBADMSG for damage, and then it has not moved: after -EAGAIN
 * (`nowait` only) the same step may be made again. Less than was asked for is there: the offset is
 * 0, or that of the dropped bytes (struct output_gap) behind which the rest lies.
 */
int output_tail_step(struct output_tail *tail, bool nowait, uint64_t *ret_offset,
                     struct error *err);
