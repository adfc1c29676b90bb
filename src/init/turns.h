/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/*
 * Whose turn it is to be read, of a job's two pipes: as a machine without system calls, time is
 * handed in.
 *
 * Each change between the streams costs an entry of the index. Most jobs change rarely, and then
 * what comes first is read first. One that keeps changing would make an index that is larger than
 * its data, so changes have a budget: what it earns is the share of the data that the index may
 * have, and an entry for each OUTPUT_ENTRY_USEC_MAX. While it is used up a stream that wants to
 * change is read when the last entry is over anyway, at most OUTPUT_ENTRY_USEC_MAX later.
 * docs/decisions/0011-turns-of-the-two-streams.md.
 */

struct turns {
    unsigned last; /* the pipe that was read last */
    bool begun;    /* one was */
    usec_t since;  /* the last entry began */
    usec_t budget; /* OUTPUT_ENTRY_USEC_MAX for each entry */
    usec_t filled; /* when `budget` was true */
};

void turns_init(struct turns *turns, usec_t now);

/* `size` bytes of `pipe` were written, and with them so many new entries. */
void turns_took(struct turns *turns, unsigned pipe, uint64_t size, uint64_t entries, usec_t now);

/* May `pipe` be read now? If not: not before turns_next(). */
bool turns_allow(struct turns *turns, unsigned pipe, usec_t now);
usec_t turns_next(const struct turns *turns);

/* It may, but the other one has waited for this moment and goes first. */
bool turns_let_other_first(struct turns *turns, unsigned pipe, usec_t now);
