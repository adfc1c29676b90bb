/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/signal-name.h"

static void test_signal_from_name_takes_names_and_numbers(void **unused)
{
    int signal;

    (void)unused;
    assert_int_equal(signal_from_name("TERM", &signal, NULL), 0);
    assert_int_equal(signal, SIGTERM);
    assert_int_equal(signal_from_name("sighup", &signal, NULL), 0);
    assert_int_equal(signal, SIGHUP);
    assert_int_equal(signal_from_name("9", &signal, NULL), 0);
    assert_int_equal(signal, SIGKILL);
    assert_int_equal(signal_from_name("RTMIN+2", &signal, NULL), 0);
    assert_int_equal(signal, 36);
}

static void test_signal_from_name_refuses_the_rest(void **unused)
{
    static const char *const wrong[] = {"", "0", "65", "-9", "SIG", "TERMINATE", "RTMIN+31", "9 "};
    struct error err;
    int signal = -1;

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(signal_from_name(wrong[i], &signal, &err), -EINVAL);
        assert_non_null(strstr(err.text, "is no signal"));
    }
    assert_int_equal(signal, -1);
}

static void test_signal_name_never_is_null(void **unused)
{
    (void)unused;
    assert_string_equal(signal_name(SIGUSR1), "USR1");
    assert_string_equal(signal_name(36), "RTMIN+2");
    assert_string_equal(signal_name(77), "signal 77");
    assert_string_equal(signal_name(-1), "signal -1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal_from_name_takes_names_and_numbers),
        cmocka_unit_test(test_signal_from_name_refuses_the_rest),
        cmocka_unit_test(test_signal_name_never_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
