/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "output/fetch.h"
#include "output/index.h"

#define SIZE (3 * (size_t)OUTPUT_FETCH_BYTES)

static void drop_from_memory(int fd)
{
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

static void drop_all_from_memory(const struct fixture *fixture)
{
    drop_from_memory(fixture->files.data);
    drop_from_memory(fixture->files.index);
}

/* What was fetched is there without waiting, from whatever offset; and the reader hasn't moved. */
static void test_output_fetch_run_makes_the_next_read_warm(void **unused)
{
    static uint8_t data[SIZE], read[65536];
    struct fixture fixture;
    struct output_fetch fetch;
    struct output_chunk chunk;
    _cleanup_output_reader_ struct output_reader *reader = NULL;

    (void)unused;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 31 >> 8);
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, data, SIZE, 1000);
    reader = fixture_reader(&fixture, 1000001, OUTPUT_STREAMS_ALL, 0);
    drop_all_from_memory(&fixture);
    assert_int_equal(output_fetch_init(&fetch, reader), 0);
    output_fetch_run(&fetch);
    output_fetch_done(&fetch);
    assert_int_equal(output_reader_next(reader, true, read, sizeof(read), &chunk, NULL),
                     OUTPUT_CHUNK);
    assert_true(chunk.offset == 1000001 && chunk.size > 0);
    assert_memory_equal(read, data + 1000001, chunk.size);
    fixture_end(&fixture);
}

/* Where a reader begins is found without waiting, once it was fetched: a time, the last lines. And
 * so are the totals. */
static void test_output_fetch_run_makes_every_step_warm(void **unused)
{
    struct fixture fixture;
    struct output_fetch fetch;
    struct output_totals totals = {.end = 0};
    struct output_tail tail;
    uint64_t offset = 0;
    _cleanup_output_reader_ struct output_reader *reader = NULL;

    (void)unused;
    fixture_begin(&fixture, false);
    for (usec_t i = 0; i < 4000; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "a line\n", 7, i * OUTPUT_ENTRY_USEC_MAX);
    reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
    assert_int_equal(output_fetch_init(&fetch, reader), 0);

    drop_all_from_memory(&fixture);
    fetch.kind = OUTPUT_FETCH_TIME;
    fetch.time = 3000 * OUTPUT_ENTRY_USEC_MAX;
    output_fetch_run(&fetch);
    assert_int_equal(output_index_find_time(fixture.files.index, true, fetch.time, &offset, NULL),
                     0);
    assert_int_equal(offset, 21000);

    drop_all_from_memory(&fixture);
    output_tail_begin(&tail, &fixture.files, OUTPUT_STREAMS_ALL, OUTPUT_TAIL_LINES, 10);
    fetch.kind = OUTPUT_FETCH_TAIL;
    fetch.tail = tail;
    output_fetch_run(&fetch);
    assert_int_equal(output_tail_step(&tail, true, &offset, NULL), 1);
    assert_int_equal(offset, 27930);

    drop_all_from_memory(&fixture);
    fetch.kind = OUTPUT_FETCH_TOTALS;
    fetch.totals = totals;
    output_fetch_run(&fetch);
    assert_int_equal(output_totals_step(fixture.files.index, true, &totals, NULL), 0);
    assert_int_equal(totals.stdout_bytes, 28000);
    output_fetch_done(&fetch);
    fixture_end(&fixture);
}

/* Beyond the end there is nothing to fetch, and nothing goes wrong. */
static void test_output_fetch_run_beyond_the_end(void **unused)
{
    struct fixture fixture;
    struct output_fetch fetch;
    _cleanup_output_reader_ struct output_reader *reader = NULL;

    (void)unused;
    fixture_begin(&fixture, false);
    reader = fixture_reader(&fixture, 5, OUTPUT_STREAMS_ALL, 0);
    assert_int_equal(output_fetch_init(&fetch, reader), 0);
    output_fetch_run(&fetch);
    output_fetch_done(&fetch);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_fetch_run_makes_the_next_read_warm),
        cmocka_unit_test(test_output_fetch_run_makes_every_step_warm),
        cmocka_unit_test(test_output_fetch_run_beyond_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
