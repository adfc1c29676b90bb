/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite-list.h"

#include <errno.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/strv.h"
#include "store/sqlite-open.h"
#include "store/sqlite-statement.h"
#include "store/store.h"

/*
 * The one statement whose text depends on what is asked for. No text of a caller's goes into it:
 * only numbers of parameters.
 */

/* Parameters of a list: fixed numbers, then two for each label. */
enum list_parameter {
    LIST_OWNER = 1,
    LIST_STATES,
    LIST_AFTER_CREATED,
    LIST_AFTER_ID,
    LIST_LIMIT,
    LIST_LABELS,
};

/* The text of a list: only conditions that are asked for, so that an index can serve it. */
static int list_write_text(const struct store_filter *filter, struct buffer *sql)
{
    int r = buffer_append_text(sql, "SELECT " SQLITE_COLUMNS " FROM job WHERE 1");

    if (r == 0 && filter->owner)
        r = buffer_append_format(sql, " AND owner=?%d", LIST_OWNER);
    if (r == 0 && filter->states != 0)
        r = buffer_append_format(sql, " AND (?%d >> state) & 1", LIST_STATES);
    if (r == 0 && filter->live_only)
        r = buffer_append_text(sql, " AND live=1");
    if (r == 0 && filter->after)
        r = buffer_append_format(sql, " AND (created, id) < (?%d, ?%d)", LIST_AFTER_CREATED,
                                 LIST_AFTER_ID);
    for (size_t i = 0; r == 0 && i < filter->label_count; i++) {
        r = buffer_append_format(sql,
                                 " AND EXISTS (SELECT 1 FROM label WHERE job=job.id AND key=?%zu",
                                 LIST_LABELS + 2 * i);
        if (r == 0 && !text_is_empty(filter->labels[i].value))
            r = buffer_append_format(sql, " AND value=?%zu", LIST_LABELS + 2 * i + 1);
        if (r == 0)
            r = buffer_append_text(sql, ")");
    }
    if (r == 0)
        r = buffer_append_text(sql, filter->first_ended_first ? " ORDER BY ended, id"
                                                              : " ORDER BY created DESC, id DESC");
    if (r == 0 && filter->limit > 0)
        r = buffer_append_format(sql, " LIMIT ?%d", LIST_LIMIT);
    return r;
}

static bool list_bind(sqlite3_stmt *statement, const struct store_filter *filter)
{
    if ((filter->owner && !bind_text(statement, LIST_OWNER, filter->owner)) ||
        (filter->states != 0 && !bind_number(statement, LIST_STATES, filter->states)) ||
        (filter->limit > 0 && !bind_number(statement, LIST_LIMIT, filter->limit)))
        return false;
    if (filter->after && (!bind_number(statement, LIST_AFTER_CREATED, filter->after->created) ||
                          !bind_id(statement, LIST_AFTER_ID, &filter->after->id)))
        return false;
    for (size_t i = 0; i < filter->label_count; i++) {
        int index = (int)(LIST_LABELS + 2 * i);

        if (!bind_text(statement, index, filter->labels[i].key) ||
            (!text_is_empty(filter->labels[i].value) &&
             !bind_text(statement, index + 1, filter->labels[i].value)))
            return false;
    }
    return true;
}

int sqlite_prepare_list(sqlite3 *db, const struct store_filter *filter, sqlite3_stmt **ret,
                        struct error *err)
{
    _cleanup_(statement_finalizep) sqlite3_stmt *statement = NULL;
    _cleanup_buffer_ struct buffer sql = {};

    if (list_write_text(filter, &sql) < 0)
        return error_set(err, -ENOMEM, "no memory");
    if (sqlite3_prepare_v2(db, (const char *)buffer_bytes(&sql), (int)buffer_size(&sql), &statement,
                           NULL) != SQLITE_OK ||
        !list_bind(statement, filter))
        return sqlite_fail(db, "can't list the jobs", err);
    *ret = TAKE_PTR(statement);
    return 0;
}
