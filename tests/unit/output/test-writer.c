/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/crc32c.h"
#include "fixture.h"

/* System calls that give in to a budget of bytes, one byte in three at a time. */
static size_t fake_room;
static int fake_errno;
static unsigned fake_interruptions;

static ssize_t fake_allow(size_t size)
{
    if (fake_interruptions > 0) {
        fake_interruptions--;
        errno = EINTR;
        return -1;
    }
    if (fake_room == 0) {
        errno = fake_errno;
        return -1;
    }
    size = MIN(size, fake_room);
    size = MIN(size, size / 3 + 1);
    fake_room -= size;
    return (ssize_t)size;
}

static ssize_t fake_write(int fd, const void *data, size_t size)
{
    ssize_t n = fake_allow(size);

    return n < 0 ? n : write(fd, data, (size_t)n);
}

static ssize_t fake_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t n = fake_allow(size);

    return n < 0 ? n : pwrite(fd, data, (size_t)n, offset);
}

static const struct output_writer_calls fake_calls = {
    .write = fake_write,
    .pwrite = fake_pwrite,
    .fdatasync = fdatasync,
};

static void fake_begin(struct fixture *fixture, size_t room, int error)
{
    fixture_begin(fixture, false);
    fixture->writer.calls = &fake_calls;
    fake_room = room;
    fake_errno = error;
    fake_interruptions = 0;
}

/* Reads everything and compares. */
static void check_content(struct fixture *fixture, const uint8_t *expected, size_t size)
{
    struct output_reader *reader = fixture_reader(fixture, 0, OUTPUT_STREAMS_ALL, 0);
    _cleanup_free_ uint8_t *bytes = malloc(size + 1);
    struct output_chunk chunk;
    size_t got = 0;
    int r;

    while ((r = output_reader_next(reader, false, bytes + got, size + 1 - got, &chunk, NULL)) ==
           OUTPUT_CHUNK)
        got += chunk.size;
    assert_int_equal(r, fixture->writer.finished ? OUTPUT_COMPLETE : OUTPUT_AT_END);
    assert_int_equal(got, size);
    assert_memory_equal(bytes, expected, size);
    output_reader_close(reader);
}

static uint8_t *pattern_new(size_t size)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

static void test_output_writer_init_refuses_what_is_not_fresh(void **unused)
{
    struct fixture fixture;
    struct output_writer other;
    const uint8_t damage = 0xff;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "x", 1, 1);
    assert_int_equal(output_writer_init(&other, fixture.files.data, fixture.files.index), -EEXIST);
    fixture_overwrite(fixture.files.index, 20, &damage, 1);
    assert_int_equal(output_writer_init(&other, fixture.files.data, fixture.files.index), -EBADMSG);
    assert_int_equal(output_writer_init(&other, fixture.files.data, FD_NONE), -EBADF);
    fixture_end(&fixture);
}

static void test_output_writer_append_keeps_bytes_of_every_value(void **unused)
{
    struct fixture fixture;
    _cleanup_free_ uint8_t *bytes = pattern_new(3000000);

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, bytes, 3000000, 5);
    assert_int_equal(output_writer_finish(&fixture.writer, 6), 0);
    check_content(&fixture, bytes, 3000000);
    fixture_end(&fixture);
}

static void test_output_writer_append_extends_the_last_entry_for_10_ms(void **unused)
{
    struct fixture fixture;
    struct output_entry entry;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "ab", 2, 1000);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "cd", 2, 1000 + OUTPUT_ENTRY_USEC_MAX - 1);
    assert_int_equal(fixture_entry(&fixture, 0, &entry), 0);
    assert_int_equal(entry.size, 4);
    assert_int_equal(entry.time, 1000);
    assert_int_equal(entry.crc, crc32c(0, "abcd", 4));
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "e", 1, 1000 + OUTPUT_ENTRY_USEC_MAX);
    assert_int_equal(fixture_entry(&fixture, 1, &entry), 0);
    assert_int_equal(entry.size, 1);
    assert_int_equal(entry.end, 5);
    /* The clock was set back. */
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "f", 1, 500);
    assert_int_equal(fixture_entry(&fixture, 2, &entry), 0);
    assert_int_equal(entry.time, 500);
    assert_int_equal(fixture_entry(&fixture, 3, &entry), -1);
    fixture_end(&fixture);
}

static void test_output_writer_append_begins_an_entry_for_another_stream(void **unused)
{
    struct fixture fixture;
    struct output_entry entry;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "a", 1, 1);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "b", 1, 1);
    assert_int_equal(fixture_entry(&fixture, 1, &entry), 0);
    assert_int_equal(entry.stream, OUTPUT_STREAM_STDERR);
    assert_int_equal(entry.end, 2);
    fixture_end(&fixture);
}

static void test_output_writer_append_fills_entries_to_64_kib(void **unused)
{
    struct fixture fixture;
    struct output_entry entry;
    const size_t size = 4 * OUTPUT_ENTRY_BYTES_MAX;
    _cleanup_free_ uint8_t *bytes = pattern_new(size);

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, bytes, 100, 1);
    for (unsigned i = 0; i < 20; i++)
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, bytes, size, 2 + i);
    assert_int_equal(fixture_entry(&fixture, 0, &entry), 0);
    assert_int_equal(entry.size, OUTPUT_ENTRY_BYTES_MAX);
    /* Block writers: well under one per cent. */
    assert_true(fixture_size(fixture.files.index) * 1000 < fixture_size(fixture.files.data));
    fixture_end(&fixture);
}

static void test_output_writer_append_makes_all_bytes_of_a_merged_job_merged(void **unused)
{
    struct fixture fixture;
    struct output_entry entry;

    (void)unused;
    fixture_begin(&fixture, true);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "x", 1, 1);
    assert_int_equal(fixture_entry(&fixture, 0, &entry), 0);
    assert_int_equal(entry.stream, OUTPUT_STREAM_MERGED);
    fixture_end(&fixture);
}

static void test_output_writer_append_goes_on_after_short_writes_and_signals(void **unused)
{
    struct fixture fixture;
    _cleanup_free_ uint8_t *bytes = pattern_new(200000);

    (void)unused;
    fake_begin(&fixture, SIZE_MAX, 0);
    fake_interruptions = 3;
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, bytes, 200000, 1);
    check_content(&fixture, bytes, 200000);
    fixture_end(&fixture);
}

/* Wherever the disk gets full, in the data or in the index: no byte is lost and none comes twice.
 */
static void test_output_writer_append_waits_for_a_full_disk_at_every_byte(void **unused)
{
    _cleanup_free_ uint8_t *bytes = pattern_new(300);

    (void)unused;
    for (size_t room = 0; room < 400; room++) {
        struct fixture fixture;
        size_t done = 0;
        unsigned full = 0;

        fake_begin(&fixture, room, room % 2 ? ENOSPC : EDQUOT);
        while (done < 300 || full == 0) {
            size_t taken, size = MIN((size_t)100, 300 - done);
            enum output_stream stream =
                done / 100 % 2 ? OUTPUT_STREAM_STDERR : OUTPUT_STREAM_STDOUT;
            int r = output_writer_append(&fixture.writer, stream, bytes + done, size, 1, &taken);

            done += taken;
            if (r == 0 && size == 0)
                break;
            if (r == 0)
                continue;
            assert_int_equal(r, OUTPUT_DISK_FULL);
            full++;
            fake_room = 50;
        }
        fake_room = SIZE_MAX;
        assert_int_equal(output_writer_finish(&fixture.writer, 2), 0);
        check_content(&fixture, bytes, 300);
        fixture_end(&fixture);
    }
}

static void test_output_writer_append_is_over_after_a_real_failure(void **unused)
{
    struct fixture fixture;
    size_t taken;

    (void)unused;
    fake_begin(&fixture, 2, EIO);
    assert_int_equal(
        output_writer_append(&fixture.writer, OUTPUT_STREAM_STDOUT, "abcd", 4, 1, &taken), -EIO);
    assert_int_equal(taken, 2);
    fake_room = SIZE_MAX;
    assert_int_equal(
        output_writer_append(&fixture.writer, OUTPUT_STREAM_STDOUT, "cd", 2, 1, &taken), -EIO);
    assert_int_equal(taken, 0);
    assert_int_equal(output_writer_finish(&fixture.writer, 1), -EIO);
    fixture_end(&fixture);
}

static void test_output_writer_append_refuses_wrong_use(void **unused)
{
    struct fixture fixture;
    size_t taken;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(output_writer_append(&fixture.writer, OUTPUT_STREAM_MERGED, "a", 1, 1, &taken),
                     -EINVAL);
    assert_int_equal(output_writer_finish(&fixture.writer, 1), 0);
    assert_int_equal(output_writer_append(&fixture.writer, OUTPUT_STREAM_STDOUT, "a", 1, 1, &taken),
                     -ESHUTDOWN);
    fixture_end(&fixture);
}

static void test_output_writer_finish_writes_totals_once(void **unused)
{
    struct fixture fixture;
    struct output_entry entry;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, 1);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "de", 2, 1);
    assert_int_equal(output_writer_finish(&fixture.writer, 77), 0);
    assert_int_equal(output_writer_finish(&fixture.writer, 78), 0);
    assert_int_equal(output_writer_sync(&fixture.writer), 0);
    assert_int_equal(fixture_entry(&fixture, 2, &entry), 0);
    assert_int_equal(entry.kind, OUTPUT_ENTRY_END);
    assert_int_equal(entry.end, 5);
    assert_int_equal(entry.stderr_bytes, 2);
    assert_int_equal(entry.time, 77);
    assert_int_equal(fixture_entry(&fixture, 3, &entry), -1);
    fixture_end(&fixture);
}

static void test_output_writer_finish_waits_for_a_full_disk(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fake_begin(&fixture, 10, ENOSPC);
    assert_int_equal(output_writer_finish(&fixture.writer, 1), OUTPUT_DISK_FULL);
    fake_room = SIZE_MAX;
    assert_int_equal(output_writer_finish(&fixture.writer, 2), 0);
    check_content(&fixture, (const uint8_t *)"", 0);
    fixture_end(&fixture);
}

static void test_output_writer_publish_gap_only_lets_it_grow_inside_the_data(void **unused)
{
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, false);
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "0123456789", 10, 1);
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){2, 11, 0}),
                     -EINVAL);
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){4, 4, 0}),
                     -EINVAL);
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){2, 5, 4}),
                     -EINVAL);
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){2, 5, 0}), 0);
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){2, 4, 0}),
                     -EINVAL);
    assert_int_equal(output_writer_publish_gap(&fixture.writer, &(struct output_gap){2, 8, 0}), 0);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_writer_init_refuses_what_is_not_fresh),
        cmocka_unit_test(test_output_writer_append_keeps_bytes_of_every_value),
        cmocka_unit_test(test_output_writer_append_extends_the_last_entry_for_10_ms),
        cmocka_unit_test(test_output_writer_append_begins_an_entry_for_another_stream),
        cmocka_unit_test(test_output_writer_append_fills_entries_to_64_kib),
        cmocka_unit_test(test_output_writer_append_makes_all_bytes_of_a_merged_job_merged),
        cmocka_unit_test(test_output_writer_append_goes_on_after_short_writes_and_signals),
        cmocka_unit_test(test_output_writer_append_waits_for_a_full_disk_at_every_byte),
        cmocka_unit_test(test_output_writer_append_is_over_after_a_real_failure),
        cmocka_unit_test(test_output_writer_append_refuses_wrong_use),
        cmocka_unit_test(test_output_writer_finish_writes_totals_once),
        cmocka_unit_test(test_output_writer_finish_waits_for_a_full_disk),
        cmocka_unit_test(test_output_writer_publish_gap_only_lets_it_grow_inside_the_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
