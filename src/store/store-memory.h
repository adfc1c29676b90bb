/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "store/store.h"

/*
 * Records in memory, for tests: the same answers as the real store and failures on demand.
 */

/* NULL when there is no memory. */
struct store *store_open_memory(void);

/*
 * The next `count` writes and commits fail with `code` (a negative errno) and change nothing.
 * `store` must be a memory store. May be called from any thread.
 */
void store_memory_fail(struct store *store, int code, unsigned count);
