/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite-open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "store/store-sqlite.h"

/*
 * Nothing is written to a file before it is known to be ours: first the sixteen bytes that every
 * SQLite database begins with, then the application id in its header, then the version, and a check
 * of all pages; only then the journal mode is set, which writes.
 */

#define APPLICATION_ID     0x686f6973 /* "hois" */
#define BUSY_TIMEOUT_MSEC  2000       /* for somebody who is just looking with sqlite3(1) */
#define JOURNAL_SIZE_LIMIT "4194304"  /* the journal is cut to this after a checkpoint */
/* What is asked for again is mostly what has just been written; the rest is in the kernel's cache
 * anyway. A few hundred records fill it, so that an agent that keeps thousands takes no more. */
#define CACHE_KIB "512"

static const char sqlite_magic[16] = "SQLite format 3";

static const char schema[] =
    "CREATE TABLE job ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " owner TEXT NOT NULL,"
    " display_name TEXT,"
    " request_id TEXT,"
    " state INTEGER NOT NULL,"
    " cause INTEGER NOT NULL,"
    " live INTEGER NOT NULL,"
    " created INTEGER NOT NULL," /* microseconds since 1970, as all times */
    " started INTEGER NOT NULL,"
    " ended INTEGER NOT NULL,"
    " uid INTEGER NOT NULL,"
    " pid INTEGER NOT NULL,"
    " start_time INTEGER NOT NULL,"
    " boot_id BLOB NOT NULL CHECK (length(boot_id) = 16),"
    " spec BLOB NOT NULL,"
    " outcome BLOB NOT NULL,"
    " UNIQUE (owner, display_name)," /* NULLs are all different */
    " UNIQUE (owner, request_id)"
    ") STRICT;"
    "CREATE TABLE label ("
    " job BLOB NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
    " key TEXT NOT NULL,"
    " value TEXT NOT NULL,"
    " PRIMARY KEY (job, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX job_newest ON job (created, id);"
    "CREATE INDEX job_newest_of_owner ON job (owner, created, id);"
    "CREATE INDEX job_live ON job (created, id) WHERE live = 1;"
    "CREATE INDEX label_key_value ON label (key, value);";

int sqlite_fail(sqlite3 *db, const char *what, struct error *err)
{
    static const struct {
        int result;
        int code;
        const char *words; /* NULL: SQLite's own */
    } table[] = {
        {SQLITE_FULL, -ENOSPC, "the disk is full"},
        {SQLITE_IOERR, -EIO, NULL},
        {SQLITE_CORRUPT, -EBADMSG, "the database is damaged"},
        {SQLITE_NOTADB, -EBADMSG, "the database is damaged"},
        {SQLITE_BUSY, -EBUSY, "another process has the database open"},
        {SQLITE_LOCKED, -EBUSY, "another process has the database open"},
        {SQLITE_READONLY, -EROFS, "the database can't be written"},
        {SQLITE_CANTOPEN, -EACCES, NULL},
        {SQLITE_PERM, -EACCES, NULL},
        {SQLITE_NOMEM, -ENOMEM, "no memory"},
        {SQLITE_TOOBIG, -E2BIG, "too large for the database"},
        {SQLITE_CONSTRAINT, -EEXIST, NULL},
    };
    int result = db ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;

    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].result == result)
            return error_set(err, table[i].code, "%s: %s", what,
                             table[i].words ? table[i].words : sqlite3_errmsg(db));
    return error_set(err, -EPROTO, "%s: %s", what, sqlite3_errmsg(db));
}

static int sqlite_run(sqlite3 *db, const char *sql, struct error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_fail(db, "can't prepare the database of jobs", err);
    return 0;
}

/* The one value that `sql` gives, as text of at most `size` - 1 bytes. */
static int sqlite_ask(sqlite3 *db, const char *sql, char *text, size_t size, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    const unsigned char *value = NULL;
    int r = 0;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_text(statement, 0);
    if (value) {
        size_t length = strnlen((const char *)value, size - 1);

        memcpy(text, value, length);
        text[length] = '\0';
    } else {
        r = sqlite_fail(db, "can't read the database of jobs", err);
    }
    (void)sqlite3_finalize(statement); /* tells the failure of the step once more */
    return r;
}

/* Makes the file if there is none (SQLite would use the umask) and looks whether it may be ours. */
static int file_prepare(const char *path, bool *ret_created, struct error *err)
{
    /* Closed before SQLite opens it: close(2) would drop its POSIX locks. */
    _cleanup_close_ int fd =
        open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    char magic[sizeof(sqlite_magic)];
    struct stat status;
    int r;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set(err, -errno, "can't open the database of jobs \"%s\": %s", path,
                         strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, -EMEDIUMTYPE, "\"%s\" is not a regular file; move it away", path);
    if (status.st_size > 0) {
        r = fd_pread_full(fd, magic, sizeof(magic), 0);
        if (r < 0 && r != -ENODATA)
            return error_set(err, r, "can't read \"%s\": %s", path, strerror(-r));
        if (r < 0 || memcmp(magic, sqlite_magic, sizeof(magic)) != 0)
            return error_set(err, -EMEDIUMTYPE, "\"%s\" is not a database of jobs; move it away",
                             path);
    }
    *ret_created = status.st_size == 0;
    return 0;
}

static int sqlite_check_version(const char *version, const char *path, struct error *err)
{
    long number = strtol(version, NULL, 10); /* SQLite printed it */

    if (number > STORE_SCHEMA_VERSION)
        return error_set(err, -EPROTO,
                         "\"%s\" was written by a newer version of hoist (schema %ld, this one "
                         "knows %d); install that version again",
                         path, number, STORE_SCHEMA_VERSION);
    if (number < STORE_SCHEMA_OLDEST)
        return error_set(err, -EPROTO,
                         "\"%s\" was written by a version of hoist that is too old (schema %ld, "
                         "this one knows %d and later); upgrade by way of a version in between",
                         path, number, STORE_SCHEMA_OLDEST);
    return 0;
}

/* Whether the database is ours, of a version that we read, or empty. */
static int sqlite_identify(sqlite3 *db, const char *path, bool *ret_empty, struct error *err)
{
    char application[16], version[16], tables[16], expected[16];
    int r;

    r = sqlite_ask(db, "SELECT count(*) FROM sqlite_schema", tables, sizeof(tables), err);
    if (r == 0)
        r = sqlite_ask(db, "PRAGMA application_id", application, sizeof(application), err);
    if (r == 0)
        r = sqlite_ask(db, "PRAGMA user_version", version, sizeof(version), err);
    if (r < 0)
        return r;

    *ret_empty = strcmp(tables, "0") == 0 && strcmp(application, "0") == 0;
    if (*ret_empty)
        return 0;
    (void)sqlite3_snprintf(sizeof(expected), expected, "%d", APPLICATION_ID);
    if (strcmp(application, expected) != 0)
        return error_set(err, -EMEDIUMTYPE,
                         "\"%s\" is the database of another program; move it away", path);
    return sqlite_check_version(version, path, err);
}

/* From here on an older hoist refuses it. Of our own version it is not written to: the disk may be
 * full. */
static int sqlite_claim(sqlite3 *db, struct error *err)
{
    char sql[64], version[16];
    int r = sqlite_ask(db, "PRAGMA user_version", version, sizeof(version), err);

    if (r < 0 || strtol(version, NULL, 10) == STORE_SCHEMA_VERSION)
        return r;
    (void)sqlite3_snprintf(sizeof(sql), sql, "PRAGMA user_version=%d", STORE_SCHEMA_VERSION);
    return sqlite_run(db, sql, err);
}

static int sqlite_check(sqlite3 *db, struct error *err)
{
    char answer[160];
    int r = sqlite_ask(db, "PRAGMA quick_check(1)", answer, sizeof(answer), err);

    if (r < 0)
        return r;
    if (strcmp(answer, "ok") != 0)
        return error_set(err, -EBADMSG, "the database of jobs is damaged: %s", answer);
    return 0;
}

static int sqlite_connect(const char *path, sqlite3 **ret, struct error *err)
{
    _cleanup_sqlite_ sqlite3 *db = NULL;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return sqlite_fail(db, "can't open the database of jobs", err);
    (void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MSEC);
    /* Hardening; each is there since 3.26 or before, and a library without one works as well. A
     * damaged database is put aside as it is: no checkpoint when the connection is closed. */
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    *ret = TAKE_PTR(db);
    return 0;
}

static int sqlite_create_schema(sqlite3 *db, struct error *err)
{
    char sql[128];
    int r = sqlite_run(db, "BEGIN IMMEDIATE", err);

    if (r == 0)
        r = sqlite_run(db, schema, err);
    (void)sqlite3_snprintf(sizeof(sql), sql, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                           APPLICATION_ID, STORE_SCHEMA_VERSION);
    if (r == 0)
        r = sqlite_run(db, sql, err);
    return r == 0 ? sqlite_run(db, "COMMIT", err) : r;
}

int sqlite_open(const char *path, sqlite3 **ret, bool *ret_created, struct error *err)
{
    _cleanup_sqlite_ sqlite3 *db = NULL;
    bool created = false, empty = false;
    int r;

    r = file_prepare(path, &created, err);
    if (r == 0)
        r = sqlite_connect(path, &db, err);
    /* One process alone: the lock is kept, and the index of the journal needs no shared memory. */
    if (r == 0)
        r = sqlite_run(db, "PRAGMA locking_mode=EXCLUSIVE", err);
    if (r == 0)
        r = sqlite_identify(db, path, &empty, err);
    if (r == 0)
        r = sqlite_check(db, err);
    if (r == 0)
        r = sqlite_run(db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                       "PRAGMA journal_size_limit=" JOURNAL_SIZE_LIMIT ";"
                       "PRAGMA cache_size=-" CACHE_KIB,
                       err);
    if (r == 0)
        r = empty ? sqlite_create_schema(db, err) : sqlite_claim(db, err);
    if (r < 0)
        return r;
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL); /* as above */
    *ret_created = created;
    *ret = TAKE_PTR(db);
    return 0;
}

static int move_aside(const char *path, const char *aside, const char *suffix, struct error *err)
{
    _cleanup_free_ char *from = text_format("%s%s", path, suffix);
    _cleanup_free_ char *to = text_format("%s%s", aside, suffix);

    if (!from || !to)
        return error_set(err, -ENOMEM, "no memory");
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 && errno != ENOENT)
        return error_set(err, -errno, "can't put the damaged database \"%s\" aside: %s", from,
                         strerror(errno));
    return 0;
}

/* The journal goes first: a database without its journal would look sound and lack records. */
int sqlite_quarantine(const char *path, struct store_open_report *report, struct error *err)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", ""};
    usec_t now = clock_wall();
    time_t seconds = (time_t)(now / USEC_PER_SEC);
    _cleanup_free_ char *aside = NULL;
    char stamp[32];
    struct tm utc;

    (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", gmtime_r(&seconds, &utc));
    aside = text_format("%s.damaged-%s.%06uZ", path, stamp, (unsigned)(now % USEC_PER_SEC));
    if (!aside)
        return error_set(err, -ENOMEM, "no memory");
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        int r = move_aside(path, aside, suffixes[i], err);

        if (r < 0)
            return r;
    }
    (void)snprintf(report->quarantined, sizeof(report->quarantined), "%s", aside);
    return 0;
}
