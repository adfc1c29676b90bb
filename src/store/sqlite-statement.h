/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

/*
 * Values into statements, and statements that end themselves. For the SQLite store only.
 */

static inline void statement_finalizep(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement); /* tells the failure of the last step once more */
}

/*
 * Binding can only fail for want of memory or by a value too large (SQLITE_TOOBIG); the step that
 * follows would then run with NULL, which no column allows where it matters, so it is told here.
 */
static inline bool bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    return sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC) == SQLITE_OK;
}

static inline bool bind_blob(sqlite3_stmt *statement, int index, const void *data, size_t size)
{
    /* A NULL pointer would be bound as NULL, not as an empty blob. */
    return sqlite3_bind_blob64(statement, index, size > 0 ? data : "", size, SQLITE_STATIC) ==
           SQLITE_OK;
}

static inline bool bind_number(sqlite3_stmt *statement, int index, uint64_t number)
{
    return sqlite3_bind_int64(statement, index, (sqlite3_int64)number) == SQLITE_OK;
}

static inline bool bind_id(sqlite3_stmt *statement, int index, const struct id *id)
{
    return bind_blob(statement, index, id->bytes, sizeof(id->bytes));
}
