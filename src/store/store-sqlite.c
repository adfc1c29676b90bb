/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store-sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/sqlite-list.h"
#include "store/sqlite-open.h"
#include "store/sqlite-statement.h"
#include "store/store-ops.h"

/*
 * One connection, its statements prepared once. A write that touches several rows is a savepoint:
 * the same code is a transaction of its own outside of store_begin() and a part of it inside.
 */

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_SAVE,
    STATEMENT_RELEASE,
    STATEMENT_BACK,
    STATEMENT_PUT,
    STATEMENT_PUT_LABEL,
    STATEMENT_UPDATE,
    STATEMENT_REMOVE,
    STATEMENT_GET,
    STATEMENT_GET_BY_NAME,
    STATEMENT_GET_BY_REQUEST,
    STATEMENT_FIND_RANGE,
    STATEMENT_LABELS,
    _STATEMENT_MAX,
};

/* The order of SQLITE_COLUMNS. */
enum column {
    COLUMN_ID,
    COLUMN_OWNER,
    COLUMN_DISPLAY_NAME,
    COLUMN_REQUEST_ID,
    COLUMN_STATE,
    COLUMN_CAUSE,
    COLUMN_LIVE,
    COLUMN_CREATED,
    COLUMN_STARTED,
    COLUMN_ENDED,
    COLUMN_UID,
    COLUMN_PID,
    COLUMN_START_TIME,
    COLUMN_BOOT_ID,
    COLUMN_SPEC,
    COLUMN_OUTCOME,
    _COLUMN_MAX,
};

/* Parameter n + 1 is column n, in updates too. */
static const char *const statement_text[_STATEMENT_MAX] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_SAVE] = "SAVEPOINT job",
    [STATEMENT_RELEASE] = "RELEASE job",
    [STATEMENT_BACK] = "ROLLBACK TO job",
    [STATEMENT_PUT] = "INSERT INTO job (" SQLITE_COLUMNS ") VALUES "
                      "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
    [STATEMENT_PUT_LABEL] = "INSERT INTO label (job, key, value) VALUES (?1, ?2, ?3)",
    [STATEMENT_UPDATE] = "UPDATE job SET state=?5, cause=?6, live=?7, started=?9, ended=?10,"
                         " uid=?11, pid=?12, start_time=?13, boot_id=?14, outcome=?16 WHERE id=?1",
    [STATEMENT_REMOVE] = "DELETE FROM job WHERE id=?1",
    [STATEMENT_GET] = "SELECT " SQLITE_COLUMNS " FROM job WHERE id=?1",
    [STATEMENT_GET_BY_NAME] =
        "SELECT " SQLITE_COLUMNS " FROM job WHERE owner=?1 AND display_name=?2",
    [STATEMENT_GET_BY_REQUEST] =
        "SELECT " SQLITE_COLUMNS " FROM job WHERE owner=?1 AND request_id=?2",
    [STATEMENT_FIND_RANGE] = "SELECT " SQLITE_COLUMNS " FROM job WHERE id BETWEEN ?1 AND ?2"
                             " AND (?3 IS NULL OR owner=?3) ORDER BY id LIMIT ?4",
    [STATEMENT_LABELS] = "SELECT key, value FROM label WHERE job=?1 ORDER BY key",
};

struct store_sqlite {
    struct store store;
    sqlite3 *db;
    sqlite3_stmt *statements[_STATEMENT_MAX];
};

static struct store_sqlite *sqlite_of(struct store *store)
{
    return (struct store_sqlite *)store;
}

/* Makes a statement ready for the next use; what it pointed to need not live longer. */
static void statement_reset(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement); /* tells the failure of the last step once more */
    (void)sqlite3_clear_bindings(statement);
}

static void statement_resetp(sqlite3_stmt **statement)
{
    statement_reset(*statement);
}
#define _cleanup_statement_ _cleanup_(statement_resetp)

/* Steps a statement that gives no rows. */
static int sqlite_do(struct store_sqlite *store, enum statement which, struct error *err)
{
    _cleanup_statement_ sqlite3_stmt *statement = store->statements[which];

    if (sqlite3_step(statement) != SQLITE_DONE)
        return sqlite_fail(store->db, "can't write the job's record", err);
    return 0;
}

/* Some failures roll the whole transaction back by themselves (sqlite.org/lang_transaction.html).
 */
static bool sqlite_in_transaction(const struct store_sqlite *store)
{
    return sqlite3_get_autocommit(store->db) == 0;
}

/* Undoes the savepoint; it can only fail where there is nothing to undo. */
static void sqlite_undo(struct store_sqlite *store)
{
    if (sqlite_in_transaction(store)) {
        (void)sqlite_do(store, STATEMENT_BACK, NULL);
        (void)sqlite_do(store, STATEMENT_RELEASE, NULL);
    }
}

static bool bind_changing(sqlite3_stmt *statement, const struct store_record *record)
{
    return bind_id(statement, COLUMN_ID + 1, &record->id) &&
           bind_number(statement, COLUMN_STATE + 1, (uint64_t)record->state) &&
           bind_number(statement, COLUMN_CAUSE + 1, (uint64_t)record->cause) &&
           bind_number(statement, COLUMN_LIVE + 1, record->live) &&
           bind_number(statement, COLUMN_STARTED + 1, record->started) &&
           bind_number(statement, COLUMN_ENDED + 1, record->ended) &&
           bind_number(statement, COLUMN_UID + 1, record->uid) &&
           bind_number(statement, COLUMN_PID + 1, (uint64_t)record->pid) &&
           bind_number(statement, COLUMN_START_TIME + 1, record->start_time) &&
           bind_id(statement, COLUMN_BOOT_ID + 1, &record->boot_id) &&
           bind_blob(statement, COLUMN_OUTCOME + 1, record->outcome, record->outcome_size);
}

static bool bind_fixed(sqlite3_stmt *statement, const struct store_record *record)
{
    return bind_text(statement, COLUMN_OWNER + 1, record->owner) &&
           bind_text(statement, COLUMN_DISPLAY_NAME + 1, record->display_name) &&
           bind_text(statement, COLUMN_REQUEST_ID + 1, record->request_id) &&
           bind_number(statement, COLUMN_CREATED + 1, record->created) &&
           bind_blob(statement, COLUMN_SPEC + 1, record->spec, record->spec_size);
}

static int sqlite_put_rows(struct store_sqlite *store, const struct store_record *record,
                           struct error *err)
{
    sqlite3_stmt *put = store->statements[STATEMENT_PUT];
    sqlite3_stmt *label = store->statements[STATEMENT_PUT_LABEL];
    int r;

    if (!bind_fixed(put, record) || !bind_changing(put, record)) {
        statement_reset(put);
        return sqlite_fail(store->db, "can't write the job's record", err);
    }
    r = sqlite_do(store, STATEMENT_PUT, err);
    for (size_t i = 0; r == 0 && i < record->label_count; i++) {
        if (!bind_id(label, 1, &record->id) || !bind_text(label, 2, record->labels[i].key) ||
            !bind_text(label, 3, record->labels[i].value)) {
            statement_reset(label);
            return sqlite_fail(store->db, "can't write the job's labels", err);
        }
        r = sqlite_do(store, STATEMENT_PUT_LABEL, err);
    }
    return r;
}

/* Finds out by the rows that stand in the way why a record was refused. */
static int sqlite_explain_conflict(struct store *store, const struct store_record *record,
                                   struct error *err)
{
    _cleanup_store_record_ struct store_record *by_request = NULL, *by_name = NULL;

    if (record->request_id &&
        store_get_by_request(store, record->owner, record->request_id, &by_request, NULL) == 0)
        return store_refuse_request(record, err);
    return store_refuse_taken(
        record,
        record->display_name &&
            store_get_by_name(store, record->owner, record->display_name, &by_name, NULL) == 0,
        err);
}

static int store_sqlite_put(struct store *base, const struct store_record *record,
                            struct error *err)
{
    struct store_sqlite *store = sqlite_of(base);
    int r;

    r = sqlite_do(store, STATEMENT_SAVE, err);
    if (r < 0)
        return r;
    r = sqlite_put_rows(store, record, err);
    if (r == 0)
        r = sqlite_do(store, STATEMENT_RELEASE, err); /* commits, outside of a transaction */
    if (r == 0)
        return 0;
    sqlite_undo(store);
    return r == -EEXIST ? sqlite_explain_conflict(base, record, err) : r;
}

static int store_sqlite_update(struct store *base, const struct store_record *record,
                               struct error *err)
{
    struct store_sqlite *store = sqlite_of(base);
    int r;

    if (!bind_changing(store->statements[STATEMENT_UPDATE], record)) {
        statement_reset(store->statements[STATEMENT_UPDATE]);
        return sqlite_fail(store->db, "can't write the job's record", err);
    }
    r = sqlite_do(store, STATEMENT_UPDATE, err);
    if (r < 0)
        return r;
    return sqlite3_changes(store->db) > 0 ? 0 : store_refuse_unknown(err);
}

static int store_sqlite_remove(struct store *base, const struct id *id, struct error *err)
{
    struct store_sqlite *store = sqlite_of(base);
    int r;

    if (!bind_id(store->statements[STATEMENT_REMOVE], 1, id))
        return sqlite_fail(store->db, "can't remove the job's record", err);
    r = sqlite_do(store, STATEMENT_REMOVE, err);
    if (r < 0)
        return r;
    return sqlite3_changes(store->db) > 0 ? 0 : store_refuse_unknown(err);
}

static bool column_text(sqlite3_stmt *statement, int column, char **ret)
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    *ret = text ? strdup((const char *)text) : NULL;
    return *ret || sqlite3_column_type(statement, column) == SQLITE_NULL;
}

static bool column_blob(sqlite3_stmt *statement, int column, void **ret, size_t *ret_size)
{
    const void *data = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);

    *ret = size > 0 && data ? malloc(size) : NULL;
    if (*ret) {
        memcpy(*ret, data, size);
        *ret_size = size;
    }
    return *ret || size == 0;
}

/* The schema promises the length. */
static void column_id(sqlite3_stmt *statement, int column, struct id *ret)
{
    const void *data = sqlite3_column_blob(statement, column);

    if (data && sqlite3_column_bytes(statement, column) == ID_SIZE)
        memcpy(ret->bytes, data, ID_SIZE);
}

static uint64_t column_number(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

static int sqlite_read_labels(struct store_sqlite *store, struct store_record *record,
                              struct error *err)
{
    _cleanup_statement_ sqlite3_stmt *statement = store->statements[STATEMENT_LABELS];
    int r;

    if (!bind_id(statement, 1, &record->id))
        return sqlite_fail(store->db, "can't read the job's labels", err);
    while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_label *labels =
            reallocarray(record->labels, record->label_count + 1, sizeof(*labels));
        struct store_label *label;

        if (!labels)
            return error_set(err, -ENOMEM, "no memory");
        record->labels = labels;
        label = &labels[record->label_count++];
        *label = (struct store_label){};
        if (!column_text(statement, 0, &label->key) || !column_text(statement, 1, &label->value))
            return error_set(err, -ENOMEM, "no memory");
    }
    return r == SQLITE_DONE ? 0 : sqlite_fail(store->db, "can't read the job's labels", err);
}

/* The record of the row on which `statement` stands. */
static int sqlite_read_record(struct store_sqlite *store, sqlite3_stmt *statement,
                              struct store_record **ret, struct error *err)
{
    _cleanup_store_record_ struct store_record *record = calloc(1, sizeof(*record));
    int r;

    if (!record || !column_text(statement, COLUMN_OWNER, &record->owner) ||
        !column_text(statement, COLUMN_DISPLAY_NAME, &record->display_name) ||
        !column_text(statement, COLUMN_REQUEST_ID, &record->request_id) ||
        !column_blob(statement, COLUMN_SPEC, &record->spec, &record->spec_size) ||
        !column_blob(statement, COLUMN_OUTCOME, &record->outcome, &record->outcome_size))
        return error_set(err, -ENOMEM, "no memory");
    column_id(statement, COLUMN_ID, &record->id);
    column_id(statement, COLUMN_BOOT_ID, &record->boot_id);
    record->state = sqlite3_column_int(statement, COLUMN_STATE);
    record->cause = sqlite3_column_int(statement, COLUMN_CAUSE);
    record->live = sqlite3_column_int(statement, COLUMN_LIVE) != 0;
    record->created = column_number(statement, COLUMN_CREATED);
    record->started = column_number(statement, COLUMN_STARTED);
    record->ended = column_number(statement, COLUMN_ENDED);
    record->uid = (uid_t)column_number(statement, COLUMN_UID);
    record->pid = sqlite3_column_int(statement, COLUMN_PID);
    record->start_time = column_number(statement, COLUMN_START_TIME);
    r = sqlite_read_labels(store, record, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(record);
    return 0;
}

/* Runs a bound statement that gives one record or none. */
static int sqlite_get_one(struct store_sqlite *store, sqlite3_stmt *statement,
                          struct store_record **ret, struct error *err)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        return sqlite_read_record(store, statement, ret, err);
    case SQLITE_DONE:
        return store_refuse_unknown(err);
    default:
        return sqlite_fail(store->db, "can't read the job's record", err);
    }
}

static int store_sqlite_get(struct store *base, const struct id *id, struct store_record **ret,
                            struct error *err)
{
    struct store_sqlite *store = sqlite_of(base);
    _cleanup_statement_ sqlite3_stmt *statement = store->statements[STATEMENT_GET];

    if (!bind_id(statement, 1, id))
        return sqlite_fail(store->db, "can't read the job's record", err);
    return sqlite_get_one(store, statement, ret, err);
}

static int sqlite_get_by(struct store *base, enum statement which, const char *owner,
                         const char *text, struct store_record **ret, struct error *err)
{
    struct store_sqlite *store = sqlite_of(base);
    _cleanup_statement_ sqlite3_stmt *statement = store->statements[which];

    if (!bind_text(statement, 1, owner) || !bind_text(statement, 2, text))
        return sqlite_fail(store->db, "can't read the job's record", err);
    return sqlite_get_one(store, statement, ret, err);
}

static int store_sqlite_get_by_name(struct store *store, const char *owner,
                                    const char *display_name, struct store_record **ret,
                                    struct error *err)
{
    return sqlite_get_by(store, STATEMENT_GET_BY_NAME, owner, display_name, ret, err);
}

static int store_sqlite_get_by_request(struct store *store, const char *owner,
                                       const char *request_id, struct store_record **ret,
                                       struct error *err)
{
    return sqlite_get_by(store, STATEMENT_GET_BY_REQUEST, owner, request_id, ret, err);
}

/* Runs a bound statement that gives records. */
static int sqlite_get_many(struct store_sqlite *store, sqlite3_stmt *statement,
                           struct store_list *ret, struct error *err)
{
    _cleanup_store_list_ struct store_list list = {};
    int step, r;

    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_record *record = NULL;

        r = sqlite_read_record(store, statement, &record, err);
        if (r < 0)
            return r;
        if (store_list_consume(&list, record) < 0)
            return error_set(err, -ENOMEM, "no memory");
    }
    if (step != SQLITE_DONE)
        return sqlite_fail(store->db, "can't read the records of jobs", err);
    *ret = list;
    list = (struct store_list){};
    return 0;
}

static int store_sqlite_find_range(struct store *base, const char *owner, const struct id *low,
                                   const struct id *high, size_t limit, struct store_list *ret,
                                   struct error *err)
{
    struct store_sqlite *store = sqlite_of(base);
    _cleanup_statement_ sqlite3_stmt *statement = store->statements[STATEMENT_FIND_RANGE];

    if (!bind_id(statement, 1, low) || !bind_id(statement, 2, high) ||
        !bind_text(statement, 3, owner) || !bind_number(statement, 4, limit))
        return sqlite_fail(store->db, "can't read the records of jobs", err);
    return sqlite_get_many(store, statement, ret, err);
}

static int store_sqlite_list(struct store *base, const struct store_filter *filter,
                             struct store_list *ret, struct error *err)
{
    struct store_sqlite *store = sqlite_of(base);
    _cleanup_(statement_finalizep) sqlite3_stmt *statement = NULL;
    int r = sqlite_prepare_list(store->db, filter, &statement, err);

    return r < 0 ? r : sqlite_get_many(store, statement, ret, err);
}

static int store_sqlite_begin(struct store *base, struct error *err)
{
    return sqlite_do(sqlite_of(base), STATEMENT_BEGIN, err);
}

static void store_sqlite_rollback(struct store *base)
{
    if (sqlite_in_transaction(sqlite_of(base)))
        (void)sqlite_do(sqlite_of(base), STATEMENT_ROLLBACK, NULL); /* there is nobody to tell */
}

static int store_sqlite_commit(struct store *base, struct error *err)
{
    int r = sqlite_do(sqlite_of(base), STATEMENT_COMMIT, err);

    if (r < 0)
        store_sqlite_rollback(base);
    return r;
}

static void store_sqlite_close(struct store *base)
{
    struct store_sqlite *store = sqlite_of(base);

    store_sqlite_rollback(base);
    for (size_t i = 0; i < _STATEMENT_MAX; i++)
        statement_finalizep(&store->statements[i]);
    sqlite_closep(&store->db);
    free(store);
}

static const struct store_ops sqlite_ops = {
    .put = store_sqlite_put,
    .update = store_sqlite_update,
    .remove = store_sqlite_remove,
    .get = store_sqlite_get,
    .get_by_name = store_sqlite_get_by_name,
    .get_by_request = store_sqlite_get_by_request,
    .find_range = store_sqlite_find_range,
    .list = store_sqlite_list,
    .begin = store_sqlite_begin,
    .commit = store_sqlite_commit,
    .rollback = store_sqlite_rollback,
    .close = store_sqlite_close,
};

/* A statement that can't be prepared asks for what the schema lacks: a damaged database. */
static int sqlite_prepare_all(struct store_sqlite *store, struct error *err)
{
    for (size_t i = 0; i < _STATEMENT_MAX; i++)
        if (sqlite3_prepare_v3(store->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK) {
            int r = sqlite_fail(store->db, "the database of jobs has lost its form", err);

            return r == -EPROTO ? -EBADMSG : r;
        }
    return 0;
}

static int sqlite_try(const char *path, struct store **ret, struct store_open_report *report,
                      struct error *err)
{
    struct store_sqlite *store = calloc(1, sizeof(*store));
    int r;

    if (!store)
        return error_set(err, -ENOMEM, "no memory");
    store->store.ops = &sqlite_ops;
    r = sqlite_open(path, &store->db, &report->created, err);
    if (r == 0)
        r = sqlite_prepare_all(store, err);
    if (r < 0) {
        if (store->db)
            store_sqlite_close(&store->store);
        else
            free(store);
        return r;
    }
    *ret = &store->store;
    return 0;
}

int store_open_sqlite(const char *path, struct store **ret, struct store_open_report *report,
                      struct error *err)
{
    int r;

    *report = (struct store_open_report){};
    r = sqlite_try(path, ret, report, err);
    if (r != -EBADMSG)
        return r;
    r = sqlite_quarantine(path, report, err);
    return r < 0 ? r : sqlite_try(path, ret, report, err);
}
