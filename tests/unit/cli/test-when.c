/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/error.h"
#include "cli/when.h"

/* 2026-11-21T12:00:00Z, which is 14:00 where these tests take place. */
#define NOON (UINT64_C(1795262400) * USEC_PER_SEC)
#define HOUR (3600 * USEC_PER_SEC)

static usec_t parse(const char *text, bool is_past)
{
    usec_t moment = 0;
    struct error err = {.code = 0};

    if (when_parse(text, NOON, is_past, &moment, &err) < 0)
        fail_msg("%s", err.text);
    return moment;
}

static void test_when_parse_reads_dates(void **unused)
{
    (void)unused;
    assert_int_equal(parse("2026-11-21T12:00:00Z", true), NOON);
    assert_int_equal(parse("2026-11-21t12:00z", true), NOON);
    assert_int_equal(parse("2026-11-21 12:00:00.25Z", true), NOON + 250000);
    assert_int_equal(parse("2026-11-21T12:00:00.1234567Z", true), NOON + 123456);
    assert_int_equal(parse("2026-11-21T13:30:00+01:30", true), NOON);
    assert_int_equal(parse("2026-11-21T07:00:00-05:00", true), NOON);
    assert_int_equal(parse("2026-11-21T14:00:00", true), NOON);
    assert_int_equal(parse("1970-01-01T00:00:00Z", true), 0);
}

static void test_when_parse_reads_times_of_the_day(void **unused)
{
    (void)unused;
    assert_int_equal(parse("13:00", true), NOON - HOUR);
    assert_int_equal(parse("13:59:59.5", true), NOON - USEC_PER_SEC / 2);
    assert_int_equal(parse("15:00", false), NOON + HOUR);
    assert_int_equal(parse("15:00", true), NOON - 23 * HOUR);
}

static void test_when_parse_reads_times_ago(void **unused)
{
    (void)unused;
    assert_int_equal(parse("1h30m", true), NOON - HOUR - HOUR / 2);
    assert_int_equal(parse("90", true), NOON - 90 * USEC_PER_SEC);
    assert_int_equal(parse("0", false), NOON);
    assert_int_equal(parse("100000d", true), 0);
}

static void test_when_parse_refuses_the_rest(void **unused)
{
    static const char *const wrong[] = {
        "",
        "yesterday",
        "24:00",
        "12:60",
        "1:00",
        "12:00:61",
        "12:00x",
        "12:00:00.",
        "2026-11-21",
        "-10m",
        "2026-13-01T00:00Z",
        "2026-00-01T00:00Z",
        "2026-1-1T00:00Z",
        "2026-11-21T12:00+1",
        "1969-12-31T23:59:59Z",
    };
    struct error err;
    usec_t moment;

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int r = when_parse(wrong[i], NOON, true, &moment, &err);

        if (r != -EINVAL && r != -ERANGE)
            fail_msg("\"%s\": %d", wrong[i], r);
        assert_true(strlen(err.text) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when_parse_reads_dates),
        cmocka_unit_test(test_when_parse_reads_times_of_the_day),
        cmocka_unit_test(test_when_parse_reads_times_ago),
        cmocka_unit_test(test_when_parse_refuses_the_rest),
    };

    if (setenv("TZ", "EET-2", 1) < 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
