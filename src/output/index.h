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
 * Reads up to `count` entries from number `position` on; *ret_count good ones in a row stand there
 * (0: there are none yet; one that is just being written counts as not there). *ret_open: the last
 * of them is the last of the file, and may still grow. The entry at `position` itself being
 * unusable is an error: -ENODATA: it was dropped (zeros); -EBADMSG, -EPROTO: it is damaged, and not
 * the last.
 */
int output_index_read(int index_fd, bool nowait, uint64_t position, struct output_entry *entries,
                      unsigned count, unsigned *ret_count, bool *ret_open, struct error *err);

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
