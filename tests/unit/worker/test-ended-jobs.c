/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/ended-jobs.h"
#include "worker/registry.h"

/* Which of the jobs that have ended are kept, and how many. */

#define MANY 1000

static struct id nth(unsigned n)
{
    struct id id = {.bytes = {(uint8_t)(n >> 8), (uint8_t)n}};

    return id;
}

static void keep_as(struct worker *worker, unsigned n, enum hoist_state state, size_t size)
{
    const struct store_record record = {.spec_size = size / 2, .outcome_size = size - size / 2};
    struct job_info *info = calloc(1, sizeof(*info));

    assert_non_null(info);
    info->spec = JOB_SPEC_NULL;
    info->id = nth(n);
    info->state = state;
    ended_jobs_keep(worker, &record, info);
    job_info_free(info);
}

static void keep(struct worker *worker, unsigned n)
{
    keep_as(worker, n, HOIST_STATE_FAILED, 1000);
}

static bool is_kept(struct worker *worker, unsigned n)
{
    struct id id = nth(n);
    _cleanup_job_info_ struct job_info *info = ended_jobs_find(worker, &id);

    if (info)
        assert_true(id_equal(&info->id, &id));
    return info != NULL;
}

static void test_longest_unasked_goes_first(void **state)
{
    struct worker worker = {.jobs = NULL};
    unsigned kept = 0;

    (void)state;
    for (unsigned n = 0; n < MANY; n++) {
        keep(&worker, n);
        assert_true(is_kept(&worker, n));
        assert_true(is_kept(&worker, 0)); /* asked for all the time */
    }
    for (unsigned n = 0; n < MANY; n++)
        kept += is_kept(&worker, n);
    assert_in_range(kept, 50, MANY / 2);
    assert_false(is_kept(&worker, 1));
    assert_true(is_kept(&worker, MANY - kept + 1)); /* of the others, the last ones */
    ended_jobs_clear(&worker);
    assert_null(worker.ended_jobs);
}

static void test_forgotten_is_gone(void **state)
{
    struct worker worker = {.jobs = NULL};
    struct id id = nth(1);
    struct job_info *held;

    (void)state;
    keep(&worker, 1);
    keep(&worker, 1);
    held = ended_jobs_find(&worker, &id);
    ended_jobs_forget(&worker, &id);
    ended_jobs_forget(&worker, &id);
    assert_false(is_kept(&worker, 1));
    assert_null(worker.ended_jobs);
    assert_int_equal(held->state, HOIST_STATE_FAILED); /* whoever holds it keeps it */
    job_info_free(held);
}

static void test_neither_living_nor_large(void **state)
{
    struct worker worker = {.jobs = NULL};

    (void)state;
    keep_as(&worker, 1, HOIST_STATE_RUNNING, 1000);
    keep_as(&worker, 2, HOIST_STATE_LOST, (size_t)4 << 20);
    assert_null(worker.ended_jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_unasked_goes_first),
        cmocka_unit_test(test_forgotten_is_gone),
        cmocka_unit_test(test_neither_living_nor_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
