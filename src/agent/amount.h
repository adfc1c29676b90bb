/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "text/schema.h"

struct buffer;
struct disk_share;

/*
 * Sizes and durations for which a word can stand ("none", "forever"): parsers for the rows of a
 * schema table, and the way back.
 */

struct amount_word {
    const char *text;
    uint64_t value;
};

/* The argument of the parsers. */
struct amount {
    struct amount_word word;
    uint64_t min, max; /* of a number */
};

text_parse_fn amount_parse_size;     /* uint64_t: bytes */
text_parse_fn amount_parse_duration; /* usec_t */

/* struct disk_share (worker/worker.h): a size, so many percent ("5%", 1 to 99), or "none". */
text_parse_fn amount_parse_share;

/*
 * Appends the value so that reading it again gives the same: "1GiB", "1d", "none". `amount` NULL:
 * no word can stand for it. 0 or -ENOMEM.
 */
int amount_print_size(uint64_t value, const struct amount *amount, struct buffer *out);
int amount_print_duration(uint64_t value, const struct amount *amount, struct buffer *out);
int amount_print_share(const struct disk_share *share, struct buffer *out);
