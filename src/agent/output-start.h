/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"
#include "base/clock.h"
#include "output/reader.h"
#include "output/tail.h"

struct api_error;
struct error;

/*
 * Where a StreamOutput begins: at an offset, a time, or the last lines or bytes.
 */

/* What the request says of streams and times: 0, or -EREMOTEIO with INVALID_FIELD. */
int output_request_check(const Hoist__V1__StreamOutputRequest *request, struct api_error *error);

/* OUTPUT_STREAM_BIT()s; absent ones are all. */
unsigned output_request_streams(const Hoist__V1__StreamOutputRequest *request);

/* The wall time of a field that was checked; absent: `otherwise`. */
usec_t output_request_time(const Google__Protobuf__Timestamp *field, usec_t otherwise);

/* Plain data; nothing to free. Zeros: begun at offset 0. */
struct output_start {
    const Hoist__V1__StreamOutputRequest *request; /* borrowed; NULL: nothing is left to find out */
    bool tail_begun;
    struct output_tail tail;
};

/*
 * One step of moving the fresh reader to where the request wants it, of a millisecond or so.
 * Returns 1 when that is done, 0: call it again after others had their turn, or a negative errno
 * with a sentence.
 */
int output_start_step(struct output_start *start, struct output_reader *reader, struct error *err);
