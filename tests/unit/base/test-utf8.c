/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static void test_utf8_is_valid_refuses_every_wrong_form(void **unused)
{
    static const char *const right[] = {"",
                                        "abc",
                                        "\xc3\xb6",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xed\x9f\xbf",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {
        "\x80",             /* continuation alone */
        "\xc0\xaf",         /* overlong */
        "\xe0\x80\xaf",     /* overlong */
        "\xf0\x80\x80\xaf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80", /* above U+10FFFF */
        "\xff",             /* never */
        "\xe2\x82",         /* cut off */
        "a\xe2(b",          /* no continuation */
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_true(utf8_is_valid(right[i], strlen(right[i])));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(utf8_is_valid(wrong[i], strlen(wrong[i])));
    assert_true(utf8_is_valid("a\0b", 3));
}

static void test_utf8_escape_is_one_harmless_line(void **unused)
{
    _cleanup_free_ char *shown = utf8_escape("a\n\x1b[31m\\\xff\xc2\x9b\xe2\x80\xae\xc3\xb6");

    (void)unused;
    assert_string_equal(shown, "a\\n\\x1b[31m\\\\\\xff\\u{009b}\\u{202e}\xc3\xb6");
}

/* However the bytes are cut into calls, the same must come out. */
static void test_utf8_filter_append_does_not_depend_on_the_cuts(void **unused)
{
    static const char hostile[] = "ok\xc3\xb6\x1b]0;x\x07\r\n\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x82"
                                  "x\xc2\x9b\x80\xed\xa0\x80\ttail\xf0\x9f";
    static const char expected[] = "ok\xc3\xb6^[]0;x^G^M\n\xe2\x82\xac\xf0\x9f\x98\x80\\xe2\\x82"
                                   "x\\u{009b}\\x80\\xed\\xa0\\x80\ttail\\xf0\\x9f";
    size_t size = sizeof(hostile) - 1;

    (void)unused;
    for (size_t step = 1; step <= size; step++) {
        _cleanup_buffer_ struct buffer out = {0};
        _cleanup_free_ char *text = NULL;
        struct utf8_filter filter = {0};

        for (size_t at = 0; at < size; at += step)
            assert_int_equal(utf8_filter_append(&filter, &out, hostile + at, MIN(step, size - at)),
                             0);
        assert_int_equal(utf8_filter_end(&filter, &out), 0);
        text = buffer_take_text(&out);
        assert_string_equal(text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_is_valid_refuses_every_wrong_form),
        cmocka_unit_test(test_utf8_escape_is_one_harmless_line),
        cmocka_unit_test(test_utf8_filter_append_does_not_depend_on_the_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
