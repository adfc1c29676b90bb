/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct output_writer;

/*
 * The cap on a job's output: what data and index together take of the disk, whatever the job
 * writes.
 *
 * Of a job that writes more either both ends are kept (OUTPUT_CAP_KEEP_ENDS: its first bytes and
 * its last ones; the middle is given back to the file system, and the gap in the index's header
 * says exactly which bytes that were), or nothing more is taken (OUTPUT_CAP_STOP: who calls decides
 * what becomes of the job). docs/protocol/output-format.md, "The gap".
 *
 * Counted are bytes of the files, less the whole blocks that were given back. The last block of
 * each file and the file system's own bookkeeping come on top.
 */

enum output_cap_policy {
    OUTPUT_CAP_KEEP_ENDS,
    OUTPUT_CAP_STOP,
    _OUTPUT_CAP_POLICY_MAX,
};

/* Below it the pieces in which output comes would be larger than what is kept. */
#define OUTPUT_CAP_MIN (UINT64_C(1) << 20)

/* Plain data, of the writer's process; nothing to free. */
struct output_cap {
    uint64_t limit; /* 0: none */
    uint64_t head;  /* for the first bytes, with their part of the index; KEEP_ENDS */
    enum output_cap_policy policy;
    uint64_t block; /* of the file system */
    /* Entries [head_count, tail_position) lie in the gap; none do while they are equal. */
    uint64_t head_count;
    uint64_t tail_position;
    /* Given back so far: whole blocks of the files, up to these offsets. */
    uint64_t data_punched, data_freed;
    uint64_t index_punched, index_freed;
};

/*
 * For the fresh files of `writer`. `limit`: at least OUTPUT_CAP_MIN, or 0 for none; `head`: of it
 * for the first bytes, 0 for a quarter, at most a half. Returns 0, -EINVAL, or, with KEEP_ENDS,
 * -EOPNOTSUPP: this file system can't punch holes; each with a sentence.
 */
int output_cap_init(struct output_cap *cap, uint64_t limit, uint64_t head,
                    enum output_cap_policy policy, const struct output_writer *writer,
                    struct error *err);

/*
 * KEEP_ENDS: before `size` bytes (OUTPUT_APPEND_MAX at most) are appended, drops from the middle
 * what they need. 0: append them. OUTPUT_DISK_FULL: to give room back needs some (the file system's
 * bookkeeping), call again later. Or a negative errno: the output can't be held to its cap.
 */
int output_cap_make_room(struct output_cap *cap, struct output_writer *writer, size_t size);

/* STOP: how many of `size` bytes may still be appended; fewer than asked for: the cap is reached.
 */
size_t output_cap_room(const struct output_cap *cap, const struct output_writer *writer,
                       size_t size);
