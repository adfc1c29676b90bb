/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "output/index.h"
#include "output/tail.h"

#define STDOUT OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT)
#define STDERR OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDERR)

static uint64_t tail_of(const struct output_files *files, unsigned streams,
                        enum output_tail_unit unit, uint64_t count)
{
    struct output_tail tail;
    uint64_t offset = UINT64_MAX;
    int r;

    output_tail_begin(&tail, files, streams, unit, count);
    while ((r = output_tail_step(&tail, false, &offset, NULL)) == 0)
        ;
    assert_int_equal(r, 1);
    return offset;
}

static uint64_t lines(struct fixture *fixture, unsigned streams, uint64_t count)
{
    return tail_of(&fixture->files, streams, OUTPUT_TAIL_LINES, count);
}

static uint64_t bytes(struct fixture *fixture, unsigned streams, uint64_t count)
{
    return tail_of(&fixture->files, streams, OUTPUT_TAIL_BYTES, count);
}

static void put(struct fixture *fixture, enum output_stream stream, const char *text)
{
    fixture_append(fixture, stream, text, strlen(text), 0);
}

static void test_output_tail_of_nothing_is_the_start(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 3), 0);
    assert_int_equal(bytes(&fixture, OUTPUT_STREAMS_ALL, 0), 0);
    assert_int_equal(output_writer_finish(&fixture.writer, 9), 0);
    assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 3), 0);
    assert_int_equal(bytes(&fixture, OUTPUT_STREAMS_ALL, 0), 0);
    fixture_end(&fixture);
}

static void test_output_tail_counts_lines(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    put(&fixture, OUTPUT_STREAM_STDOUT, "one\ntwo\n\nfour\n"); /* at 0, 4, 8, 9 */
    for (unsigned ended = 0; ended < 2; ended++) {
        assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 0), 14);
        assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 1), 9);
        assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 2), 8);
        assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 3), 4);
        assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 4), 0);
        assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, UINT64_MAX - 1), 0);
        assert_int_equal(output_writer_finish(&fixture.writer, 9), 0);
    }
    fixture_end(&fixture);
}

static void test_output_tail_counts_the_open_line(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    put(&fixture, OUTPUT_STREAM_STDOUT, "one\ntw");
    assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 1), 4);
    assert_int_equal(lines(&fixture, OUTPUT_STREAMS_ALL, 2), 0);
    fixture_end(&fixture);
}

static void test_output_tail_counts_the_wanted_stream_only(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    put(&fixture, OUTPUT_STREAM_STDOUT, "a\nb\n");  /* 0 … 4 */
    put(&fixture, OUTPUT_STREAM_STDERR, "E\nF\n");  /* 4 … 8 */
    put(&fixture, OUTPUT_STREAM_STDOUT, "c\nd\n");  /* 8 … 12 */
    put(&fixture, OUTPUT_STREAM_STDERR, "G\nH\nI"); /* 12 … 17 */
    assert_int_equal(lines(&fixture, STDOUT, 3), 2);
    assert_int_equal(lines(&fixture, STDERR, 4), 6);
    assert_int_equal(bytes(&fixture, STDOUT, 5), 3);
    assert_int_equal(bytes(&fixture, STDERR, 6), 7);
    assert_int_equal(bytes(&fixture, STDOUT | STDERR, 6), 11);
    assert_int_equal(bytes(&fixture, STDERR, 9), 4);
    assert_int_equal(bytes(&fixture, STDERR, 10), 0);
    fixture_end(&fixture);
}

static void test_output_tail_of_a_merged_job_is_its_stdout(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, true);
    put(&fixture, OUTPUT_STREAM_MERGED, "a\nb\n");
    assert_int_equal(lines(&fixture, STDOUT, 1), 2);
    assert_int_equal(lines(&fixture, STDERR, 1), 0);
    fixture_end(&fixture);
}

/* Against counting forwards: any streams, any number, entries of any size, more than one step. */
static void test_output_tail_is_what_counting_forwards_finds(void **unused)
{
    static uint8_t data[3 * 1024 * 1024];
    struct fixture fixture;
    size_t size = 0;

    (void)unused;
    srandom(5);
    fixture_begin(&fixture, false);
    for (unsigned i = 0; size < 2 * 1024 * 1024; i++) {
        size_t part = (size_t)random() % (i % 7 ? 300 : 60000) + 1;

        for (size_t at = 0; at < part; at++)
            data[size + at] = random() % 50 ? 'x' : '\n';
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, data + size, part,
                       i * OUTPUT_ENTRY_USEC_MAX);
        size += part;
    }
    for (unsigned i = 0; i < 40; i++) {
        uint64_t wanted = (uint64_t)random() % 45000, found = lines(&fixture, STDOUT, wanted);
        uint64_t begun = 0;

        for (size_t at = (size_t)found; at < size; at++)
            begun += at == found || data[at - 1] == '\n';
        assert_int_equal(begun, found == 0 ? MIN(begun, wanted) : wanted);
        assert_true(found == 0 || found == size || data[found - 1] == '\n');
        assert_int_equal(bytes(&fixture, STDOUT, wanted), size - wanted);
    }
    fixture_end(&fixture);
}

static void test_output_tail_ends_where_the_output_ended_in_the_first_step(void **unused)
{
    struct fixture fixture;
    struct output_tail tail;
    uint64_t offset = 0;
    usec_t time = 0;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "one\n", 4, time);
    for (unsigned i = 0; i < 100; i++) /* more than one step looks at */
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "x", 1, time += OUTPUT_ENTRY_USEC_MAX);
    output_tail_begin(&tail, &fixture.files, STDOUT, OUTPUT_TAIL_LINES, 1);
    assert_int_equal(output_tail_step(&tail, false, &offset, NULL), 0);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "\ntwo\n", 5, time += OUTPUT_ENTRY_USEC_MAX);
    assert_int_equal(output_tail_step(&tail, false, &offset, NULL), 1);
    assert_int_equal(offset, 4);
    fixture_end(&fixture);
}

static void test_output_tail_stops_at_dropped_bytes(void **unused)
{
    struct fixture fixture;
    struct output_header header;
    uint8_t encoded[OUTPUT_HEADER_SIZE];
    const uint8_t zeros[2 * OUTPUT_ENTRY_SIZE] = {0};

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 5; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab\n", 3, i * OUTPUT_ENTRY_USEC_MAX);
    assert_int_equal(output_index_header(fixture.files.index, false, &header, NULL), 0);
    header.gap = (struct output_gap){.start = 3, .end = 9};
    output_header_encode(&header, encoded);
    fixture_overwrite(fixture.files.index, 0, encoded, sizeof(encoded));
    assert_int_equal(lines(&fixture, STDOUT, 1), 12);
    assert_int_equal(lines(&fixture, STDOUT, 2), 3); /* who knows where that line began */
    assert_int_equal(bytes(&fixture, STDOUT, 7), 3);
    fixture_overwrite(fixture.files.index, output_entry_offset(1), zeros, sizeof(zeros));
    assert_int_equal(lines(&fixture, STDOUT, 1), 12);
    assert_int_equal(lines(&fixture, STDOUT, 2), 3); /* who knows where that line began */
    assert_int_equal(bytes(&fixture, STDOUT, 7), 3);
    fixture_end(&fixture);
}

static void test_output_tail_tells_damage(void **unused)
{
    struct fixture fixture;
    struct output_tail tail;
    struct error err;
    const uint8_t damage = 0x66;
    uint64_t offset;
    int r;

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 3; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab\n", 3, i * OUTPUT_ENTRY_USEC_MAX);
    fixture_overwrite(fixture.files.index, output_entry_offset(1), &damage, 1);
    output_tail_begin(&tail, &fixture.files, STDOUT, OUTPUT_TAIL_LINES, 9);
    while ((r = output_tail_step(&tail, false, &offset, &err)) == 0)
        ;
    assert_int_equal(r, -EBADMSG);
    assert_non_null(strstr(err.text, "entry 1"));
    fixture_overwrite(fixture.files.index, 3, &damage, 1);
    output_tail_begin(&tail, &fixture.files, STDOUT, OUTPUT_TAIL_LINES, 9);
    assert_int_equal(output_tail_step(&tail, false, &offset, &err), -EBADMSG);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_tail_of_nothing_is_the_start),
        cmocka_unit_test(test_output_tail_counts_lines),
        cmocka_unit_test(test_output_tail_counts_the_open_line),
        cmocka_unit_test(test_output_tail_counts_the_wanted_stream_only),
        cmocka_unit_test(test_output_tail_of_a_merged_job_is_its_stdout),
        cmocka_unit_test(test_output_tail_is_what_counting_forwards_finds),
        cmocka_unit_test(test_output_tail_ends_where_the_output_ended_in_the_first_step),
        cmocka_unit_test(test_output_tail_stops_at_dropped_bytes),
        cmocka_unit_test(test_output_tail_tells_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
