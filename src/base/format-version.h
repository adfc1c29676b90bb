/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Versions of what one build of hoist writes and another may read: an agent that was upgraded finds
 * records, specifications, output and state files of the one before, and hoist-inits that go on
 * writing them. Each form says FORMAT_VERSION(n) for what this build writes and the oldest n that
 * it still reads. What is newer is refused: nobody can know what it means.
 *
 * The records (store/store-sqlite.h) are the gate: they get the version of whoever opened them
 * last, so an older agent is refused before it meets anything else.
 *
 * -Dformats_raised=N of Meson raises all of them by N, for the test of upgrades.
 */
#ifndef HOIST_FORMATS_RAISED
#    define HOIST_FORMATS_RAISED 0
#endif

#define FORMAT_VERSION(number) ((number) + HOIST_FORMATS_RAISED)

static inline bool format_is_readable(uint32_t version, uint32_t oldest, uint32_t current)
{
    return version >= oldest && version <= current;
}
