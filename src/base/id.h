/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Job ids: UUID version 4 (RFC 9562), random by getrandom(2), written in lower case with hyphens.
 */

#define ID_SIZE     16
#define ID_TEXT_MAX 37 /* 36 characters and the NUL */

struct id {
    uint8_t bytes[ID_SIZE];
};

/* A fresh random id. Returns 0 or a negative errno (no randomness to be had). */
int id_new(struct id *ret);

/* Writes 36 characters and a NUL; returns `text`. */
const char *id_format(const struct id *id, char text[static ID_TEXT_MAX]);

/* Exactly the 36-character form, either case; -EINVAL for anything else. */
int id_parse(const char *text, struct id *ret);

bool id_equal(const struct id *a, const struct id *b);
bool id_is_nil(const struct id *id);

/*
 * A prefix of an id as people type it: at least 4 hex digits, hyphens only where they stand in the
 * full form. Fills *ret_low and *ret_high with the smallest and the largest id that begin so
 * (both inclusive). -EINVAL when it is no such prefix.
 */
int id_parse_prefix(const char *text, struct id *ret_low, struct id *ret_high);
int id_compare(const struct id *a, const struct id *b);
