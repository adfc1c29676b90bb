/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>

struct error;
struct store_filter;

/*
 * A listing of jobs as a statement, prepared and bound, that gives the columns of SQLITE_COLUMNS.
 * What `filter` points to must live until the caller has finalised it. For the SQLite store only.
 */
int sqlite_prepare_list(sqlite3 *db, const struct store_filter *filter, sqlite3_stmt **ret,
                        struct error *err);
