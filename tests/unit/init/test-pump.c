/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pump on real pipes and files, with a disk that fills when a test wants it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "init/pump.h"
#include "output/files.h"
#include "wire/output-rules.h"

#define NOW (100 * USEC_PER_SEC)

static struct {
    size_t room; /* bytes of data until the disk is full */
    int error;   /* what writing says instead, if not 0 */
} disk;

static ssize_t write_to_disk(int fd, const void *data, size_t size)
{
    size_t part = size < disk.room ? size : disk.room;

    errno = disk.error ? disk.error : ENOSPC;
    if (part == 0 || disk.error)
        return -1;
    disk.room -= part;
    return write(fd, data, part);
}

static ssize_t pwrite_to_disk(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite(fd, data, size, offset);
}

static struct output_writer_calls calls;

struct fixture {
    char directory[64];
    struct output_files files;
    struct pump pump;
    int writer; /* of the pipe */
};

static const struct output_rules no_rules;

static void setup(struct fixture *fixture, const struct output_rules *rules)
{
    struct id id;
    int dir_fd, fds[2];

    *fixture = (struct fixture){.directory = "/tmp/hoist-test-pump-XXXXXX"};
    assert_non_null(mkdtemp(fixture->directory));
    dir_fd = open(fixture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(id_new(&id), 0);
    assert_int_equal(output_files_create(dir_fd, &id, false, 1, &fixture->files, NULL), 0);
    (void)unlinkat(dir_fd, "output", 0);
    (void)unlinkat(dir_fd, "index", 0);
    (void)fd_close(dir_fd);
    (void)rmdir(fixture->directory);
    assert_int_equal(
        pump_init(&fixture->pump, fixture->files.data, fixture->files.index, rules, NULL), 0);
    calls = output_system_calls;
    calls.write = write_to_disk;
    calls.pwrite = pwrite_to_disk;
    fixture->pump.writer.calls = &calls;
    disk.room = SIZE_MAX;
    disk.error = 0;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    pump_add(&fixture->pump, fds[0], OUTPUT_STREAM_STDOUT);
    fixture->writer = fds[1];
}

static void teardown(struct fixture *fixture)
{
    (void)fd_close(fixture->writer);
    (void)pump_drain(&fixture->pump, NOW); /* closes the pipe, unless the disk is full */
    fixture->pump.fds[0] = fd_close(fixture->pump.fds[0]);
    output_files_close(&fixture->files);
}

static void put(struct fixture *fixture, const char *text)
{
    assert_int_equal(write(fixture->writer, text, strlen(text)), strlen(text));
}

static void assert_data(struct fixture *fixture, const char *expected)
{
    char text[256] = "";
    ssize_t n = pread(fixture->files.data, text, sizeof(text) - 1, 0);

    assert_int_equal(n, strlen(expected));
    assert_string_equal(text, expected);
}

static void test_pump_read_copies_what_is_there(void **unused)
{
    struct fixture fixture;
    uint64_t totals[2];

    setup(&fixture, &no_rules);
    put(&fixture, "hello");
    pump_read(&fixture.pump, 0, NOW);
    assert_data(&fixture, "hello");
    pump_read(&fixture.pump, 0, NOW); /* nothing there: not the end */
    assert_true(pump_poll_fd(&fixture.pump, 0) >= 0);
    pump_totals(&fixture.pump, totals);
    assert_int_equal(totals[0], 5);
    assert_int_equal(totals[1], 0);
    assert_int_equal(pump_next(&fixture.pump), USEC_INFINITY);
    teardown(&fixture);
}

static void test_pump_read_closes_a_pipe_at_its_end(void **unused)
{
    struct fixture fixture;

    setup(&fixture, &no_rules);
    put(&fixture, "x");
    fixture.writer = fd_close(fixture.writer);
    pump_read(&fixture.pump, 0, NOW);
    assert_true(pump_poll_fd(&fixture.pump, 0) >= 0);
    pump_read(&fixture.pump, 0, NOW);
    assert_int_equal(pump_poll_fd(&fixture.pump, 0), FD_NONE);
    teardown(&fixture);
}

static void test_pump_waits_for_the_disk_and_loses_nothing(void **unused)
{
    struct fixture fixture;

    setup(&fixture, &no_rules);
    disk.room = 3;
    put(&fixture, "abcdef");
    pump_read(&fixture.pump, 0, NOW);
    assert_true(fixture.pump.disk_full);
    assert_int_equal(pump_poll_fd(&fixture.pump, 0), FD_NONE);
    assert_true(pump_next(&fixture.pump) > NOW && pump_next(&fixture.pump) < NOW + USEC_PER_SEC);
    put(&fixture, "ghi"); /* stays in the pipe */
    pump_check(&fixture.pump, pump_next(&fixture.pump));
    assert_true(fixture.pump.disk_full);
    disk.room = SIZE_MAX;
    pump_check(&fixture.pump, pump_next(&fixture.pump));
    assert_false(fixture.pump.disk_full);
    pump_read(&fixture.pump, 0, NOW);
    assert_data(&fixture, "abcdefghi");
    teardown(&fixture);
}

static void test_pump_drain_and_finish_wait_for_the_disk(void **unused)
{
    struct fixture fixture;

    setup(&fixture, &no_rules);
    disk.room = 0;
    put(&fixture, "abc");
    assert_false(pump_drain(&fixture.pump, NOW));
    assert_false(pump_drain(&fixture.pump, NOW));
    disk.room = SIZE_MAX;
    pump_check(&fixture.pump, pump_next(&fixture.pump));
    assert_true(pump_drain(&fixture.pump, NOW));
    assert_int_equal(pump_finish(&fixture.pump, NOW), 0);
    assert_data(&fixture, "abc");
    assert_int_equal(pump_finish(&fixture.pump, NOW), 0); /* again is no harm */
    teardown(&fixture);
}

static void test_pump_stops_at_an_error(void **unused)
{
    struct fixture fixture;

    setup(&fixture, &no_rules);
    disk.error = EIO;
    put(&fixture, "abc");
    pump_read(&fixture.pump, 0, NOW);
    assert_int_equal(fixture.pump.error, -EIO);
    assert_int_equal(pump_poll_fd(&fixture.pump, 0), FD_NONE);
    assert_true(pump_drain(&fixture.pump, NOW));
    assert_int_equal(pump_finish(&fixture.pump, NOW), -EIO);
    teardown(&fixture);
}

/* A directory can be opened and not be read. */
static void test_pump_takes_no_failed_read_for_the_end(void **unused)
{
    struct fixture fixture;
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    setup(&fixture, &no_rules);
    assert_true(directory >= 0);
    assert_return_code(dup3(directory, fixture.pump.fds[0], O_CLOEXEC), errno);
    close(directory);
    pump_read(&fixture.pump, 0, NOW);
    assert_int_equal(fixture.pump.error, -EISDIR);
    assert_int_equal(pump_finish(&fixture.pump, NOW), -EISDIR);
    teardown(&fixture);
}

static void test_pump_holds_the_rate(void **unused)
{
    struct fixture fixture;
    char piece[8192];

    setup(&fixture, &(struct output_rules){.rate = 4096});
    memset(piece, 'x', sizeof(piece));
    assert_int_equal(write(fixture.writer, piece, sizeof(piece)), sizeof(piece));
    fixture.pump.rate.filled = NOW;
    pump_read(&fixture.pump, 0, NOW); /* a bucket of one page */
    pump_read(&fixture.pump, 0, NOW);
    assert_true(fixture.pump.throttled);
    assert_int_equal(pump_poll_fd(&fixture.pump, 0), FD_NONE);
    pump_check(&fixture.pump, pump_next(&fixture.pump));
    assert_true(pump_poll_fd(&fixture.pump, 0) >= 0);
    pump_lift_rate(&fixture.pump);
    assert_true(pump_drain(&fixture.pump, NOW));
    assert_int_equal(fixture.pump.writer.end, sizeof(piece));
    teardown(&fixture);
}

static void test_pump_gives_memory_back_when_idle(void **unused)
{
    struct fixture fixture;
    char piece[8192];

    setup(&fixture, &no_rules);
    memset(piece, 'x', sizeof(piece));
    assert_int_equal(write(fixture.writer, piece, sizeof(piece)), sizeof(piece));
    pump_read(&fixture.pump, 0, NOW);
    assert_int_equal(fixture.pump.buffer[0], 'x');
    assert_int_equal(pump_next(&fixture.pump), NOW + USEC_PER_SEC);
    pump_check(&fixture.pump, NOW + USEC_PER_SEC);
    assert_int_equal(pump_next(&fixture.pump), USEC_INFINITY);
    assert_int_equal(fixture.pump.buffer[0], 0);
    teardown(&fixture);
}

/* As a job that writes `size` bytes does, whose pipe is emptied each time it is full. */
static void pour(struct fixture *fixture, size_t size)
{
    static char bytes[65536];

    for (; size > 0; size -= sizeof(bytes)) {
        assert_int_equal(write(fixture->writer, bytes, sizeof(bytes)), sizeof(bytes));
        pump_read(&fixture->pump, 0, NOW);
    }
}

static void test_pump_keeps_both_ends_of_what_is_beyond_the_cap(void **unused)
{
    struct fixture fixture;
    const struct output_gap *gap = &fixture.pump.writer.header.gap;

    (void)unused;
    setup(&fixture, &(struct output_rules){.cap = 1 << 20});
    pour(&fixture, 4 << 20);
    assert_int_equal(fixture.pump.error, 0);
    assert_false(fixture.pump.beyond_cap);
    assert_int_equal(fixture.pump.writer.end, 4 << 20);
    assert_in_range(gap->end - gap->start, 3 << 20, (3 << 20) + (1 << 18));
    teardown(&fixture);
}

static void test_pump_throws_away_what_is_beyond_the_cap_of_a_job_that_is_stopped(void **unused)
{
    struct fixture fixture;

    (void)unused;
    setup(&fixture, &(struct output_rules){.cap = 1 << 20, .stop_at_cap = true});
    pour(&fixture, 1 << 19);
    assert_false(fixture.pump.beyond_cap);
    pour(&fixture, 1 << 20);
    assert_true(fixture.pump.beyond_cap);
    assert_in_range(fixture.pump.writer.end, (1 << 20) - 2000, 1 << 20);
    assert_true(pump_drain(&fixture.pump, NOW));
    assert_int_equal(pump_finish(&fixture.pump, NOW), 0);
    teardown(&fixture);
}

static void test_pump_reads_as_much_at_once_as_was_said(void **unused)
{
    struct fixture fixture;

    (void)unused;
    setup(&fixture, &(struct output_rules){.read_buffer = 4096});
    assert_int_equal(write(fixture.writer, (char[10000]){0}, 10000), 10000);
    pump_read(&fixture.pump, 0, NOW);
    assert_int_equal(fixture.pump.writer.end, 4096);
    teardown(&fixture);
}

/*
 * A job that writes a byte to each stream in turn, 10,000 times a second: all of it arrives, late
 * by the length of an entry at most, and the index stays below an entry for each such length. The
 * first changes are taken as they come.
 */
static void test_pump_keeps_the_index_of_a_job_that_changes_streams_small(void **unused)
{
    struct fixture fixture;
    struct pump *pump = &fixture.pump;
    usec_t now = clock_boot(), end = now + 2 * USEC_PER_SEC;
    uint64_t entries, totals[2];
    int fds[2];

    (void)unused;
    setup(&fixture, &no_rules);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    pump_add(pump, fds[0], OUTPUT_STREAM_STDERR);
    for (uint64_t written = 1; now < end; now += 100, written++) {
        assert_int_equal(write(fixture.writer, "o", 1), 1);
        assert_int_equal(write(fds[1], "e", 1), 1);
        pump_check(pump, now);
        pump_read(pump, 0, now);
        pump_read(pump, 1, now);
        pump_totals(pump, totals);
        assert_in_range(totals[0], written > 200 ? written - 200 : 0, written);
        assert_in_range(totals[1], written > 200 ? written - 200 : 0, written);
        if (written == 20)
            assert_int_equal(pump->writer.position + pump->writer.batch_count, 40);
    }
    (void)fd_close(fds[1]);
    assert_true(pump_drain(pump, now));
    entries = pump->writer.position + pump->writer.batch_count;
    pump_totals(pump, totals);
    assert_int_equal(totals[0], 20000);
    assert_int_equal(totals[1], 20000);
    assert_in_range(entries, 150, 200 + 64 + 40000 / 3200 + 4);
    teardown(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pump_read_copies_what_is_there),
        cmocka_unit_test(test_pump_read_closes_a_pipe_at_its_end),
        cmocka_unit_test(test_pump_waits_for_the_disk_and_loses_nothing),
        cmocka_unit_test(test_pump_drain_and_finish_wait_for_the_disk),
        cmocka_unit_test(test_pump_stops_at_an_error),
        cmocka_unit_test(test_pump_takes_no_failed_read_for_the_end),
        cmocka_unit_test(test_pump_holds_the_rate),
        cmocka_unit_test(test_pump_gives_memory_back_when_idle),
        cmocka_unit_test(test_pump_keeps_both_ends_of_what_is_beyond_the_cap),
        cmocka_unit_test(test_pump_throws_away_what_is_beyond_the_cap_of_a_job_that_is_stopped),
        cmocka_unit_test(test_pump_reads_as_much_at_once_as_was_said),
        cmocka_unit_test(test_pump_keeps_the_index_of_a_job_that_changes_streams_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
