/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

/* What can be wrong with a database before and while it is used. */

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void overwrite(const char *path, off_t offset, const char *text, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, size, offset), (ssize_t)size);
    close(fd);
}

/* Opening must fail so, and leave the file as it is. */
static void expect_refusal(const struct fixture *fixture, int code, const char *word)
{
    struct store *store = NULL;
    struct store_open_report report;
    struct error err = {};
    struct stat before, after;

    assert_int_equal(stat(fixture->path, &before), 0);
    assert_int_equal(store_open_sqlite(fixture->path, &store, &report, &err), code);
    assert_null(store);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" says nothing of \"%s\"", err.text, word);
    assert_int_equal(stat(fixture->path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void test_store_open_sqlite_makes_a_private_file(void **unused)
{
    struct fixture fixture;
    struct store *store = NULL;
    struct store_open_report report;
    struct stat status;

    (void)unused;
    (void)umask(0);
    fixture_begin(&fixture);
    assert_int_equal(store_open_sqlite(fixture.path, &store, &report, NULL), 0);
    assert_true(report.created);
    store_close(store);
    assert_int_equal(stat(fixture.path, &status), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0600);
    assert_int_equal(store_open_sqlite(fixture.path, &store, &report, NULL), 0);
    assert_false(report.created);
    assert_string_equal(report.quarantined, "");
    store_close(store);
    fixture_end(&fixture);
}

static void test_store_open_sqlite_refuses_a_newer_schema(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture);
    store_close(fixture_open(&fixture));
    run_sql(fixture.path, "PRAGMA user_version=999");
    expect_refusal(&fixture, -EPROTO, "newer version");
    fixture_end(&fixture);
}

static void test_store_open_sqlite_refuses_what_is_not_ours(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture);
    run_sql(fixture.path, "CREATE TABLE cookies (a)");
    expect_refusal(&fixture, -EMEDIUMTYPE, "another program");
    assert_int_equal(unlink(fixture.path), 0);
    overwrite(fixture.path, 0, "dear diary, today I was no database", 35);
    expect_refusal(&fixture, -EMEDIUMTYPE, "not a database");
    assert_int_equal(unlink(fixture.path), 0);
    overwrite(fixture.path, 0, "short", 5);
    expect_refusal(&fixture, -EMEDIUMTYPE, "not a database");
    assert_int_equal(unlink(fixture.path), 0);
    assert_int_equal(mkfifo(fixture.path, 0600), 0);
    expect_refusal(&fixture, -EMEDIUMTYPE, "regular file");
    fixture_end(&fixture);
}

static void test_store_open_sqlite_refuses_a_symbolic_link(void **unused)
{
    struct fixture fixture;
    struct store *store = NULL;
    struct store_open_report report;

    (void)unused;
    fixture_begin(&fixture);
    assert_int_equal(symlink("/nonexistent/elsewhere", fixture.path), 0);
    assert_int_equal(store_open_sqlite(fixture.path, &store, &report, NULL), -ELOOP);
    fixture_end(&fixture);
}

static void test_store_open_sqlite_refuses_a_second_process(void **unused)
{
    struct fixture fixture;
    struct store *store;
    int opened[2], status;
    pid_t pid;

    (void)unused;
    fixture_begin(&fixture);
    assert_int_equal(pipe2(opened, O_CLOEXEC), 0);
    /* Before the database is open: a child would inherit what SQLite knows of its locks. */
    pid = fork();
    if (pid == 0) {
        struct store *other = NULL;
        struct store_open_report report;
        char byte;

        if (read(opened[0], &byte, 1) != 1)
            _exit(1);
        _exit(store_open_sqlite(fixture.path, &other, &report, NULL) == -EBUSY ? 0 : 1);
    }
    store = fixture_open(&fixture);
    assert_int_equal(write(opened[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(opened[0]);
    close(opened[1]);
    store_close(store);
    fixture_end(&fixture);
}

/* Damage of each kind: the database is put aside, whole, and an empty one takes its place. */
static void expect_quarantine(struct fixture *fixture)
{
    struct store *store = NULL;
    struct store_open_report report;
    struct store_record record = sample(1, "alice", "after");
    struct store_list list = {};
    struct stat before, aside;

    assert_int_equal(stat(fixture->path, &before), 0);
    assert_int_equal(store_open_sqlite(fixture->path, &store, &report, NULL), 0);
    assert_int_equal(strncmp(report.quarantined, fixture->path, strlen(fixture->path)), 0);
    assert_int_equal(stat(report.quarantined, &aside), 0);
    assert_int_equal(before.st_ino, aside.st_ino);
    assert_int_equal(before.st_size, aside.st_size);
    assert_int_equal(store_list(store, &(struct store_filter){}, &list, NULL), 0);
    assert_int_equal(list.count, 0);
    put(store, &record);
    store_close(store);
    assert_int_equal(unlink(report.quarantined), 0);
    (void)unlink(strcat(report.quarantined, "-wal"));
}

static void test_store_open_sqlite_puts_a_damaged_database_aside(void **unused)
{
    struct fixture fixture;
    struct store_record record = sample(1, "alice", "a");
    struct store *store;
    static char noise[3 * 4096];

    (void)unused;
    memset(noise, 0xa5, sizeof(noise));
    for (unsigned kind = 0; kind < 4; kind++) {
        fixture_begin(&fixture);
        store = fixture_open(&fixture);
        put(store, &record);
        store_close(store);
        if (kind == 0) /* pages */
            overwrite(fixture.path, 4096, noise, sizeof(noise));
        else if (kind == 1) /* the rest of the header */
            overwrite(fixture.path, 16, noise, 80);
        else if (kind == 2) /* the end is missing */
            assert_int_equal(truncate(fixture.path, 5000), 0);
        else
            run_sql(fixture.path, "DROP TABLE label");
        expect_quarantine(&fixture);
        fixture_end(&fixture);
    }
}

static void test_store_open_sqlite_keeps_what_a_killed_process_wrote(void **unused)
{
    struct fixture fixture;
    struct store *store;
    struct store_list list = {};
    int status;
    pid_t pid;

    (void)unused;
    fixture_begin(&fixture);
    pid = fork();
    if (pid == 0) {
        store = fixture_open(&fixture);
        for (uint8_t i = 1; i <= 20; i++) {
            struct store_record record = sample(i, "alice", NULL);

            put(store, &record);
        }
        _exit(0); /* nothing is closed, as after SIGKILL */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    store = fixture_open(&fixture);
    assert_int_equal(store_list(store, &(struct store_filter){}, &list, NULL), 0);
    assert_int_equal(list.count, 20);
    store_list_done(&list);
    store_close(store);
    fixture_end(&fixture);
}

static void test_store_open_sqlite_tells_a_directory_that_is_not_there(void **unused)
{
    struct store *store = NULL;
    struct store_open_report report;
    struct error err = {};

    (void)unused;
    assert_int_equal(store_open_sqlite("/nonexistent/hoist/jobs.db", &store, &report, &err),
                     -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/hoist/jobs.db"));
}

/* A file system of its own for a child: what `check` returns is the verdict. */
static void in_small_tmpfs(const char *options, unsigned long flags,
                           int (*check)(const struct fixture *fixture))
{
    struct fixture fixture;
    int status;
    pid_t pid;

    if (geteuid() != 0) {
        print_message("needs root to mount a file system\n");
        skip();
    }
    fixture_begin(&fixture);
    pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", fixture.dir, "tmpfs", flags, options) < 0)
            _exit(77);
        _exit(check(&fixture));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rmdir(fixture.dir), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("may not mount a file system here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* Fills the disk with records: refused with ENOSPC, nothing half written, and it goes on. */
static int check_full(const struct fixture *fixture)
{
    struct store *store = NULL;
    struct store_open_report report;
    struct store_record record = sample(1, "alice", NULL);
    static char large[100000];
    struct store_list list = {};
    size_t kept = 0;
    int r;

    if (store_open_sqlite(fixture->path, &store, &report, NULL) < 0)
        return 1;
    record.spec = large;
    record.spec_size = sizeof(large);
    for (uint8_t i = 0; (r = store_put(store, &record, NULL)) == 0; i++) {
        kept++;
        record.id.bytes[2] = (uint8_t)(i + 1);
    }
    if (r != -ENOSPC || kept == 0)
        return 2;
    if (store_list(store, &(struct store_filter){}, &list, NULL) < 0 || list.count != kept)
        return 3;
    /* In a transaction it may show at the commit only. */
    if (store_begin(store, NULL) < 0)
        return 4;
    r = store_put(store, &record, NULL);
    if (r == 0)
        r = store_commit(store, NULL);
    store_rollback(store);
    if (r != -ENOSPC)
        return 7;
    store_list_done(&list);
    if (mount(NULL, fixture->dir, NULL, MS_REMOUNT, "size=8m") < 0)
        return 5;
    if (store_put(store, &record, NULL) < 0)
        return 6;
    store_close(store);
    return 0;
}

static void test_store_put_tells_a_full_disk(void **unused)
{
    (void)unused;
    in_small_tmpfs("size=1m", 0, check_full);
}

static int check_no_room(const struct fixture *fixture)
{
    struct store *store = NULL;
    struct store_open_report report;
    struct error err = {};

    return store_open_sqlite(fixture->path, &store, &report, &err) == -ENOSPC ? 0 : 1;
}

static void test_store_open_sqlite_tells_a_full_disk(void **unused)
{
    (void)unused;
    in_small_tmpfs("size=4k", 0, check_no_room);
}

static int check_read_only(const struct fixture *fixture)
{
    struct store *store = NULL;
    struct store_open_report report;
    struct error err = {};

    return store_open_sqlite(fixture->path, &store, &report, &err) == -EROFS ? 0 : 1;
}

static void test_store_open_sqlite_tells_a_read_only_file_system(void **unused)
{
    (void)unused;
    in_small_tmpfs("size=1m", MS_RDONLY, check_read_only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_open_sqlite_makes_a_private_file),
        cmocka_unit_test(test_store_open_sqlite_refuses_a_newer_schema),
        cmocka_unit_test(test_store_open_sqlite_refuses_what_is_not_ours),
        cmocka_unit_test(test_store_open_sqlite_refuses_a_symbolic_link),
        cmocka_unit_test(test_store_open_sqlite_refuses_a_second_process),
        cmocka_unit_test(test_store_open_sqlite_puts_a_damaged_database_aside),
        cmocka_unit_test(test_store_open_sqlite_keeps_what_a_killed_process_wrote),
        cmocka_unit_test(test_store_open_sqlite_tells_a_directory_that_is_not_there),
        cmocka_unit_test(test_store_put_tells_a_full_disk),
        cmocka_unit_test(test_store_open_sqlite_tells_a_full_disk),
        cmocka_unit_test(test_store_open_sqlite_tells_a_read_only_file_system),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
