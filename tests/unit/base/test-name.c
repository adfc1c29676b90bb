/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/name.h"

#define SIXTY "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"

static void test_principal_is_valid_takes_the_charset_only(void **unused)
{
    (void)unused;
    assert_true(principal_is_valid("alice"));
    assert_true(principal_is_valid("0-ci.build_7"));
    assert_true(principal_is_valid(SIXTY "123"));
    assert_false(principal_is_valid(SIXTY "1234"));
    assert_false(principal_is_valid(""));
    assert_false(principal_is_valid("Alice"));
    assert_false(principal_is_valid(".hidden"));
    assert_false(principal_is_valid("a/b"));
    assert_false(principal_is_valid("a\nb"));
    assert_false(principal_is_valid("b\xc3\xb6"));
}

static void test_job_name_check_says_which_rule_is_broken(void **unused)
{
    static const struct {
        const char *name, *words;
    } wrong[] = {
        {"", "empty"},
        {SIXTY "1234", "64 characters"},
        {"a/b", "holds a character"},
        {"..", "begin and end"},
        {"a\nb", "holds a character"},
        {"-a", "begin and end"},
        {"a-", "begin and end"},
        {"deadbeef", "looks like a job id"},
        {"0f1e2d3c-4b5a-4697-8877-665544332211", "looks like a job id"},
    };
    struct error err;

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(job_name_check(wrong[i].name, &err), -EINVAL);
        assert_non_null(strstr(err.text, wrong[i].words));
        assert_null(strchr(err.text, '\n'));
    }
    assert_int_equal(job_name_check("nightly-build.7", &err), 0);
    assert_int_equal(job_name_check("decade", &err), 0);
    assert_int_equal(job_name_check("x", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_principal_is_valid_takes_the_charset_only),
        cmocka_unit_test(test_job_name_check_says_which_rule_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
