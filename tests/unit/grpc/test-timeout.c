/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "grpc/timeout.h"

static void test_timeout_parse_knows_every_unit(void **state)
{
    static const struct {
        const char *text;
        usec_t usec;
    } cases[] = {
        {"1H", 3600 * USEC_PER_SEC},
        {"2M", 120 * USEC_PER_SEC},
        {"3S", 3 * USEC_PER_SEC},
        {"4m", 4 * USEC_PER_MSEC},
        {"5u", 5},
        {"6n", 1},
        {"1001n", 2},
        {"0n", 0},
        {"00000000S", 0},
        {"99999999H", UINT64_C(99999999) * 3600 * USEC_PER_SEC},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        usec_t usec = 0;

        assert_int_equal(grpc_timeout_parse(cases[i].text, strlen(cases[i].text), &usec), 0);
        assert_int_equal(usec, cases[i].usec);
    }
}

static void test_timeout_parse_refuses_the_rest(void **state)
{
    static const char *const texts[] = {"",    "S",  "1",  "100000000S", "-1S",  "+1S",
                                        " 1S", "1s", "1h", "1SS",        "1.5S", "0x1S"};
    usec_t usec = 7;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(grpc_timeout_parse(texts[i], strlen(texts[i]), &usec), -EINVAL);
    assert_int_equal(usec, 7);
}

static void test_timeout_format_is_never_shorter(void **state)
{
    static const usec_t times[] = {0,
                                   1,
                                   99999999,
                                   100000001,
                                   UINT64_C(99999999) * 1000,
                                   UINT64_C(99999999) * 1000 + 1,
                                   UINT64_C(5000000000000001)};
    char text[GRPC_TIMEOUT_TEXT_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        usec_t back = 0;

        grpc_timeout_format(times[i], text);
        assert_int_equal(grpc_timeout_parse(text, strlen(text), &back), 0);
        assert_true(back >= times[i]);
    }
    assert_string_equal(grpc_timeout_format(1500 * USEC_PER_MSEC, text), "1500000u");
    assert_string_equal(grpc_timeout_format(UINT64_MAX - 1, text), "99999999H");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout_parse_knows_every_unit),
        cmocka_unit_test(test_timeout_parse_refuses_the_rest),
        cmocka_unit_test(test_timeout_format_is_never_shorter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
