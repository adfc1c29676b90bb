/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "fixture.h"
#include "output/cap.h"
#include "output/seal.h"
#include "output/totals.h"

/*
 * Outputs many times larger than their cap, on the file system of /tmp; the job's byte at an offset
 * is a function of the offset, and so is its stream, so that what is read anywhere can be checked.
 */

#define CAP   (UINT64_C(4) << 20)
#define PIECE (256 * 1024)

/* What comes on top of the cap: a last block of each file, and some for the map of the blocks. */
#define SLACK (UINT64_C(64) * 1024)

static struct {
    unsigned refusals; /* that are still to come */
    int error;
} disk;

static int refuse_or(int (*call)(int, off_t, off_t), int fd, off_t offset, off_t size)
{
    if (disk.refusals == 0)
        return call(fd, offset, size);
    disk.refusals--;
    errno = disk.error;
    return -1;
}

static int punch_or_refuse(int fd, off_t offset, off_t size)
{
    return refuse_or(output_system_calls.punch, fd, offset, size);
}

static int write_out_or_refuse(int fd, off_t offset, off_t size)
{
    return refuse_or(output_system_calls.write_out, fd, offset, size);
}

static struct output_writer_calls calls; /* the system's, with one of them put in its place */

/* Never 0, so that the zeros of a hole can't pass for it. */
static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(1 + (offset * 31 + offset / 257) % 255);
}

static void begin(struct fixture *fixture, struct output_cap *cap, uint64_t limit, uint64_t head,
                  enum output_cap_policy policy)
{
    fixture_begin(fixture, false);
    calls = output_system_calls;
    fixture->writer.calls = &calls;
    disk.refusals = 0;
    assert_int_equal(output_cap_init(cap, limit, head, policy, &fixture->writer, NULL), 0);
}

static void append(struct fixture *fixture, struct output_cap *cap, enum output_stream stream,
                   size_t size, usec_t now)
{
    static uint8_t bytes[PIECE];
    uint64_t offset = fixture->writer.end;
    int r;

    while ((r = output_cap_make_room(cap, &fixture->writer, size)) == OUTPUT_DISK_FULL)
        ;
    assert_int_equal(r, 0);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(offset + i);
    fixture_append(fixture, stream, bytes, size, now);
}

static uint64_t disk_use(const struct fixture *fixture)
{
    struct stat data, index;

    assert_int_equal(fstat(fixture->files.data, &data), 0);
    assert_int_equal(fstat(fixture->files.index, &index), 0);
    return (uint64_t)(data.st_blocks + index.st_blocks) * 512;
}

/* Reads all of it: the bytes must be the job's, the gap the header's. Returns how many came. */
static uint64_t check_reading(struct fixture *fixture)
{
    static uint8_t bytes[PIECE];
    const struct output_gap *gap = &fixture->writer.header.gap;
    struct output_reader *reader = fixture_reader(fixture, 0, OUTPUT_STREAMS_ALL, 0);
    struct output_chunk chunk;
    uint64_t next = 0, got = 0;
    int r;

    while ((r = output_reader_next(reader, false, bytes, sizeof(bytes), &chunk, NULL)) ==
               OUTPUT_CHUNK ||
           r == OUTPUT_GAP) {
        assert_int_equal(chunk.offset, next);
        if (r == OUTPUT_GAP) {
            assert_int_equal(chunk.offset, gap->start);
            assert_int_equal(chunk.gap_end, gap->end);
        }
        for (size_t i = 0; r == OUTPUT_CHUNK && i < chunk.size; i++)
            assert_int_equal(bytes[i], byte_at(next + i));
        got += chunk.size;
        next = r == OUTPUT_GAP ? chunk.gap_end : next + chunk.size;
    }
    assert_int_equal(r, fixture->writer.finished ? OUTPUT_COMPLETE : OUTPUT_AT_END);
    assert_int_equal(next, fixture->writer.end);
    output_reader_close(reader);
    return got;
}

static void check_totals(struct fixture *fixture)
{
    struct output_totals totals = {};

    assert_int_equal(output_totals_update(fixture->files.index, &totals, NULL), 0);
    assert_int_equal(totals.end, fixture->writer.end);
    assert_int_equal(totals.stdout_bytes, fixture->writer.totals[OUTPUT_STREAM_STDOUT]);
    assert_int_equal(totals.stderr_bytes, fixture->writer.totals[OUTPUT_STREAM_STDERR]);
}

static void test_output_cap_keeps_the_first_quarter_and_the_last_three(void **unused)
{
    struct fixture fixture;
    struct output_cap cap;
    uint64_t got;

    (void)unused;
    begin(&fixture, &cap, CAP, 0, OUTPUT_CAP_KEEP_ENDS);
    for (usec_t now = 1; fixture.writer.end < 10 * CAP; now++) {
        append(&fixture, &cap, now % 3 ? OUTPUT_STREAM_STDOUT : OUTPUT_STREAM_STDERR, PIECE, now);
        assert_in_range(disk_use(&fixture), 0, CAP + SLACK);
    }
    got = check_reading(&fixture);
    assert_in_range(got, CAP - 3 * PIECE, CAP);
    assert_in_range(fixture.writer.header.gap.start, CAP / 4 - 2 * OUTPUT_ENTRY_BYTES_MAX, CAP / 4);
    check_totals(&fixture);
    assert_int_equal(output_writer_finish(&fixture.writer, 1000), 0);
    assert_int_equal(check_reading(&fixture), got);
    check_totals(&fixture);
    fixture_end(&fixture);
}

/* The index is 32 times the data then: it is held to the cap as well. */
static void test_output_cap_counts_the_index(void **unused)
{
    struct fixture fixture;
    struct output_cap cap;

    (void)unused;
    begin(&fixture, &cap, OUTPUT_CAP_MIN, 0, OUTPUT_CAP_KEEP_ENDS);
    for (usec_t now = 1; now < 120000; now++)
        append(&fixture, &cap, now % 2 ? OUTPUT_STREAM_STDOUT : OUTPUT_STREAM_STDERR, 1, now);
    assert_in_range(disk_use(&fixture), OUTPUT_CAP_MIN / 2, OUTPUT_CAP_MIN + SLACK);
    (void)check_reading(&fixture);
    check_totals(&fixture);
    fixture_end(&fixture);
}

static void test_output_cap_drops_nothing_below_it(void **unused)
{
    struct fixture fixture;
    struct output_cap cap;

    (void)unused;
    begin(&fixture, &cap, CAP, 0, OUTPUT_CAP_KEEP_ENDS);
    for (usec_t now = 1; fixture.writer.end < CAP - 2 * PIECE; now++)
        append(&fixture, &cap, OUTPUT_STREAM_STDOUT, PIECE, now);
    assert_int_equal(check_reading(&fixture), fixture.writer.end);
    assert_int_equal(fixture.writer.header.gap.end, 0);
    fixture_end(&fixture);
}

static void test_output_cap_keeps_as_much_of_the_beginning_as_was_said(void **unused)
{
    struct fixture fixture;
    struct output_cap cap;

    (void)unused;
    begin(&fixture, &cap, CAP, 1, OUTPUT_CAP_KEEP_ENDS);
    while (fixture.writer.end < 2 * CAP)
        append(&fixture, &cap, OUTPUT_STREAM_STDOUT, PIECE, 1);
    assert_int_equal(fixture.writer.header.gap.start, 0);
    (void)check_reading(&fixture);
    fixture_end(&fixture);
}

/* For its own map of holes a file system may need a block that isn't there. */
static void check_full_disk(int (**call)(int, off_t, off_t), int (*refusing)(int, off_t, off_t))
{
    struct fixture fixture;
    struct output_cap cap;

    begin(&fixture, &cap, CAP, 0, OUTPUT_CAP_KEEP_ENDS);
    *call = refusing;
    for (usec_t now = 1; fixture.writer.end < 4 * CAP; now++) {
        disk.refusals = (unsigned)(now % 4);
        disk.error = now % 2 ? ENOSPC : EDQUOT;
        append(&fixture, &cap, now % 3 ? OUTPUT_STREAM_STDOUT : OUTPUT_STREAM_STDERR, PIECE, now);
    }
    assert_in_range(disk_use(&fixture), CAP / 2, CAP + SLACK);
    (void)check_reading(&fixture);
    check_totals(&fixture);
    fixture_end(&fixture);
}

static void test_output_cap_waits_for_a_full_disk(void **unused)
{
    (void)unused;
    check_full_disk(&calls.punch, punch_or_refuse);
    check_full_disk(&calls.write_out, write_out_or_refuse);
}

static void test_output_cap_tells_a_failure(void **unused)
{
    struct fixture fixture;
    struct output_cap cap;
    int r = 0;

    (void)unused;
    begin(&fixture, &cap, CAP, 0, OUTPUT_CAP_KEEP_ENDS);
    calls.punch = punch_or_refuse;
    disk.error = EIO;
    while (fixture.writer.end < 2 * CAP && r == 0) {
        disk.refusals = 1;
        r = output_cap_make_room(&cap, &fixture.writer, PIECE);
        disk.refusals = 0;
        if (r == 0)
            append(&fixture, &cap, OUTPUT_STREAM_STDOUT, PIECE, 1);
    }
    assert_int_equal(r, -EIO);
    (void)check_reading(&fixture); /* the gap was published before: no zeros */
    fixture_end(&fixture);
}

static void test_output_cap_init_refuses_a_file_system_without_holes(void **unused)
{
    struct fixture fixture;
    struct output_cap cap;
    struct error err = {.code = 0};

    (void)unused;
    fixture_begin(&fixture, false);
    calls = output_system_calls;
    calls.punch = punch_or_refuse;
    fixture.writer.calls = &calls;
    disk.refusals = 3;
    disk.error = EOPNOTSUPP;
    assert_int_equal(output_cap_init(&cap, CAP, 0, OUTPUT_CAP_KEEP_ENDS, &fixture.writer, &err),
                     -EOPNOTSUPP);
    assert_non_null(strstr(err.text, "stop_job"));
    assert_int_equal(output_cap_init(&cap, CAP, 0, OUTPUT_CAP_STOP, &fixture.writer, NULL), 0);
    assert_int_equal(output_cap_init(&cap, 0, 0, OUTPUT_CAP_KEEP_ENDS, &fixture.writer, NULL), 0);
    assert_int_equal(output_cap_init(&cap, 1, 0, OUTPUT_CAP_STOP, &fixture.writer, NULL), -EINVAL);
    assert_int_equal(output_cap_init(&cap, CAP, CAP, OUTPUT_CAP_STOP, &fixture.writer, NULL),
                     -EINVAL);
    fixture_end(&fixture);
}

static void test_output_cap_room_ends_at_the_cap(void **unused)
{
    struct fixture fixture;
    struct output_cap cap;
    size_t room;

    (void)unused;
    begin(&fixture, &cap, OUTPUT_CAP_MIN, 0, OUTPUT_CAP_STOP);
    while ((room = output_cap_room(&cap, &fixture.writer, 100000)) > 0)
        append(&fixture, &cap, OUTPUT_STREAM_STDOUT, room, 1);
    assert_in_range(fixture_size(fixture.files.data) + fixture_size(fixture.files.index),
                    OUTPUT_CAP_MIN - 200, OUTPUT_CAP_MIN);
    assert_int_equal(check_reading(&fixture), fixture.writer.end);
    fixture_end(&fixture);
    begin(&fixture, &cap, 0, 0, OUTPUT_CAP_STOP);
    assert_int_equal(output_cap_room(&cap, &fixture.writer, SIZE_MAX), SIZE_MAX);
    fixture_end(&fixture);
}

/*
 * A power loss keeps the header, which was written out before the holes, and of data and index what
 * had reached the disk: nothing of it must be read as if it were the job's.
 */
static void check_power_loss(uint64_t data_size, uint64_t entries)
{
    struct fixture fixture;
    struct output_cap cap;
    struct output_totals totals = {};
    struct output_gap gap;

    begin(&fixture, &cap, CAP, 0, OUTPUT_CAP_KEEP_ENDS);
    for (usec_t now = 1; fixture.writer.end < 3 * CAP; now++)
        append(&fixture, &cap, OUTPUT_STREAM_STDOUT, PIECE, now);
    gap = fixture.writer.header.gap;
    assert_int_equal(ftruncate(fixture.files.data, (off_t)data_size), 0);
    assert_int_equal(ftruncate(fixture.files.index, (off_t)output_entry_offset(entries)), 0);
    assert_int_equal(output_seal(&fixture.files, 99, NULL), 0);
    assert_int_equal(output_totals_update(fixture.files.index, &totals, NULL), 0);
    assert_true(totals.complete && totals.lost);
    assert_int_equal(totals.end, MAX(data_size, gap.end));
    fixture.writer.end = totals.end;
    fixture.writer.finished = true;
    fixture.writer.header.gap.start = MIN(gap.start, data_size);
    (void)check_reading(&fixture);
    fixture_end(&fixture);
}

static void test_output_cap_gap_survives_a_power_loss(void **unused)
{
    (void)unused;
    check_power_loss(3 * CAP - 100, 3 * CAP / OUTPUT_ENTRY_BYTES_MAX); /* the data's end */
    check_power_loss(3 * CAP, 3 * CAP / OUTPUT_ENTRY_BYTES_MAX - 5);   /* the index's end */
    check_power_loss(3 * CAP, CAP / OUTPUT_ENTRY_BYTES_MAX);           /* back into the gap */
    check_power_loss(3 * CAP, 3);                                      /* and before it */
    check_power_loss(CAP, CAP / OUTPUT_ENTRY_BYTES_MAX);               /* both in the gap */
    check_power_loss(CAP, 3);
    check_power_loss(200000, 3); /* both before it */
    check_power_loss(200000, 30);
    check_power_loss(0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_cap_keeps_the_first_quarter_and_the_last_three),
        cmocka_unit_test(test_output_cap_counts_the_index),
        cmocka_unit_test(test_output_cap_drops_nothing_below_it),
        cmocka_unit_test(test_output_cap_keeps_as_much_of_the_beginning_as_was_said),
        cmocka_unit_test(test_output_cap_waits_for_a_full_disk),
        cmocka_unit_test(test_output_cap_tells_a_failure),
        cmocka_unit_test(test_output_cap_init_refuses_a_file_system_without_holes),
        cmocka_unit_test(test_output_cap_room_ends_at_the_cap),
        cmocka_unit_test(test_output_cap_gap_survives_a_power_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
