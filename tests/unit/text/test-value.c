/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/strv.h"
#include "text/value.h"

static void test_text_parse_string_replaces(void **unused)
{
    char *text = NULL;

    assert_int_equal(text_parse_string("a", &text, NULL, NULL), 0);
    assert_int_equal(text_parse_string("b", &text, NULL, NULL), 0);
    assert_string_equal(text, "b");
    free(text);
}

static void test_text_parse_bool_knows_two_words(void **unused)
{
    static const char *const wrong[] = {"yes", "True", "1", "", "truee"};
    bool value = false;

    assert_int_equal(text_parse_bool("true", &value, NULL, NULL), 0);
    assert_true(value);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(text_parse_bool(wrong[i], &value, NULL, NULL), -EINVAL);
    assert_true(value);
    assert_int_equal(text_parse_bool("false", &value, NULL, NULL), 0);
    assert_false(value);
}

static void test_text_parse_unsigned_keeps_its_range(void **unused)
{
    static const struct text_range range = {1, 10};
    struct error err;
    uint64_t value = 7;

    assert_int_equal(text_parse_unsigned("10", &value, &range, &err), 0);
    assert_int_equal(value, 10);
    assert_int_equal(text_parse_unsigned("11", &value, &range, &err), -ERANGE);
    assert_string_equal(err.text, "11 is out of range: 1 to 10 are allowed");
    assert_int_equal(text_parse_unsigned("-1", &value, &range, &err), -EINVAL);
    assert_int_equal(value, 10);
}

static void test_text_parse_size_and_duration_take_units(void **unused)
{
    static const struct text_range range = {0, 60 * 1000000};
    struct error err;
    uint64_t value = 0;

    assert_int_equal(text_parse_size("1.5Ki", &value, NULL, &err), 0);
    assert_int_equal(value, 1536);
    assert_int_equal(text_parse_duration("1m", &value, &range, &err), 0);
    assert_int_equal(value, 60000000);
    assert_int_equal(text_parse_duration("61s", &value, &range, &err), -ERANGE);
    assert_int_equal(value, 60000000);
}

static void test_text_parse_choice_lists_the_choices(void **unused)
{
    static const char *const names[] = {"refuse", "warn", "ignore", NULL};
    struct error err;
    int value = -1;

    assert_int_equal(text_parse_choice("warn", &value, names, &err), 0);
    assert_int_equal(value, 1);
    assert_int_equal(text_parse_choice("wrn\n", &value, names, &err), -EINVAL);
    assert_string_equal(err.text, "\"wrn\\n\" is not known: refuse, warn or ignore are allowed");
}

static void test_text_parse_strings_appends(void **unused)
{
    char **list = NULL;

    assert_int_equal(text_parse_strings("a", &list, NULL, NULL), 0);
    assert_int_equal(text_parse_strings("b", &list, NULL, NULL), 0);
    assert_int_equal(strv_length(list), 2);
    strv_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_parse_string_replaces),
        cmocka_unit_test(test_text_parse_bool_knows_two_words),
        cmocka_unit_test(test_text_parse_unsigned_keeps_its_range),
        cmocka_unit_test(test_text_parse_size_and_duration_take_units),
        cmocka_unit_test(test_text_parse_choice_lists_the_choices),
        cmocka_unit_test(test_text_parse_strings_appends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
