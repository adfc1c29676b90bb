/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/limit-choice.h"
#include "api/error.h"
#include "grpc/status.h"

static struct classes shipped(void)
{
    struct classes classes;

    classes_init_shipped(&classes);
    return classes;
}

static int choose(const char *class, enum limit limit, uint64_t asked,
                  const struct limits *launcher, struct limits *ret, struct api_error *error)
{
    struct classes classes = shipped();
    struct limits limits = {.given = 0}, none = {.given = 0};

    limit_set(&limits, limit, asked);
    return limits_choose(classes_find(&classes, class), &limits, launcher ? launcher : &none, ret,
                         error);
}

static void test_limits_choose_takes_less_than_the_class(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct limits limits;

    (void)unused;
    assert_int_equal(choose("small", LIMIT_MEMORY_MAX, 64000000, NULL, &limits, &error), 0);
    assert_int_equal(limits.value[LIMIT_MEMORY_MAX], 64000000);
    assert_int_equal(limits.value[LIMIT_CPU_MILLIS], 100); /* the class's own */
}

static void test_limits_choose_takes_what_the_class_leaves_open(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct limits limits;

    (void)unused;
    assert_int_equal(choose("small", LIMIT_IO_READ_IOPS, 5, NULL, &limits, &error), 0);
    assert_int_equal(choose("small", LIMIT_CPU_WEIGHT, 10000, NULL, &limits, &error), 0);
    assert_int_equal(limits.value[LIMIT_CPU_WEIGHT], 10000);
}

static void test_limits_choose_refuses_above_the_class_and_names_it(void **unused)
{
    static const struct {
        enum limit limit;
        uint64_t asked;
    } wrong[] = {
        {LIMIT_MEMORY_MAX, 100000001}, {LIMIT_MEMORY_MAX, 0}, /* no limit at all */
        {LIMIT_CPU_MILLIS, 101},       {LIMIT_SWAP_MAX, 1},   {LIMIT_PIDS_MAX, 0},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        _cleanup_api_error_ struct api_error error = {.code = 0};
        struct limits limits;

        assert_true(choose("small", wrong[i].limit, wrong[i].asked, NULL, &limits, &error) < 0);
        assert_int_equal(error.code, GRPC_STATUS_INVALID_ARGUMENT);
        assert_int_equal(error.reason, HOIST__V1__REASON__REASON_OVER_CEILING);
        assert_string_equal(api_error_get(&error, "limit"), limit_name(wrong[i].limit));
        assert_non_null(strstr(api_error_get(&error, "set_by"), "small"));
    }
}

static void test_limits_choose_holds_the_launchers_ceilings(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct limits launcher = {.given = 0}, limits;

    (void)unused;
    limit_set(&launcher, LIMIT_MEMORY_MAX, 50000000);
    assert_true(choose("small", LIMIT_CPU_MILLIS, 50, &launcher, &limits, &error) < 0);
    assert_string_equal(api_error_get(&error, "set_by"), "the launcher");
    assert_string_equal(api_error_get(&error, "limit"), "memory_max");
    assert_int_equal(choose("small", LIMIT_MEMORY_MAX, 50000000, &launcher, &limits, &error), 0);
}

/* What fits under the ceiling that is named fits under all. */
static void test_limits_choose_names_the_smallest_ceiling(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct limits launcher = {.given = 0}, limits;

    (void)unused;
    limit_set(&launcher, LIMIT_MEMORY_MAX, 50000000);
    assert_true(choose("small", LIMIT_MEMORY_MAX, 200000000, &launcher, &limits, &error) < 0);
    assert_string_equal(api_error_get(&error, "set_by"), "the launcher");
    assert_string_equal(api_error_get(&error, "ceiling"), "50000000");
}

/* The launcher would refuse it, too; asked here, the refusal tells what the client can do. */
static void test_limits_choose_refuses_what_is_set_nowhere_but_has_a_ceiling(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct limits launcher = {.given = 0}, limits;

    (void)unused;
    limit_set(&launcher, LIMIT_OPEN_FILES, 100);
    assert_true(choose("small", LIMIT_CPU_MILLIS, 50, &launcher, &limits, &error) < 0);
    assert_string_equal(api_error_get(&error, "limit"), "open_files");
    assert_string_equal(api_error_get(&error, "asked"), "none");
    assert_string_equal(api_error_get(&error, "ceiling"), "100");
    assert_string_equal(api_error_get(&error, "set_by"), "the launcher");
    assert_int_equal(choose("small", LIMIT_OPEN_FILES, 100, &launcher, &limits, &error), 0);

    launcher = (struct limits){.given = 0};
    limit_set(&launcher, LIMIT_CPU_WEIGHT, 100); /* which is what the kernel takes */
    limit_set(&launcher, LIMIT_MEMORY_RESERVED, 100);
    assert_int_equal(choose("small", LIMIT_CPU_MILLIS, 50, &launcher, &limits, &error), 0);
}

static struct class class_with(enum limit limit, uint64_t value)
{
    struct class class = {.name = "steady"};

    limit_set(&class.limits, LIMIT_MEMORY_MAX, 1000);
    limit_set(&class.limits, limit, value);
    return class;
}

static void test_limits_choose_keeps_for_a_job_what_its_class_says(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct class class = class_with(LIMIT_MEMORY_RESERVED, 500);
    struct limits asked = {.given = 0}, none = {.given = 0}, limits;

    (void)unused;
    assert_int_equal(limits_choose(&class, &asked, &none, &limits, &error), 0);
    assert_int_equal(limits.value[LIMIT_MEMORY_RESERVED], 500);
    limit_set(&asked, LIMIT_MEMORY_RESERVED, 0);
    assert_int_equal(limits_choose(&class, &asked, &none, &limits, &error), 0);
    assert_int_equal(limits.value[LIMIT_MEMORY_RESERVED], 0);
    limit_set(&asked, LIMIT_MEMORY_RESERVED, 501);
    assert_true(limits_choose(&class, &asked, &none, &limits, &error) < 0);
    assert_string_equal(api_error_get(&error, "ceiling"), "500");
    assert_string_equal(api_error_get(&error, "asked"), "501");
}

static void test_limits_choose_keeps_nothing_that_the_class_does_not_give(void **unused)
{
    static const enum limit kept[] = {LIMIT_MEMORY_LOW, LIMIT_MEMORY_RESERVED, LIMIT_CPU_RESERVED};

    (void)unused;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        _cleanup_api_error_ struct api_error error = {.code = 0};
        struct limits limits;

        assert_true(choose("default", kept[i], 1, NULL, &limits, &error) < 0);
        assert_int_equal(error.reason, HOIST__V1__REASON__REASON_OVER_CEILING);
        assert_string_equal(api_error_get(&error, "limit"), limit_name(kept[i]));
        assert_string_equal(api_error_get(&error, "ceiling"), "0");
    }
}

static void test_limits_choose_keeps_no_more_than_the_job_may_use(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct class class = class_with(LIMIT_MEMORY_LOW, 500);
    struct limits asked = {.given = 0}, none = {.given = 0}, limits;

    (void)unused;
    limit_set(&asked, LIMIT_MEMORY_MAX, 300);
    assert_int_equal(limits_choose(&class, &asked, &none, &limits, &error), 0);
    assert_int_equal(limits.value[LIMIT_MEMORY_LOW], 300);
}

static void test_limits_choose_takes_a_choice_as_it_comes(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct limits limits;

    (void)unused;
    assert_int_equal(choose("telehandler", LIMIT_CPU_PERIOD, 1000, NULL, &limits, &error), 0);
    assert_int_equal(choose("small", LIMIT_CPU_PERIOD, 1000000, NULL, &limits, &error), 0);
    assert_int_equal(choose("small", LIMIT_OOM_GROUP, 0, NULL, &limits, &error), 0);
    assert_int_equal(limits.value[LIMIT_OOM_GROUP], 0);
}

static void test_classes_are_those_of_the_table(void **unused)
{
    struct classes classes = shipped();
    const struct limits *telehandler = &classes_find(&classes, "telehandler")->limits;

    (void)unused;
    assert_int_equal(classes.count, 5);
    assert_int_equal(telehandler->value[LIMIT_CPU_MILLIS], 100);
    assert_int_equal(telehandler->value[LIMIT_CPU_PERIOD], 1000000);
    assert_int_equal(telehandler->value[LIMIT_MEMORY_MAX], 512 << 20);
    assert_int_equal(telehandler->value[LIMIT_MEMORY_HIGH], 384 << 20);
    assert_int_equal(telehandler->value[LIMIT_IO_READ_BPS], 10 << 20);
    assert_int_equal(telehandler->value[LIMIT_IO_WRITE_BPS], 5 << 20);
    assert_int_equal(telehandler->value[LIMIT_IO_READ_IOPS], 1000);
    assert_true(limit_is_given(telehandler, LIMIT_SWAP_MAX));
    assert_int_equal(telehandler->value[LIMIT_SWAP_MAX], 0);
}

static void test_limits_check_enforceable_names_what_is_missing(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    uint32_t all = LIMIT_BIT(_LIMIT_MAX) - 1;
    struct limits limits = {.given = 0};

    (void)unused;
    limit_set(&limits, LIMIT_MEMORY_MAX, 1);
    limit_set(&limits, LIMIT_PIDS_MAX, 0);   /* none */
    limit_set(&limits, LIMIT_OPEN_FILES, 1); /* no cgroup's */
    assert_int_equal(limits_check_enforceable(&limits, all, &error), 0);
    assert_int_equal(limits_check_enforceable(&limits, LIMIT_BIT(LIMIT_MEMORY_MAX), &error), 0);
    assert_int_equal(limits_check_enforceable(&limits, 0, &error), -EREMOTEIO);
    assert_int_equal(error.reason, HOIST__V1__REASON__REASON_LIMIT_NOT_ENFORCEABLE);
    assert_int_equal(error.code, GRPC_STATUS_FAILED_PRECONDITION);
    assert_string_equal(api_error_get(&error, "limit"), "memory_max");
    assert_string_equal(api_error_get(&error, "controller"), "memory");
}

static void test_limits_check_enforceable_takes_no_swap_for_a_limit(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct limits limits = {.given = 0};

    (void)unused;
    limit_set(&limits, LIMIT_SWAP_MAX, 0);
    assert_int_equal(limits_check_enforceable(&limits, 0, &error), -EREMOTEIO);
    assert_string_equal(api_error_get(&error, "limit"), "swap_max");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_choose_takes_less_than_the_class),
        cmocka_unit_test(test_limits_choose_takes_what_the_class_leaves_open),
        cmocka_unit_test(test_limits_choose_refuses_above_the_class_and_names_it),
        cmocka_unit_test(test_limits_choose_holds_the_launchers_ceilings),
        cmocka_unit_test(test_limits_choose_names_the_smallest_ceiling),
        cmocka_unit_test(test_limits_choose_refuses_what_is_set_nowhere_but_has_a_ceiling),
        cmocka_unit_test(test_limits_choose_keeps_for_a_job_what_its_class_says),
        cmocka_unit_test(test_limits_choose_keeps_nothing_that_the_class_does_not_give),
        cmocka_unit_test(test_limits_choose_keeps_no_more_than_the_job_may_use),
        cmocka_unit_test(test_limits_choose_takes_a_choice_as_it_comes),
        cmocka_unit_test(test_classes_are_those_of_the_table),
        cmocka_unit_test(test_limits_check_enforceable_names_what_is_missing),
        cmocka_unit_test(test_limits_check_enforceable_takes_no_swap_for_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
