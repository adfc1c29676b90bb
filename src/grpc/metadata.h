/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * The header fields of one message, counted as they arrive: THREATS N4.
 *
 * Zero-initialised is empty. Fields lie one after the other in one allocation that grows to
 * HTTP2_HEADER_BYTES_MAX at most.
 */

struct metadata {
    char *bytes; /* owned: name NUL value NUL name NUL value NUL … */
    size_t used;
    size_t room;
    size_t charge; /* names + values + 32 each */
    unsigned count;
};

void metadata_done(struct metadata *metadata);
#define _cleanup_metadata_ _cleanup_(metadata_done)

/*
 * Adds one field. -EBADMSG when name or value holds a NUL, -E2BIG when there are too many or they
 * are too large, -ENOMEM; nothing is added then.
 */
int metadata_add(struct metadata *metadata, const void *name, size_t name_size, const void *value,
                 size_t value_size);

/* The value of the first field of that name, or NULL; valid until the next change. */
const char *metadata_get(const struct metadata *metadata, const char *name);

/* How often the name is there. */
unsigned metadata_count(const struct metadata *metadata, const char *name);
