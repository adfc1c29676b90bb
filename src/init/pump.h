/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init/rate.h"
#include "init/turns.h"
#include "output/cap.h"
#include "output/writer.h"

struct error;
struct output_rules;

/*
 * From the job's pipes into its output files.
 *
 * Nothing is ever dropped: bytes leave the pipe only into the pump's one buffer, and while
 * something of that couldn't be written (disk full) or the rate is used up, the pipes are not read,
 * so they fill and the job waits. Pipes are non-blocking; poll what pump_poll_fd() names.
 *
 * The one exception is what the rules ask for: beyond the cap either the middle of the output goes,
 * or, where the job is to be stopped, what comes then is read and thrown away, so that it can still
 * end in order.
 */

#define PUMP_PIPES_MAX 2

struct pump {
    struct output_writer writer;
    struct rate rate;
    struct turns turns;
    struct output_cap cap;
    uint8_t *buffer; /* anonymous memory */
    size_t buffer_size;
    size_t start, end;       /* buffer[start .. end) is not written yet */
    size_t dirty;            /* bytes of the buffer that may be resident */
    unsigned pending_of;     /* which pipe it is from */
    int fds[PUMP_PIPES_MAX]; /* owned; FD_NONE: closed or never there */
    enum output_stream streams[PUMP_PIPES_MAX];
    bool disk_full;
    bool throttled;
    bool beyond_cap;   /* something came that was thrown away: the job is to be stopped */
    bool ended;        /* pump_finish() has written the END entry */
    usec_t again;      /* when to try after a full disk or for the rate (CLOCK_BOOTTIME) */
    usec_t hold_until; /* the pipe that wasn't read last isn't read before; 0: it may be */
    usec_t slow_until; /* the rate has mattered within the last second; 0: it hasn't */
    usec_t idle;       /* when to give the buffer back; USEC_INFINITY: it is given back */
    int error;         /* negative errno after which output can't be read or written at all */
};

/*
 * The files are borrowed and fresh (output_writer_init()). -EOPNOTSUPP: their file system can't
 * hold the output to its cap in the way that the rules ask for; each failure has a sentence.
 */
int pump_init(struct pump *pump, int data_fd, int index_fd, const struct output_rules *rules,
              struct error *err);

/* Takes the reading end of a pipe. */
void pump_add(struct pump *pump, int fd, enum output_stream stream);

/* What to poll for input now, for each pipe; FD_NONE: nothing. */
int pump_poll_fd(const struct pump *pump, unsigned pipe);

/* Reads once from `pipe` and writes what came. At its end the pipe is closed. */
void pump_read(struct pump *pump, unsigned pipe, usec_t now);

/* What is due at `now`: another try at the disk, the rate's next piece, giving memory back. */
void pump_check(struct pump *pump, usec_t now);

/* When pump_check() has something to do; USEC_INFINITY: never. */
usec_t pump_next(const struct pump *pump);

/* The rate no longer counts: the job is over, what the pipes hold is bounded. */
void pump_lift_rate(struct pump *pump);

/*
 * Reads what the pipes hold until they are empty or at their end, and closes them; for when nobody
 * is left who could write. False when something has to wait (disk full): call again later.
 */
bool pump_drain(struct pump *pump, usec_t now);

/*
 * Writes the END entry and syncs data and index. 0; OUTPUT_DISK_FULL: call again after pump_next();
 * or a negative errno: output is not complete.
 */
int pump_finish(struct pump *pump, usec_t now);

/* Bytes of stdout (merged output included) and stderr. */
void pump_totals(const struct pump *pump, uint64_t ret_totals[2]);
