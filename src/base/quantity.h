/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct error;

/*
 * Numbers as people write them.
 *
 * Sizes: digits with an optional decimal fraction and a unit: B, K/KB, M/MB, G/GB, T/TB are powers
 * of 1000, Ki/KiB, Mi/MiB, Gi/GiB, Ti/TiB powers of 1024, either case; no unit: bytes.
 * Durations: one or more "<number><unit>" without blanks: us, ms, s, m (or min), h, d: "1h30m",
 * "1.5s"; no unit: seconds. "0" is zero.
 * Shares of CPU: digits with % of one CPU, or thousandths of one with m or no unit: "25%", "250m".
 * Every parser takes the whole string, refuses signs, blanks, overflow and empty text with -EINVAL
 * or -ERANGE and a sentence that quotes the text (made harmless, cut) and shows a right example.
 */

int quantity_parse_size(const char *text, uint64_t *ret_bytes, struct error *err);
int quantity_parse_duration(const char *text, usec_t *ret, struct error *err);
int quantity_parse_cpu(const char *text, uint64_t *ret_millis, struct error *err);
int quantity_parse_unsigned(const char *text, uint64_t max, uint64_t *ret, struct error *err);

/* "32MB", "1.5GB", "812B" (powers of 1000, at most three significant digits). */
#define QUANTITY_TEXT_MAX 32
const char *quantity_format_size(uint64_t bytes, char text[static QUANTITY_TEXT_MAX]);

/* "512MiB", "50MB", "1234567B": a size that somebody has set, exactly, in the largest unit of which
 * it is a whole number; a power of 1000 where one of each kind would do. */
const char *quantity_format_exact(uint64_t bytes, char text[static QUANTITY_TEXT_MAX]);

/* "2.37k", "15", "1.2M": a count, powers of 1000, at most three significant digits. */
const char *quantity_format_count(double count, char text[static QUANTITY_TEXT_MAX]);

/* "350ms", "12.3s", "4m05s", "3h20m", "2d4h". */
const char *quantity_format_duration(usec_t duration, char text[static QUANTITY_TEXT_MAX]);
