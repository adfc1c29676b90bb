/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/format-version.h"
#include "store/store.h"

/*
 * Records in one SQLite database (WAL, synchronous=FULL, exclusive lock, STRICT tables).
 */

#define STORE_SCHEMA_VERSION FORMAT_VERSION(2)
#define STORE_SCHEMA_OLDEST  1

/* What opening found out, for the log. */
struct store_open_report {
    bool created;          /* there was no database */
    char quarantined[256]; /* "": none; else the name that a damaged database was given */
};

/*
 * Opens or makes the database `path` (its directory is ours alone; mode 0600; symbolic links are
 * refused). A damaged database is never deleted: it is renamed to "<path>.damaged-<time>" together
 * with its journal, an empty one takes its place, and `report` says so. Refused with a sentence
 * that says what to do: -EPROTO: it was written by a newer version; -EMEDIUMTYPE: it is not ours;
 * -EBUSY: another process has it open; -EROFS, -EACCES, -ENOSPC, -EIO.
 */
int store_open_sqlite(const char *path, struct store **ret, struct store_open_report *report,
                      struct error *err);
