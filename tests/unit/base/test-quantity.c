/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/quantity.h"

static void test_quantity_parse_size_knows_both_families_of_units(void **unused)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } right[] = {
        {"0", 0},
        {"4096", 4096},
        {"512MB", 512000000},
        {"512mib", UINT64_C(512) << 20},
        {"1.5GiB", UINT64_C(3) << 29},
        {"10k", 10000},
        {"18446744073709551615", UINT64_MAX},
    };
    uint64_t bytes;

    (void)unused;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(quantity_parse_size(right[i].text, &bytes, NULL), 0);
        assert_true(bytes == right[i].bytes);
    }
}

static void test_quantity_parse_size_refuses_with_an_example(void **unused)
{
    static const char *const wrong[] = {"", "-1", " 1", "1 MB", "MB", "1.", "1XB", "1MBB", "0x10"};
    struct error err;
    uint64_t bytes = 7;

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(quantity_parse_size(wrong[i], &bytes, &err), -EINVAL);
        assert_non_null(strstr(err.text, "write it like 512MB"));
    }
    assert_int_equal(quantity_parse_size("18446744073709551616", &bytes, &err), -ERANGE);
    assert_int_equal(quantity_parse_size("99999999TiB", &bytes, &err), -ERANGE);
    assert_true(bytes == 7);
}

static void test_quantity_parse_duration_adds_its_parts(void **unused)
{
    static const struct {
        const char *text;
        usec_t usec;
    } right[] = {
        {"0", 0},          {"10", 10000000},      {"1h30m", UINT64_C(5400000000)},
        {"250ms", 250000}, {"1.5s", 1500000},     {"2d", UINT64_C(172800000000)},
        {"3us", 3},        {"1min30s", 90000000},
    };
    static const char *const wrong[] = {"", "s", "1h30", "5 s", "-1s", "1w", "1s;"};
    usec_t usec;

    (void)unused;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(quantity_parse_duration(right[i].text, &usec, NULL), 0);
        assert_true(usec == right[i].usec);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(quantity_parse_duration(wrong[i], &usec, NULL), -EINVAL);
    assert_int_equal(quantity_parse_duration("99999999999999999d", &usec, NULL), -ERANGE);
}

static void test_quantity_parse_cpu_knows_percent_and_thousandths(void **unused)
{
    static const char *const wrong[] = {"", "%", "m", "-1%", "25 %", "250M", "25%%", "0.5", "1.5%"};
    struct error err;
    uint64_t millis;

    (void)unused;
    assert_int_equal(quantity_parse_cpu("25%", &millis, &err), 0);
    assert_int_equal(millis, 250);
    assert_int_equal(quantity_parse_cpu("250m", &millis, &err), 0);
    assert_int_equal(millis, 250);
    assert_int_equal(quantity_parse_cpu("1500", &millis, &err), 0);
    assert_int_equal(millis, 1500);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(quantity_parse_cpu(wrong[i], &millis, &err), -EINVAL);
        assert_non_null(strstr(err.text, "write it like 25% or 250m"));
    }
    assert_int_equal(quantity_parse_cpu("100000%", &millis, &err), 0);
    assert_int_equal(quantity_parse_cpu("100001%", &millis, &err), -ERANGE);
    assert_int_equal(quantity_parse_cpu("18446744073709551615m", &millis, &err), -ERANGE);
}

static void test_quantity_parse_unsigned_is_whole_and_bounded(void **unused)
{
    struct error err;
    uint64_t value;

    (void)unused;
    assert_int_equal(quantity_parse_unsigned("65535", 65535, &value, &err), 0);
    assert_int_equal(value, 65535);
    assert_int_equal(quantity_parse_unsigned("65536", 65535, &value, &err), -ERANGE);
    assert_int_equal(quantity_parse_unsigned("1.0", 65535, &value, &err), -EINVAL);
    assert_int_equal(quantity_parse_unsigned("1a", 65535, &value, &err), -EINVAL);
    assert_int_equal(quantity_parse_unsigned("", 65535, &value, &err), -EINVAL);
}

static void test_quantity_formats_have_three_digits_at_most(void **unused)
{
    char text[QUANTITY_TEXT_MAX];

    (void)unused;
    assert_string_equal(quantity_format_size(32000000, text), "32MB");
    assert_string_equal(quantity_format_size(1500000000, text), "1.5GB");
    assert_string_equal(quantity_format_size(812, text), "812B");
    assert_string_equal(quantity_format_exact(0, text), "0B");
    assert_string_equal(quantity_format_exact(812, text), "812B");
    assert_string_equal(quantity_format_exact(UINT64_C(512) << 20, text), "512MiB");
    assert_string_equal(quantity_format_exact(UINT64_C(1) << 30, text), "1GiB");
    assert_string_equal(quantity_format_exact(UINT64_C(3) << 29, text), "1536MiB");
    assert_string_equal(quantity_format_exact(512000000, text), "512MB");
    assert_string_equal(quantity_format_exact(10240000, text), "10240kB");
    assert_string_equal(quantity_format_exact(1234567, text), "1234567B");
    assert_string_equal(quantity_format_exact(UINT64_C(3) << 50, text), "3072TiB");
    assert_string_equal(quantity_format_exact(UINT64_MAX, text), "18446744073709551615B");
    assert_string_equal(quantity_format_size(999999, text), "1MB");
    assert_string_equal(quantity_format_count(2370, text), "2.37k");
    assert_string_equal(quantity_format_count(15, text), "15");
    assert_string_equal(quantity_format_duration(350000, text), "350ms");
    assert_string_equal(quantity_format_duration(12340000, text), "12.3s");
    assert_string_equal(quantity_format_duration(UINT64_C(245000000), text), "4m05s");
    assert_string_equal(quantity_format_duration(UINT64_C(12000000000), text), "3h20m");
    assert_string_equal(quantity_format_duration(UINT64_C(187200000000), text), "2d4h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantity_parse_size_knows_both_families_of_units),
        cmocka_unit_test(test_quantity_parse_size_refuses_with_an_example),
        cmocka_unit_test(test_quantity_parse_duration_adds_its_parts),
        cmocka_unit_test(test_quantity_parse_cpu_knows_percent_and_thousandths),
        cmocka_unit_test(test_quantity_parse_unsigned_is_whole_and_bounded),
        cmocka_unit_test(test_quantity_formats_have_three_digits_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
