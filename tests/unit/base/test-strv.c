/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strv.h"

static void test_strv_append_grows_and_copies(void **unused)
{
    _cleanup_strv_ char **list = NULL, **copy = NULL;
    char word[] = "one";

    (void)unused;
    assert_int_equal(strv_append(&list, word), 0);
    word[0] = 'X';
    assert_int_equal(strv_append(&list, "two"), 0);
    assert_int_equal(strv_length(list), 2);
    assert_string_equal(list[0], "one");
    copy = strv_copy(list);
    assert_string_equal(copy[1], "two");
    assert_ptr_not_equal(copy[1], list[1]);
    assert_null(copy[2]);
    assert_int_equal(strv_length(NULL), 0);
}

static void test_strv_has_looks_at_whole_strings(void **unused)
{
    static const char *const list[] = {"one", "two", NULL};

    (void)unused;
    assert_true(strv_has(list, "one"));
    assert_true(strv_has(list, "two"));
    assert_false(strv_has(list, "tw"));
    assert_false(strv_has(list + 2, "two"));
    assert_false(strv_has(NULL, "two"));
}

static void test_text_equal_takes_null(void **unused)
{
    (void)unused;
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_true(text_equal("a", "a"));
    assert_true(text_starts_with("jobs/7", "jobs/"));
    assert_false(text_starts_with("job", "jobs/"));
    assert_true(text_is_empty(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strv_append_grows_and_copies),
        cmocka_unit_test(test_strv_has_looks_at_whole_strings),
        cmocka_unit_test(test_text_equal_takes_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
