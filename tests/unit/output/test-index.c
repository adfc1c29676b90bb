/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "fixture.h"
#include "output/index.h"

/* Each of two bytes. */
static void begin_with(struct fixture *fixture, unsigned entries)
{
    fixture_begin(fixture, false);
    for (usec_t i = 0; i < entries; i++)
        fixture_append(fixture, OUTPUT_STREAM_STDOUT, "ab", 2, i * OUTPUT_ENTRY_USEC_MAX);
}

static void test_output_index_read_says_what_is_there(void **unused)
{
    struct fixture fixture;
    struct output_entry entries[8];
    unsigned count;
    bool open;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(
        output_index_read(fixture.files.index, false, 0, entries, 8, &count, &open, NULL), 0);
    assert_int_equal(count, 0);
    for (unsigned i = 0; i < 3; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, i * OUTPUT_ENTRY_USEC_MAX);
    assert_int_equal(
        output_index_read(fixture.files.index, false, 0, entries, 8, &count, &open, NULL), 0);
    assert_int_equal(count, 3);
    assert_true(open);
    assert_int_equal(
        output_index_read(fixture.files.index, false, 0, entries, 2, &count, &open, NULL), 0);
    assert_int_equal(count, 2);
    assert_false(open);
    assert_int_equal(output_writer_finish(&fixture.writer, 9), 0);
    assert_int_equal(
        output_index_read(fixture.files.index, false, 2, entries, 8, &count, &open, NULL), 0);
    assert_int_equal(count, 2);
    assert_false(open);
    fixture_end(&fixture);
}

/* Of an index of three pages only the first is in memory: what is given then is final, and the
 * entry of which nobody knows whether it is the last isn't given as the last. */
static void test_output_index_read_nowait_tells_the_cache_s_end_from_the_file_s(void **unused)
{
    const unsigned first_page = (4096 - OUTPUT_HEADER_SIZE) / OUTPUT_ENTRY_SIZE;
    struct output_entry entries[64];
    struct fixture fixture;
    unsigned count;
    uint8_t byte;
    bool open;
    int r;

    (void)unused;
    begin_with(&fixture, 300);
    assert_int_equal(fsync(fixture.files.index), 0);
    assert_int_equal(posix_fadvise(fixture.files.index, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(posix_fadvise(fixture.files.index, 0, 0, POSIX_FADV_RANDOM), 0);
    assert_int_equal(pread(fixture.files.index, &byte, 1, 0), 1);

    assert_int_equal(output_index_read(fixture.files.index, true, first_page - 20, entries, 64,
                                       &count, &open, NULL),
                     0);
    assert_true(count == 19 || count == 64); /* 64: a file system that keeps all in memory */
    assert_false(open);
    assert_int_equal(entries[count - 1].end, (first_page - 20 + count) * 2);
    r = output_index_read(fixture.files.index, true, first_page - 1, entries, 64, &count, &open,
                          NULL);
    assert_true(r == -EAGAIN || (r == 0 && count == 64 && !open));
    fixture_end(&fixture);
}

static void test_output_index_read_nowait_knows_the_end_at_a_page_s_end(void **unused)
{
    const unsigned first_page = (4096 - OUTPUT_HEADER_SIZE) / OUTPUT_ENTRY_SIZE;
    struct output_entry entries[64];
    struct fixture fixture;
    unsigned count;
    bool open;

    (void)unused;
    begin_with(&fixture, first_page);
    assert_int_equal(output_index_read(fixture.files.index, true, first_page - 20, entries, 64,
                                       &count, &open, NULL),
                     0);
    assert_int_equal(count, 20);
    assert_true(open);
    fixture_end(&fixture);
}

static void test_output_index_read_stops_before_what_is_damaged(void **unused)
{
    struct fixture fixture;
    struct output_entry entries[8];
    unsigned count;
    bool open;
    const uint8_t damage = 0x66;

    (void)unused;
    begin_with(&fixture, 4);
    fixture_overwrite(fixture.files.index, output_entry_offset(2), &damage, 1);
    assert_int_equal(
        output_index_read(fixture.files.index, false, 0, entries, 8, &count, &open, NULL), 0);
    assert_int_equal(count, 2);
    assert_false(open);
    assert_int_equal(
        output_index_read(fixture.files.index, false, 2, entries, 8, &count, &open, NULL),
        -EBADMSG);
    assert_int_equal(output_index_read(FD_NONE, false, 2, entries, 8, &count, &open, NULL), -EBADF);
    fixture_end(&fixture);
}

static void test_output_index_find_offset_finds_every_byte(void **unused)
{
    struct fixture fixture;
    const struct output_gap none = {};
    uint64_t position;

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 50; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, i * OUTPUT_ENTRY_USEC_MAX);
    for (unsigned offset = 0; offset < 160; offset++) {
        assert_int_equal(
            output_index_find_offset(fixture.files.index, false, offset, &none, &position, NULL),
            0);
        assert_int_equal(position, offset < 150 ? offset / 3 : 50);
    }
    assert_int_equal(output_writer_finish(&fixture.writer, 9), 0);
    assert_int_equal(
        output_index_find_offset(fixture.files.index, false, 150, &none, &position, NULL), 0);
    assert_int_equal(position, 50);
    fixture_end(&fixture);
}

static uint64_t offset_of_time(const struct fixture *fixture, usec_t time)
{
    uint64_t offset;

    assert_int_equal(output_index_find_time(fixture->files.index, false, time, &offset, NULL), 0);
    return offset;
}

static void test_output_index_find_time_finds_the_first_byte_since(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(offset_of_time(&fixture, 0), 0);
    for (unsigned i = 0; i < 1000; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, i * OUTPUT_ENTRY_USEC_MAX);
    assert_int_equal(offset_of_time(&fixture, 0), 0);
    assert_int_equal(offset_of_time(&fixture, 1), 3);
    assert_int_equal(offset_of_time(&fixture, 500 * OUTPUT_ENTRY_USEC_MAX), 1500);
    assert_int_equal(offset_of_time(&fixture, 500 * OUTPUT_ENTRY_USEC_MAX + 1), 1503);
    assert_int_equal(offset_of_time(&fixture, USEC_INFINITY), 3000);
    fixture_end(&fixture);
}

static void test_output_index_find_time_passes_dropped_entries(void **unused)
{
    struct fixture fixture;
    static const uint8_t zeros[600 * OUTPUT_ENTRY_SIZE];

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 1000; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, i * OUTPUT_ENTRY_USEC_MAX);
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){300, 2100, 0}),
                     0);
    fixture_overwrite(fixture.files.index, output_entry_offset(100), zeros, sizeof(zeros));
    assert_int_equal(offset_of_time(&fixture, 99 * OUTPUT_ENTRY_USEC_MAX), 297);
    assert_int_equal(offset_of_time(&fixture, 300 * OUTPUT_ENTRY_USEC_MAX), 2100);
    assert_int_equal(offset_of_time(&fixture, 900 * OUTPUT_ENTRY_USEC_MAX), 2700);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_index_read_says_what_is_there),
        cmocka_unit_test(test_output_index_read_nowait_tells_the_cache_s_end_from_the_file_s),
        cmocka_unit_test(test_output_index_read_nowait_knows_the_end_at_a_page_s_end),
        cmocka_unit_test(test_output_index_read_stops_before_what_is_damaged),
        cmocka_unit_test(test_output_index_find_offset_finds_every_byte),
        cmocka_unit_test(test_output_index_find_time_finds_the_first_byte_since),
        cmocka_unit_test(test_output_index_find_time_passes_dropped_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
