/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"
#include "base/clock.h"
#include "output/fetch.h"
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
    struct output_tail tail;
};

/* Nothing is looked at yet. */
void output_start_begin(struct output_start *start, const Hoist__V1__StreamOutputRequest *request,
                        const struct output_reader *reader);

/*
 * While there is a request: one step of moving the fresh reader to where it wants it, of a
 * millisecond or so. Returns 1 when that is done, 0: call it again after others had their turn, or
 * a negative errno with a sentence; -EAGAIN (`nowait` only): have what output_start_fetch() says
 * fetched first.
 */
int output_start_step(struct output_start *start, struct output_reader *reader, bool nowait,
                      struct error *err);

/* Turns a fetch of the reader's into one of what the next step looks at. */
void output_start_fetch(const struct output_start *start, struct output_fetch *fetch);
