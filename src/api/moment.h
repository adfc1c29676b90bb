/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>

#include "base/clock.h"

struct error;

/*
 * Protobuf's moments and spans, and microseconds.
 *
 * Outgoing ones are cut to whole microseconds. Incoming ones may say anything: what lies before
 * 1970, is negative, has nanoseconds out of their range or doesn't fit is refused, never bent.
 */

/* The longest span that a client may name: a year, as for the launcher. */
#define API_DURATION_MAX (UINT64_C(366) * 24 * 3600 * USEC_PER_SEC)

/* NULL (absent) is 0, or `absent` for a duration. Return 0, or -ERANGE with a sentence. */
int api_timestamp_read(const Google__Protobuf__Timestamp *timestamp, usec_t *ret_wall,
                       struct error *err);
int api_duration_read(const Google__Protobuf__Duration *duration, usec_t absent, usec_t *ret,
                      struct error *err);

/* Fill *field in, with a fresh message where there is none. Return 0 or -ENOMEM. */
int api_timestamp_set(Google__Protobuf__Timestamp **field, usec_t wall);
int api_duration_set(Google__Protobuf__Duration **field, usec_t duration);
