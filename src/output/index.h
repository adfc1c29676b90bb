/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "output/format.h"

struct error;

/*
 * Looking things up in an index while somebody may be writing it.
 *
 * Every function reads the file afresh: there is no state, no lock and no memory. What a writer is
 * just writing reads as "not there yet"; it will cause another event when it is whole.
 *
 * Everywhere `nowait` asks for preadv2(2) with RWF_NOWAIT: -EAGAIN instead of waiting for the disk
 * when the page cache doesn't hold what is needed (file systems that can't tell are read plainly).
 */

/* Reads and checks the header. -EBADMSG, -EPROTO with a sentence as output_header_decode(). */
int output_index_header(int index_fd, bool nowait, struct output_header *ret, struct error *err);

/* How many whole entries the file has room for now; the last one may be in the making. */
int output_index_count(int index_fd, uint64_t *ret, struct error *err);

/*
 * Reads up to `count` entries from number `position` on. *ret_count are good; the first one that is
 * not good, if any, is told by the answer: 0: as many as the file holds, or as were asked for.
 * -ENODATA: the next was dropped (zeros). -EBADMSG, -EPROTO: the next is torn or damaged, also
 * after some more tries. Other errors are of reading; then nothing was read.
 */
int output_index_read(int index_fd, bool nowait, uint64_t position, struct output_entry *entries,
                      unsigned count, unsigned *ret_count, struct error *err);

/*
 * The number of the first entry whose end is greater than `offset` or that is END; the count if
 * there is none yet. `gap` says on which side dropped entries lie. A binary search.
 */
int output_index_find_offset(int index_fd, bool nowait, uint64_t offset,
                             const struct output_gap *gap, uint64_t *ret_position,
                             struct error *err);

/*
 * The start offset of the first kept entry with a time of `time` or later, or the end of the data
 * when there is none. A binary search: where the host's clock was set back while the job ran, one
 * of the places where the times cross `time`.
 */
int output_index_find_time(int index_fd, bool nowait, usec_t time, uint64_t *ret_offset,
                           struct error *err);

struct output_totals {
    uint64_t end;          /* offset behind the last byte */
    uint64_t stdout_bytes; /* all bytes of a merged job */
    uint64_t stderr_bytes;
    bool complete;   /* END was seen: nothing will follow */
    bool lost;       /* and it was the agent that wrote it (OUTPUT_ENTRY_LOST) */
    usec_t end_time; /* wall, of END */
    /* Where to go on; start with zeros. */
    uint64_t next_position;
    uint64_t next_stdout;
    uint64_t next_stderr;
};

/*
 * Brings `totals` (zeros the first time) up to date: reads only what was added since, or END alone
 * when it is there.
 */
int output_index_totals(int index_fd, struct output_totals *totals, struct error *err);
