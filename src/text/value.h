/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "text/schema.h"

/*
 * Parsers for the rows of a schema table: the type of the destination, and the argument.
 */

struct text_range { /* argument of text_parse_unsigned, _size and _duration; NULL: everything */
    uint64_t min;
    uint64_t max;
};

text_parse_fn text_parse_string;   /* char *: a copy, what was there is freed */
text_parse_fn text_parse_path;     /* char *: the same, must be absolute */
text_parse_fn text_parse_bool;     /* bool: true or false */
text_parse_fn text_parse_unsigned; /* uint64_t */
text_parse_fn text_parse_size;     /* uint64_t: bytes, as quantity_parse_size() */
text_parse_fn text_parse_duration; /* usec_t, as quantity_parse_duration() */
text_parse_fn text_parse_choice;   /* int: index in a NULL-ended const char *const[] */
text_parse_fn text_parse_strings;  /* char **: appended; the parser of a list of texts */
