/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <hoist/v1/job_service.pb-c.h>

#include "base/clock.h"

struct error;

/*
 * A chunk of output where it lies: gigabytes of them come by, and each copy of their bytes costs as
 * much as the network. The same bytes are refused as by api_unpack(), and the same values come out.
 */

struct chunk_view {
    uint64_t offset;
    const uint8_t *data; /* inside the message that was viewed */
    size_t size;
    Hoist__V1__Stream stream;
    usec_t time; /* wall; 0 where the message says none or what is no moment */
};

/*
 * Looks at a StreamOutputResponse. Returns 1 and *ret when it is a chunk; 0 when it is something
 * else, or written as no serializer does (a chunk and more): unpack it; or a negative errno and a
 * sentence as api_unpack().
 */
int chunk_view_read(const void *message, size_t size, struct chunk_view *ret, struct error *err);
