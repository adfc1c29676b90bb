/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

#include "base/cleanup.h"

struct error;
struct store_open_report;

/* All columns of a job, in the order in which every statement gives them. */
#define SQLITE_COLUMNS                                                                             \
    "id, owner, display_name, request_id, state, cause, live, created, started, ended, uid, pid, " \
    "start_time, boot_id, spec, outcome"

/*
 * Getting a connection to a database that is sound, ours, and of our version. For store-sqlite.c
 * only.
 */

static inline void sqlite_closep(sqlite3 **db)
{
    (void)sqlite3_close_v2(*db); /* never fails: sqlite3_close_v2() */
}
#define _cleanup_sqlite_ _cleanup_(sqlite_closep)

/*
 * What the last failure of `db` means, as a negative errno with a sentence that begins with `what`:
 * -ENOSPC, -EIO, -EBADMSG (damaged), -EBUSY, -EROFS, -EACCES, -E2BIG, -ENOMEM, -EEXIST (a
 * constraint), -EPROTO for the rest.
 */
int sqlite_fail(sqlite3 *db, const char *what, struct error *err);

/*
 * Opens or makes the database with its schema. Errors as store_open_sqlite(); -EBADMSG when it is
 * damaged; then nothing of it was changed.
 */
int sqlite_open(const char *path, sqlite3 **ret, bool *ret_created, struct error *err);

/* Renames the damaged database and its journal (store_open_sqlite()) and says so in `report`. */
int sqlite_quarantine(const char *path, struct store_open_report *report, struct error *err);
