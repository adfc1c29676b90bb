/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/moment.h"
#include "cli/top.h"

static void add_job(Hoist__V1__ListJobsResponse *list, const char *name, usec_t read_time,
                    uint64_t cpu_usec, uint64_t memory)
{
    Hoist__V1__Job *job = api_new(hoist__v1__job);

    job->spec = api_new(hoist__v1__job_spec);
    job->usage = api_new(hoist__v1__usage);
    assert_int_equal(api_set_text(&job->name, name), 0);
    assert_int_equal(api_set_text(&job->spec->display_name, name), 0);
    assert_int_equal(api_timestamp_set(&job->usage->read_time, read_time), 0);
    job->usage->cpu_usec = cpu_usec;
    job->usage->memory_current = memory;
    job->usage->io_read_ops = cpu_usec / 1000;
    assert_int_equal(api_append_take(&list->n_jobs, &list->jobs, job), 0);
}

static void test_top_rows_rates_are_between_two_lists(void **unused)
{
    _cleanup_api_message_ Hoist__V1__ListJobsResponse *before =
        api_new(hoist__v1__list_jobs_response);
    _cleanup_api_message_ Hoist__V1__ListJobsResponse *now = api_new(hoist__v1__list_jobs_response);
    _cleanup_free_ struct top_row *rows = NULL;

    (void)unused;
    add_job(before, "old", 10 * USEC_PER_SEC, 1000000, 1);
    add_job(now, "fresh", 12 * USEC_PER_SEC, 9000000, 1);
    add_job(now, "old", 12 * USEC_PER_SEC, 2000000, 1);
    assert_int_equal(top_rows(before, now, TOP_CPU, &rows), 2);
    assert_string_equal(rows[0].job->name, "old");
    assert_true(rows[0].has_rates);
    assert_int_equal((int)(rows[0].cpu_percent + 0.5), 50);
    assert_int_equal((int)(rows[0].operations_per_second + 0.5), 500);
    assert_false(rows[1].has_rates); /* what it used since its start says nothing of now */
}

static void test_top_rows_without_a_list_before_have_no_rates(void **unused)
{
    _cleanup_api_message_ Hoist__V1__ListJobsResponse *now = api_new(hoist__v1__list_jobs_response);
    _cleanup_free_ struct top_row *rows = NULL;

    (void)unused;
    add_job(now, "a", 1, 1, 1);
    assert_int_equal(top_rows(NULL, now, TOP_CPU, &rows), 1);
    assert_false(rows[0].has_rates);
}

static void test_top_rows_are_sorted_and_stable(void **unused)
{
    static const struct {
        enum top_column column;
        const char *first, *last;
    } cases[] = {
        {TOP_MEMORY, "b", "c"},
        {TOP_NAME, "a", "c"},
        {TOP_PIDS, "a", "c"}, /* all the same: by name */
    };
    _cleanup_api_message_ Hoist__V1__ListJobsResponse *now = api_new(hoist__v1__list_jobs_response);

    (void)unused;
    add_job(now, "c", 1, 1, 10);
    add_job(now, "a", 1, 1, 20);
    add_job(now, "b", 1, 1, 30);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ struct top_row *rows = NULL;

        assert_int_equal(top_rows(NULL, now, cases[i].column, &rows), 3);
        assert_string_equal(rows[0].job->name, cases[i].first);
        assert_string_equal(rows[2].job->name, cases[i].last);
    }
}

static void test_top_column_from_name_is_exact(void **unused)
{
    (void)unused;
    assert_int_equal(top_column_from_name("memory"), TOP_MEMORY);
    assert_int_equal(top_column_from_name("iops"), TOP_IOPS);
    assert_int_equal(top_column_from_name("mem"), -EINVAL);
    assert_int_equal(top_column_from_name(""), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_top_rows_rates_are_between_two_lists),
        cmocka_unit_test(test_top_rows_without_a_list_before_have_no_rates),
        cmocka_unit_test(test_top_rows_are_sorted_and_stable),
        cmocka_unit_test(test_top_column_from_name_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
