/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/id.h"

#define SAMPLE "0f1e2d3c-4b5a-4697-8877-665544332211"

static void test_id_new_is_version_4_and_never_the_same(void **unused)
{
    struct id a, b;
    char text[ID_TEXT_MAX];

    (void)unused;
    assert_int_equal(id_new(&a), 0);
    assert_int_equal(id_new(&b), 0);
    assert_false(id_equal(&a, &b));
    id_format(&a, text);
    assert_int_equal(text[14], '4');
    assert_non_null(strchr("89ab", text[19]));
}

static void test_id_parse_and_format_are_inverse(void **unused)
{
    struct id id;
    char text[ID_TEXT_MAX];

    (void)unused;
    assert_int_equal(id_parse("0F1E2D3C-4B5A-4697-8877-665544332211", &id), 0);
    assert_string_equal(id_format(&id, text), SAMPLE);
}

static void test_id_parse_refuses_what_is_no_uuid(void **unused)
{
    static const char *const wrong[] = {
        "",
        "0f1e2d3c",
        "0f1e2d3c4b5a46978877665544332211",
        "0f1e2d3c-4b5a-4697-8877-66554433221",
        "0f1e2d3c-4b5a-4697-8877-6655443322112",
        "0f1e2d3c-4b5a-4697-8877-66554433221g",
        "0f1e2d3c-4b5a-4697-88776-65544332211",
        "0f1e2d3c-4b5a-4697-8877-665544332211\n",
        "../../..",
    };
    struct id id = {{7}};

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(id_parse(wrong[i], &id), -EINVAL);
    assert_int_equal(id.bytes[0], 7);
}

static void test_id_parse_prefix_spans_all_ids_that_begin_so(void **unused)
{
    struct id low, high, sample;

    (void)unused;
    assert_int_equal(id_parse(SAMPLE, &sample), 0);
    assert_int_equal(id_parse_prefix("0f1e2d3c-4", &low, &high), 0);
    assert_true(id_compare(&low, &sample) < 0);
    assert_true(id_compare(&high, &sample) > 0);
    assert_int_equal(low.bytes[4], 0x40);
    assert_int_equal(high.bytes[4], 0x4f);
    assert_int_equal(id_parse_prefix(SAMPLE, &low, &high), 0);
    assert_true(id_equal(&low, &high));
    assert_int_equal(id_parse_prefix("0f1", &low, &high), -EINVAL);
    assert_int_equal(id_parse_prefix("0f1e-2", &low, &high), -EINVAL);
    assert_int_equal(id_parse_prefix("zzzz", &low, &high), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_new_is_version_4_and_never_the_same),
        cmocka_unit_test(test_id_parse_and_format_are_inverse),
        cmocka_unit_test(test_id_parse_refuses_what_is_no_uuid),
        cmocka_unit_test(test_id_parse_prefix_spans_all_ids_that_begin_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
