/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

struct error;

/*
 * A moment as people write it: RFC 3339 ("2026-11-21T14:30:00Z", "2026-11-21 14:30+01:00"; without
 * zone: the local one; seconds and their fraction may be missing), a time of the local day
 * ("14:30", "14:30:05"), or a time ago ("10m", "1h30m", "90": seconds).
 *
 * `now` is the wall time that "today" and "ago" count from. `is_past`: a time of the day that lies
 * ahead is yesterday's. Returns 0, or -EINVAL or -ERANGE with a sentence that quotes the text.
 */
int when_parse(const char *text, usec_t now, bool is_past, usec_t *ret, struct error *err);
