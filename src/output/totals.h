/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct error;

/*
 * How much output there is, by stream, told by the index alone.
 */

struct output_totals {
    uint64_t end;          /* offset behind the last byte */
    uint64_t stdout_bytes; /* all bytes of a merged job */
    uint64_t stderr_bytes;
    bool complete;   /* END was seen: nothing will follow */
    bool lost;       /* and it was the agent that wrote it (OUTPUT_ENTRY_LOST) */
    usec_t end_time; /* wall, of END */
    /* Where to go on. */
    uint64_t next_position;
    uint64_t next_stdout;
    uint64_t next_stderr;
};

/*
 * Brings `totals` (zeros the first time) up to date: reads what was added since, or END alone when
 * it is there. Dropped bytes count. Returns 0 or a negative errno with a sentence (output/index.h),
 * and then what was summed so far stands in next_stdout and next_stderr.
 */
int output_totals_update(int index_fd, struct output_totals *totals, struct error *err);

/*
 * The same for who must not wait, in steps of some thousand entries at most. Returns 0 when they
 * are up to date, 1: call it again, or a negative errno: -EAGAIN (`nowait` only): the page cache
 * doesn't hold what comes next; -ENODATA: what was not summed yet has been dropped meanwhile, begin
 * again with zeros.
 */
int output_totals_step(int index_fd, bool nowait, struct output_totals *totals, struct error *err);
