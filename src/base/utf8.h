/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * Text that came from elsewhere: is it UTF-8 (RFC 3629), and how to show it without harm.
 */

/* Whole, shortest-form UTF-8 without surrogates. An embedded NUL is valid UTF-8: ask for it apart.
 */
bool utf8_is_valid(const void *data, size_t size);

/*
 * Decodes one character at `data` (size > 0). Returns its length and fills *ret, or 0 when the
 * bytes are no valid character, or -EAGAIN when they are a valid beginning that is cut off.
 */
int utf8_decode(const uint8_t *data, size_t size, uint32_t *ret);

/* C0 and C1 controls, DEL, bidirectional overrides and isolates, line and paragraph separators. */
bool utf8_is_harmful(uint32_t character);

/*
 * Appends `data` to `out` so that a terminal or a log line can't be harmed: harmful characters and
 * invalid bytes become \xNN or \u{NNNN}; \n, \r and \t become \n, \r, \t in letters and the
 * backslash is doubled. For names, arguments and error texts; always one line.
 */
int utf8_append_escaped(struct buffer *out, const void *data, size_t size);

/* The same as a fresh string that the caller frees; NULL when there is no memory. */
char *utf8_escape(const char *text);

/*
 * The same for a stream of job output shown on a terminal: newline and tab pass, everything else
 * harmful becomes visible (ESC as ^[, other C0 in caret form, invalid bytes as \xNN). A character
 * cut at the end of a call is carried over in the state.
 */
struct utf8_filter {
    uint8_t partial[4];
    size_t partial_size;
};

int utf8_filter_append(struct utf8_filter *filter, struct buffer *out, const void *data,
                       size_t size);
/* Ends the stream: what was carried over is shown as invalid bytes. */
int utf8_filter_end(struct utf8_filter *filter, struct buffer *out);
