/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <google/protobuf/duration.pb-c.h>

#include "base/clock.h"

struct api_error;

/*
 * Reading the small fields that several requests share. Each returns 0, or -EREMOTEIO with
 * INVALID_ARGUMENT/INVALID_FIELD that names the field.
 */

/* The job's name, at most as long as the longest that can be one; empty is refused. */
int request_read_name(const char *name, struct api_error *error);

/* "" is 0 unless `demanded`. */
int request_read_signal(const char *field, const char *text, int demanded, int *ret,
                        struct api_error *error);

/* Absent is `absent`; more than `max` is refused. */
int request_read_duration(const char *field, const Google__Protobuf__Duration *duration,
                          usec_t absent, usec_t max, usec_t *ret, struct api_error *error);

/* One wrong field, told as StartJob tells its issues. */
int request_refuse(const char *field, const char *issue, struct api_error *error);
