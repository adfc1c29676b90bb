/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/limits.h"

static void test_limit_name_round_trips(void **unused)
{
    for (int i = 0; i < _LIMIT_MAX; i++)
        assert_int_equal(limit_from_name(limit_name((enum limit)i)), i);
}

static void test_limit_from_name_is_exact(void **unused)
{
    assert_int_equal(limit_from_name("memory"), -EINVAL);
    assert_int_equal(limit_from_name("MEMORY_MAX"), -EINVAL);
    assert_int_equal(limit_from_name(""), -EINVAL);
}

static void test_limit_controller_is_none_for_rlimits(void **unused)
{
    assert_string_equal(limit_controller(LIMIT_MEMORY_MAX), "memory");
    assert_string_equal(limit_controller(LIMIT_PIDS_MAX), "pids");
    assert_null(limit_controller(LIMIT_OPEN_FILES));
    assert_null(limit_controller(LIMIT_CORE_SIZE));
    assert_null(limit_controller(LIMIT_CPU_TIME));
}

static void test_limits_keep_something_but_nothing_is_nothing(void **unused)
{
    struct limits limits = {.given = 0};

    (void)unused;
    limit_set(&limits, LIMIT_MEMORY_MAX, 1);
    limit_set(&limits, LIMIT_MEMORY_RESERVED, 0);
    assert_false(limits_keep_something(&limits));
    limit_set(&limits, LIMIT_CPU_RESERVED, 1);
    assert_true(limits_keep_something(&limits));
    assert_false(limit_is_reserve(LIMIT_MEMORY_MAX));
}

static void test_limit_is_none_where_zero_says_so(void **unused)
{
    assert_true(limit_is_none(LIMIT_MEMORY_MAX, 0));
    assert_false(limit_is_none(LIMIT_MEMORY_MAX, 1));
    assert_false(limit_is_none(LIMIT_SWAP_MAX, 0));
    assert_false(limit_is_none(LIMIT_CORE_SIZE, 0));
    assert_false(limit_is_none(LIMIT_OOM_GROUP, 0));
}

static void test_limit_set_marks_it_given(void **unused)
{
    struct limits limits = {0};

    assert_false(limit_is_given(&limits, LIMIT_SWAP_MAX));
    limit_set(&limits, LIMIT_SWAP_MAX, 0);
    assert_true(limit_is_given(&limits, LIMIT_SWAP_MAX));
    assert_false(limit_is_given(&limits, LIMIT_PIDS_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_name_round_trips),
        cmocka_unit_test(test_limit_from_name_is_exact),
        cmocka_unit_test(test_limit_controller_is_none_for_rlimits),
        cmocka_unit_test(test_limits_keep_something_but_nothing_is_nothing),
        cmocka_unit_test(test_limit_is_none_where_zero_says_so),
        cmocka_unit_test(test_limit_set_marks_it_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
