/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/clock.h"

/*
 * The header grpc-timeout: 1 to 8 digits and a unit, one of H M S m u n ("gRPC over HTTP/2").
 */

#define GRPC_TIMEOUT_TEXT_MAX 10 /* 8 digits, the unit, the NUL */

/* -EINVAL for anything else. Nanoseconds are rounded up to a microsecond. */
int grpc_timeout_parse(const void *text, size_t size, usec_t *ret);

/* The shortest time that can be written and is not shorter; returns `text`. */
const char *grpc_timeout_format(usec_t timeout, char text[static GRPC_TIMEOUT_TEXT_MAX]);
