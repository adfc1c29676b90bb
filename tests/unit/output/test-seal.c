/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "fixture.h"
#include "output/seal.h"
#include "output/totals.h"

/* Seals and reads all; the text is what a reader must get. */
static void check_sealed(struct fixture *fixture, const char *expected)
{
    struct output_reader *reader;
    struct output_chunk chunk;
    struct output_totals totals = {};
    char bytes[256];
    size_t got = 0;
    int r;

    assert_int_equal(output_seal(&fixture->files, 99, NULL), 0);
    assert_int_equal(output_seal(&fixture->files, 100, NULL), 0);
    reader = fixture_reader(fixture, 0, OUTPUT_STREAMS_ALL, 0);
    while ((r = output_reader_next(reader, false, bytes + got, sizeof(bytes) - got, &chunk,
                                   NULL)) == OUTPUT_CHUNK)
        got += chunk.size;
    output_reader_close(reader);
    assert_int_equal(r, OUTPUT_COMPLETE);
    assert_int_equal(got, strlen(expected));
    assert_memory_equal(bytes, expected, got);
    assert_int_equal(output_totals_update(fixture->files.index, &totals, NULL), 0);
    assert_true(totals.complete);
    assert_true(totals.lost);
    assert_int_equal(totals.end, got);
    assert_int_equal(totals.end_time, 99);
}

static void test_output_seal_ends_what_was_whole(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    check_sealed(&fixture, "");
    fixture_end(&fixture);
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, 1);
    check_sealed(&fixture, "abc");
    fixture_end(&fixture);
}

static void test_output_seal_leaves_a_finished_output_alone(void **unused)
{
    struct fixture fixture;
    struct output_totals totals = {};

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, 1);
    assert_int_equal(output_writer_finish(&fixture.writer, 5), 0);
    assert_int_equal(output_seal(&fixture.files, 99, NULL), 0);
    assert_int_equal(output_totals_update(fixture.files.index, &totals, NULL), 0);
    assert_false(totals.lost);
    assert_int_equal(totals.end_time, 5);
    fixture_end(&fixture);
}

static void test_output_seal_keeps_bytes_without_an_entry(void **unused)
{
    struct fixture fixture;
    struct output_entry entry;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "abc", 3, 1);
    assert_int_equal(fd_write_full(fixture.files.data, "def", 3), 0);
    check_sealed(&fixture, "abcdef");
    assert_int_equal(fixture_entry(&fixture, 1, &entry), 0);
    assert_int_equal(entry.flags, OUTPUT_ENTRY_RECOVERED);
    assert_true(entry.time > 1);
    fixture_end(&fixture);
}

static void test_output_seal_replaces_torn_entries(void **unused)
{
    struct fixture fixture;
    const uint8_t torn[40] = {1, 2, 3};

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, 1);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "def", 3, 1);
    fixture_overwrite(fixture.files.index, output_entry_offset(1), torn, sizeof(torn));
    check_sealed(&fixture, "abcdef");
    fixture_end(&fixture);
}

static void test_output_seal_cuts_entries_whose_bytes_are_gone(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, 1);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "def", 3, 1);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ghi", 3, 1);
    assert_int_equal(ftruncate(fixture.files.data, 4), 0);
    check_sealed(&fixture, "abcd");
    fixture_end(&fixture);
}

static void test_output_seal_ends_what_is_damaged_in_the_middle(void **unused)
{
    struct fixture fixture;
    struct output_totals totals = {};
    const uint8_t damage = 0x77;

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 4; i++)
        fixture_append(&fixture, i % 2 ? OUTPUT_STREAM_STDERR : OUTPUT_STREAM_STDOUT, "ab", 2, 1);
    fixture_overwrite(fixture.files.index, output_entry_offset(1), &damage, 1);
    assert_int_equal(output_seal(&fixture.files, 99, NULL), 0);
    assert_int_equal(output_totals_update(fixture.files.index, &totals, NULL), 0);
    assert_true(totals.complete);
    assert_int_equal(totals.end, 8);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_seal_ends_what_was_whole),
        cmocka_unit_test(test_output_seal_leaves_a_finished_output_alone),
        cmocka_unit_test(test_output_seal_keeps_bytes_without_an_entry),
        cmocka_unit_test(test_output_seal_replaces_torn_entries),
        cmocka_unit_test(test_output_seal_cuts_entries_whose_bytes_are_gone),
        cmocka_unit_test(test_output_seal_ends_what_is_damaged_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
