/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/error.h"

static void test_error_set_fills_and_returns_the_code(void **unused)
{
    struct error err;

    (void)unused;
    assert_int_equal(error_set(&err, -EINVAL, "no %s", "way"), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    assert_string_equal(err.text, "no way");
    assert_int_equal(error_set(NULL, -EIO, "nobody listens"), -EIO);
}

static void test_error_prefix_keeps_code_and_cuts_what_is_too_long(void **unused)
{
    struct error err;
    char long_text[ERROR_TEXT_MAX * 2];

    (void)unused;
    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    error_set(&err, -EPERM, "%s", long_text);
    assert_int_equal(error_prefix(&err, "file %d", 7), -EPERM);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "file 7: aaa", 11);
}

static void test_shortage_is_no_mistake_of_whoever_configured(void **unused)
{
    const struct error shortage = {.code = -EAGAIN}, mistake = {.code = -EINVAL};

    (void)unused;
    assert_true(error_is_shortage(-EMFILE));
    assert_false(error_is_shortage(-ESRCH));
    assert_false(error_is_shortage(0));
    assert_int_equal(error_exit_status(&shortage), EXIT_FAILURE);
    assert_int_equal(error_exit_status(&mistake), EX_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_set_fills_and_returns_the_code),
        cmocka_unit_test(test_error_prefix_keeps_code_and_cuts_what_is_too_long),
        cmocka_unit_test(test_shortage_is_no_mistake_of_whoever_configured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
