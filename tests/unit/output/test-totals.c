/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "output/totals.h"

static void expect_totals(const struct fixture *fixture, struct output_totals *totals,
                          uint64_t stdout_bytes, uint64_t stderr_bytes)
{
    assert_int_equal(output_totals_update(fixture->files.index, totals, NULL), 0);
    assert_int_equal(totals->stdout_bytes, stdout_bytes);
    assert_int_equal(totals->stderr_bytes, stderr_bytes);
    assert_int_equal(totals->end, stdout_bytes + stderr_bytes);
}

static void test_output_totals_update_goes_on_where_it_stopped(void **unused)
{
    struct fixture fixture;
    struct output_totals totals = {};

    (void)unused;
    fixture_begin(&fixture, false);
    expect_totals(&fixture, &totals, 0, 0);
    for (uint64_t i = 1; i <= 300; i++) {
        fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "abc", 3, i * 1000);
        expect_totals(&fixture, &totals, 3 * i, 2 * (i / 10));
        if (i % 10 == 9)
            fixture_append(&fixture, OUTPUT_STREAM_STDERR, "de", 2, i * 1000);
    }
    assert_false(totals.complete);
    assert_int_equal(output_writer_finish(&fixture.writer, 5), 0);
    expect_totals(&fixture, &totals, 900, 60);
    assert_true(totals.complete);
    assert_false(totals.lost);
    fixture_end(&fixture);
}

static void test_output_totals_update_counts_a_merged_job_as_stdout(void **unused)
{
    struct fixture fixture;
    struct output_totals totals = {};

    (void)unused;
    fixture_begin(&fixture, true);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "abc", 3, 1);
    expect_totals(&fixture, &totals, 3, 0);
    assert_int_equal(output_writer_finish(&fixture.writer, 5), 0);
    expect_totals(&fixture, &totals, 3, 0);
    fixture_end(&fixture);
}

/* Whoever scans before, across and after the drop: the same sums. */
static void test_output_totals_update_counts_what_was_dropped(void **unused)
{
    struct fixture fixture;
    struct output_totals early = {}, behind = {}, late = {};
    static const uint8_t zeros[600 * OUTPUT_ENTRY_SIZE];

    (void)unused;
    fixture_begin(&fixture, false);
    for (unsigned i = 0; i < 300; i++)
        fixture_append(&fixture, i % 2 ? OUTPUT_STREAM_STDERR : OUTPUT_STREAM_STDOUT, "abcd", 4, i);
    expect_totals(&fixture, &early, 600, 600);
    for (unsigned i = 0; i < 700; i++)
        fixture_append(&fixture, i % 2 ? OUTPUT_STREAM_STDERR : OUTPUT_STREAM_STDOUT, "abcd", 4, i);
    expect_totals(&fixture, &behind, 2000, 2000);
    assert_int_equal(
        output_writer_publish_gap(&fixture.writer, &(struct output_gap){400, 2800, 1200}), 0);
    fixture_overwrite(fixture.files.index, output_entry_offset(100), zeros, sizeof(zeros));
    expect_totals(&fixture, &early, 2000, 2000);
    expect_totals(&fixture, &behind, 2000, 2000);
    expect_totals(&fixture, &late, 2000, 2000);
    fixture_append(&fixture, OUTPUT_STREAM_STDERR, "x", 1, 1);
    expect_totals(&fixture, &early, 2000, 2001);
    expect_totals(&fixture, &behind, 2000, 2001);
    expect_totals(&fixture, &late, 2000, 2001);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_totals_update_goes_on_where_it_stopped),
        cmocka_unit_test(test_output_totals_update_counts_a_merged_job_as_stdout),
        cmocka_unit_test(test_output_totals_update_counts_what_was_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
