/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "api/message.h"

/* The figures of this controller are missing: the host doesn't have it. */
bool usage_is_missing(const Hoist__V1__Usage *usage, const char *controller);

/* What a job uses, for people: CPU, memory, disk, and what holds it back. NULL: nothing is known.
 */
void show_usage(const Hoist__V1__Usage *usage);

/* "cpu, memory": what held the job back; "": nothing. */
#define THROTTLED_TEXT_MAX 32
const char *throttled_text(const Hoist__V1__Usage *usage, char text[static THROTTLED_TEXT_MAX]);
