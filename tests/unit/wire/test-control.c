/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/control.h"

static void assert_round_trip(enum control_op op, int signal, usec_t grace, usec_t expected)
{
    const struct control_request request = {op, signal, grace};
    struct control_request back;
    int number, value;

    assert_int_equal(control_pack(&request, &number, &value), 0);
    assert_true(number > 35 && number <= 64); /* real-time, and free with both C libraries */
    assert_int_equal(control_parse(number, value, &back), 0);
    assert_int_equal(back.op, op);
    assert_int_equal(back.signal, op == CONTROL_KILL ? 0 : signal);
    assert_int_equal(back.grace, expected);
}

static void test_control_pack_round_trips(void **unused)
{
    assert_round_trip(CONTROL_STOP, SIGTERM, 10 * USEC_PER_SEC, 10 * USEC_PER_SEC);
    assert_round_trip(CONTROL_STOP, 64, 0, 0);
    assert_round_trip(CONTROL_SIGNAL, SIGHUP, 0, 0);
    assert_round_trip(CONTROL_KILL, 0, 0, 0);
}

static void test_control_pack_rounds_grace_up(void **unused)
{
    assert_round_trip(CONTROL_STOP, SIGTERM, 1, CONTROL_GRACE_STEP);
    assert_round_trip(CONTROL_STOP, SIGTERM, CONTROL_GRACE_STEP + 1, 2 * CONTROL_GRACE_STEP);
}

static void test_control_pack_cuts_a_long_grace(void **unused)
{
    assert_round_trip(CONTROL_STOP, SIGTERM, CONTROL_GRACE_MAX, CONTROL_GRACE_MAX);
    assert_round_trip(CONTROL_STOP, SIGTERM, USEC_INFINITY, CONTROL_GRACE_MAX);
}

static void test_control_pack_refuses_what_is_no_signal(void **unused)
{
    static const int signals[] = {0, -1, 65, INT_MAX, INT_MIN};
    int number, value;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        const struct control_request request = {CONTROL_STOP, signals[i], 0};

        assert_int_equal(control_pack(&request, &number, &value), -EINVAL);
    }
    assert_int_equal(
        control_pack(&(struct control_request){_CONTROL_OP_MAX, SIGTERM, 0}, &number, &value),
        -EINVAL);
}

static void test_control_parse_takes_only_what_was_packed(void **unused)
{
    struct control_request request;

    assert_int_equal(control_parse(SIGTERM, SIGTERM, &request), -EINVAL);
    assert_int_equal(control_parse(CONTROL_SIGNAL_FIRST - 1, SIGTERM, &request), -EINVAL);
    assert_int_equal(control_parse(CONTROL_SIGNAL_FIRST + _CONTROL_OP_MAX, SIGTERM, &request),
                     -EINVAL);
    assert_int_equal(control_parse(CONTROL_SIGNAL_FIRST + CONTROL_STOP, 0, &request), -EINVAL);
    assert_int_equal(control_parse(CONTROL_SIGNAL_FIRST + CONTROL_STOP, 65, &request), -EINVAL);
    assert_int_equal(control_parse(CONTROL_SIGNAL_FIRST + CONTROL_STOP, -1, &request), -EINVAL);
    assert_int_equal(
        control_parse(CONTROL_SIGNAL_FIRST + CONTROL_SIGNAL, 1 << 7 | SIGHUP, &request), -EINVAL);
    assert_int_equal(control_parse(CONTROL_SIGNAL_FIRST + CONTROL_KILL, 9, &request), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_pack_round_trips),
        cmocka_unit_test(test_control_pack_rounds_grace_up),
        cmocka_unit_test(test_control_pack_cuts_a_long_grace),
        cmocka_unit_test(test_control_pack_refuses_what_is_no_signal),
        cmocka_unit_test(test_control_parse_takes_only_what_was_packed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
