/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/crc32c.h"
#include "fixture.h"

static char read_buffer[256 * 1024];

static struct output_chunk expect_chunk(struct output_reader *reader, const char *text)
{
    struct output_chunk chunk = {};

    assert_int_equal(
        output_reader_next(reader, false, read_buffer, sizeof(read_buffer), &chunk, NULL),
        OUTPUT_CHUNK);
    assert_int_equal(chunk.size, strlen(text));
    assert_memory_equal(read_buffer, text, chunk.size);
    return chunk;
}

static void expect_result(struct output_reader *reader, int expected)
{
    struct output_chunk chunk = {};
    struct error err = {};

    assert_int_equal(
        output_reader_next(reader, false, read_buffer, sizeof(read_buffer), &chunk, &err),
        expected);
    if (expected < 0)
        assert_true(err.text[0] != '\0');
}

static void test_output_reader_next_tells_streams_and_times_apart(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;
    struct output_chunk chunk;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "one", 3, 100);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "two", 3, 200000);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "err", 3, 200001);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    chunk = expect_chunk(reader, "onetwo");
    assert_int_equal(chunk.stream, OUTPUT_STREAM_STDOUT);
    assert_int_equal(chunk.time, 100);
    chunk = expect_chunk(reader, "err");
    assert_int_equal(chunk.stream, OUTPUT_STREAM_STDERR);
    assert_int_equal(chunk.offset, 6);
    expect_result(reader, OUTPUT_AT_END);
    output_reader_close(reader);

    reader = fixture_reader(&fixture, 4, OUTPUT_STREAMS_ALL, OUTPUT_READER_UNTOLD_STREAMS);
    chunk = expect_chunk(reader, "woerr");
    assert_int_equal(chunk.stream, OUTPUT_STREAM_NONE);
    assert_int_equal(chunk.offset, 4);
    output_reader_close(reader);

    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, OUTPUT_READER_EACH_ENTRY);
    expect_chunk(reader, "one");
    assert_int_equal(expect_chunk(reader, "two").time, 200000);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_chooses_streams(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 10000; i++)
        fixture_append(&fixture, i % 1000 == 999 ? OUTPUT_STREAM_STDERR : OUTPUT_STREAM_STDOUT,
                       i % 1000 == 999 ? "E" : "o", 1, i * OUTPUT_ENTRY_USEC_MAX);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDERR), 0);
    for (unsigned i = 1; i <= 10; i++)
        assert_int_equal(expect_chunk(reader, "E").offset, i * 1000 - 1);
    expect_result(reader, OUTPUT_AT_END);
    assert_int_equal(output_reader_bytes(reader), 10);
    assert_int_equal(output_reader_crc(reader), crc32c(0, "EEEEEEEEEE", 10));
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_lets_others_have_their_turn(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;
    struct output_chunk chunk;
    unsigned skipped = 0;
    int r;

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 20000; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "o", 1, i * OUTPUT_ENTRY_USEC_MAX);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDERR), 0);
    while ((r = output_reader_next(reader, false, read_buffer, 1, &chunk, NULL)) == OUTPUT_SKIPPED)
        skipped++;
    assert_int_equal(r, OUTPUT_AT_END);
    assert_in_range(skipped, 2, 20);
    assert_int_equal(output_reader_offset(reader), 20000);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_chooses_a_merged_job_as_stdout(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;

    (void)unused;
    fixture_begin(&fixture, true);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "both", 4, 1);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT), 0);
    assert_int_equal(expect_chunk(reader, "both").stream, OUTPUT_STREAM_MERGED);
    output_reader_close(reader);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDERR), 0);
    expect_result(reader, OUTPUT_AT_END);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_end_ends_before_the_first_later_entry(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, 100000);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "cd", 2, 200000);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    output_reader_end(reader, 200000);
    expect_chunk(reader, "abcd");
    expect_result(reader, OUTPUT_AT_END);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "ef", 2, 300000);
    expect_result(reader, OUTPUT_ENDED);
    expect_result(reader, OUTPUT_ENDED);
    assert_int_equal(output_reader_offset(reader), 4);
    output_reader_close(reader);
    reader = fixture_reader(&fixture, 1, OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT), 0);
    output_reader_end(reader, 199999);
    expect_chunk(reader, "b");
    expect_result(reader, OUTPUT_ENDED);
    output_reader_close(reader);
    assert_int_equal(output_writer_finish(&fixture.writer, 900000), 0);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    output_reader_end(reader, 300000); /* END is no output: its time doesn't matter */
    expect_chunk(reader, "abcd");
    expect_chunk(reader, "ef");
    expect_result(reader, OUTPUT_COMPLETE);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_start_waits_for_the_first_entry_of_a_time(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;

    (void)unused;
    fixture_begin(&fixture, false);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    output_reader_start(reader, 0, 200000);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, 199000);
    expect_result(reader, OUTPUT_AT_END);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "cd", 2, 200500); /* the same entry */
    expect_result(reader, OUTPUT_AT_END);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "ef", 2, 250000);
    assert_int_equal(expect_chunk(reader, "ef").offset, 4);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "gh", 2, 100000); /* the clock was set back */
    expect_chunk(reader, "gh");
    output_reader_close(reader);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT), 0);
    output_reader_start(reader, 0, 200000);
    expect_chunk(reader, "gh");
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_follows_an_entry_that_grows(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader, *ahead;

    (void)unused;
    fixture_begin(&fixture, false);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    ahead = fixture_reader(&fixture, 4, OUTPUT_STREAMS_ALL, 0);
    expect_result(reader, OUTPUT_AT_END);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, 1);
    expect_chunk(reader, "ab");
    expect_result(reader, OUTPUT_AT_END);
    expect_result(ahead, OUTPUT_AT_END);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "cdef", 4, 2);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "!", 1, 2);
    expect_chunk(reader, "cdef");
    expect_chunk(reader, "!");
    expect_chunk(ahead, "ef");
    assert_int_equal(output_writer_finish(&fixture.writer, 3), 0);
    expect_result(reader, OUTPUT_COMPLETE);
    expect_result(reader, OUTPUT_COMPLETE);
    assert_int_equal(output_reader_crc(reader), crc32c(0, "abcdef!", 7));
    output_reader_close(reader);
    output_reader_close(ahead);
    fixture_end(&fixture);
}

/* Who is told of changes looks when he was told, and not before: each line is looked up once. */
static void test_output_reader_follow_looks_when_told(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;

    (void)unused;
    fixture_begin(&fixture, false);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    output_reader_follow(reader);
    expect_result(reader, OUTPUT_AT_END);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, 1);
    output_reader_changed(reader);
    expect_chunk(reader, "ab");
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "cd", 2, 2);
    expect_result(reader, OUTPUT_AT_END);
    output_reader_changed(reader);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "!", 1, 2);
    assert_int_equal(output_writer_finish(&fixture.writer, 3), 0);
    expect_chunk(reader, "cd");
    expect_chunk(reader, "!");
    expect_result(reader, OUTPUT_COMPLETE);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_refuses_an_offset_behind_the_end(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, 1);
    assert_int_equal(output_writer_finish(&fixture.writer, 3), 0);
    reader = fixture_reader(&fixture, 4, OUTPUT_STREAMS_ALL, 0);
    expect_result(reader, -ERANGE);
    output_reader_close(reader);
    reader = fixture_reader(&fixture, 3, OUTPUT_STREAMS_ALL, 0);
    expect_result(reader, OUTPUT_COMPLETE);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_takes_a_torn_last_entry_for_not_there_yet(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;
    struct output_entry entry;
    uint8_t bytes[OUTPUT_ENTRY_SIZE];

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, 1);
    assert_int_equal(fixture_entry(&fixture, 0, &entry), 0);
    output_entry_encode(&entry, bytes);
    bytes[3] ^= 0x55;
    fixture_overwrite(fixture.files.index, output_entry_offset(0), bytes, sizeof(bytes));
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    expect_result(reader, OUTPUT_AT_END);
    bytes[3] ^= 0x55;
    fixture_overwrite(fixture.files.index, output_entry_offset(0), bytes, sizeof(bytes));
    expect_chunk(reader, "ab");
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_reports_damage_of_the_index(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;
    const uint8_t damage = 0x99;
    const uint8_t zeros[OUTPUT_ENTRY_SIZE] = {0};

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 4; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, i * OUTPUT_ENTRY_USEC_MAX);
    fixture_overwrite(fixture.files.index, output_entry_offset(1) + 5, &damage, 1);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    expect_chunk(reader, "ab");
    expect_result(reader, -EBADMSG);
    output_reader_close(reader);
    /* Zeros outside of the gap are damage as well. */
    fixture_overwrite(fixture.files.index, output_entry_offset(1), zeros, sizeof(zeros));
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    expect_chunk(reader, "ab");
    expect_result(reader, -EBADMSG);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void test_output_reader_next_reports_damage_of_the_data(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abcd", 4, 1);
    assert_int_equal(output_writer_finish(&fixture.writer, 3), 0);
    fixture_overwrite(fixture.files.data, 2, "X", 1);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    expect_result(reader, -EBADMSG);
    output_reader_close(reader);
    assert_int_equal(ftruncate(fixture.files.data, 0), 0);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    expect_result(reader, -EBADMSG);
    output_reader_close(reader);
    fixture_end(&fixture);
}

static void punch(int fd, uint64_t start, uint64_t end)
{
    static const uint8_t zeros[65536];

    /* Zeros are what a hole reads as, on file systems that can't punch one too. */
    for (uint64_t at = start; at < end; at += sizeof(zeros))
        fixture_overwrite(fd, at, zeros, (size_t)MIN(end - at, (uint64_t)sizeof(zeros)));
}

static void test_output_reader_next_never_gives_out_dropped_bytes(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader, *early, *before;
    struct output_chunk chunk;

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 100; i++)
        fixture_append(&fixture, i % 2 ? OUTPUT_STREAM_STDERR : OUTPUT_STREAM_STDOUT, "abcdefgh", 8,
                       i * OUTPUT_ENTRY_USEC_MAX);
    early = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, OUTPUT_READER_UNTOLD_STREAMS);
    assert_int_equal(output_reader_next(early, false, read_buffer, 240, &chunk, NULL),
                     OUTPUT_CHUNK);
    before = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, OUTPUT_READER_UNTOLD_STREAMS);
    assert_int_equal(output_reader_next(before, false, read_buffer, 40, &chunk, NULL),
                     OUTPUT_CHUNK);

    /* Entries 10 … 89. */
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){80, 720, 320}),
                     0);
    punch(fixture.files.data, 80, 720);
    punch(fixture.files.index, output_entry_offset(10), output_entry_offset(90));

    /* Somebody in the middle, with the entries in its memory, who knew of no gap. */
    assert_int_equal(output_reader_next(early, false, read_buffer, 240, &chunk, NULL), OUTPUT_GAP);
    assert_int_equal(chunk.offset, 240);
    assert_int_equal(chunk.gap_end, 720);
    assert_int_equal(output_reader_next(early, false, read_buffer, 800, &chunk, NULL),
                     OUTPUT_CHUNK);
    assert_int_equal(chunk.offset, 720);
    assert_int_equal(chunk.size, 80);
    output_reader_close(early);

    /* Somebody whose next read begins before the gap. */
    assert_int_equal(output_reader_next(before, false, read_buffer, 240, &chunk, NULL),
                     OUTPUT_CHUNK);
    assert_int_equal(chunk.offset, 40);
    assert_int_equal(chunk.size, 40);
    assert_int_equal(output_reader_next(before, false, read_buffer, 240, &chunk, NULL), OUTPUT_GAP);
    assert_int_equal(chunk.offset, 80);
    output_reader_close(before);

    for (uint64_t offset = 0; offset < 800; offset++) {
        uint64_t next = offset;
        int r;

        reader = fixture_reader(&fixture, offset, OUTPUT_STREAMS_ALL, 0);
        while ((r = output_reader_next(reader, false, read_buffer, 64, &chunk, NULL)) !=
               OUTPUT_AT_END) {
            assert_true(r == OUTPUT_CHUNK || r == OUTPUT_GAP);
            assert_int_equal(chunk.offset, next);
            assert_true(r == OUTPUT_GAP || read_buffer[0] == "abcdefgh"[next % 8]);
            next = r == OUTPUT_GAP ? chunk.gap_end : next + chunk.size;
        }
        assert_int_equal(next, 800);
        output_reader_close(reader);
    }
    fixture_end(&fixture);
}

static void test_output_reader_next_refuses_what_is_no_index(void **unused)
{
    struct fixture fixture;
    _cleanup_output_reader_ struct output_reader *reader = NULL;
    const uint8_t damage = 1;
    struct output_chunk chunk;
    struct error err;
    uint8_t byte;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_overwrite(fixture.files.index, 57, &damage, 1);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    assert_int_equal(output_reader_next(reader, false, &byte, 1, &chunk, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "header"));
    fixture_end(&fixture);
}

static void test_output_reader_next_nowait_reads_what_was_just_written(void **unused)
{
    struct fixture fixture;
    struct output_reader *reader;
    struct output_chunk chunk;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "hot", 3, 1);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    assert_int_equal(output_reader_next(reader, true, read_buffer, 100, &chunk, NULL),
                     OUTPUT_CHUNK);
    assert_int_equal(chunk.size, 3);
    assert_int_equal(output_reader_next(reader, true, read_buffer, 100, &chunk, NULL),
                     OUTPUT_AT_END);
    output_reader_close(reader);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_reader_next_tells_streams_and_times_apart),
        cmocka_unit_test(test_output_reader_next_chooses_streams),
        cmocka_unit_test(test_output_reader_next_lets_others_have_their_turn),
        cmocka_unit_test(test_output_reader_next_chooses_a_merged_job_as_stdout),
        cmocka_unit_test(test_output_reader_end_ends_before_the_first_later_entry),
        cmocka_unit_test(test_output_reader_start_waits_for_the_first_entry_of_a_time),
        cmocka_unit_test(test_output_reader_next_follows_an_entry_that_grows),
        cmocka_unit_test(test_output_reader_follow_looks_when_told),
        cmocka_unit_test(test_output_reader_next_refuses_an_offset_behind_the_end),
        cmocka_unit_test(test_output_reader_next_takes_a_torn_last_entry_for_not_there_yet),
        cmocka_unit_test(test_output_reader_next_reports_damage_of_the_index),
        cmocka_unit_test(test_output_reader_next_reports_damage_of_the_data),
        cmocka_unit_test(test_output_reader_next_never_gives_out_dropped_bytes),
        cmocka_unit_test(test_output_reader_next_refuses_what_is_no_index),
        cmocka_unit_test(test_output_reader_next_nowait_reads_what_was_just_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
