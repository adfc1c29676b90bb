/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/stop.h"

#define NOW UINT64_C(1000)

static void test_stop_request_signals_first(void **unused)
{
    struct stop stop = {0};

    assert_int_equal(stop_next(&stop), USEC_INFINITY);
    assert_int_equal(stop_request(&stop, STATE_STOP_REQUEST, SIGINT, 50, NOW), STOP_SIGNAL);
    assert_int_equal(stop.signal, SIGINT);
    assert_int_equal(stop_next(&stop), NOW + 50);
    assert_true(stop_gives_grace(&stop));
    assert_int_equal(stop_check(&stop, NOW + 49), STOP_NOTHING);
    assert_int_equal(stop_check(&stop, NOW + 50), STOP_KILL);
    assert_int_equal(stop_check(&stop, NOW + 51), STOP_NOTHING);
    assert_false(stop_gives_grace(&stop));
}

static void test_stop_request_without_grace_kills(void **unused)
{
    struct stop stop = {0};

    assert_int_equal(stop_request(&stop, STATE_STOP_TIMEOUT, SIGTERM, 0, NOW), STOP_KILL);
    assert_true(stop.killed);
    assert_int_equal(stop.reason, STATE_STOP_TIMEOUT);
    assert_int_equal(stop_next(&stop), USEC_INFINITY);
}

static void test_stop_request_again_brings_the_deadline_nearer_only(void **unused)
{
    struct stop stop = {0};

    (void)stop_request(&stop, STATE_STOP_REQUEST, SIGTERM, 50, NOW);
    assert_int_equal(stop_request(&stop, STATE_STOP_REQUEST, SIGINT, 500, NOW), STOP_SIGNAL);
    assert_int_equal(stop_next(&stop), NOW + 50);
    assert_int_equal(stop_request(&stop, STATE_STOP_REQUEST, SIGINT, 10, NOW + 1), STOP_SIGNAL);
    assert_int_equal(stop_next(&stop), NOW + 11);
}

static void test_stop_request_keeps_the_first_reason(void **unused)
{
    struct stop stop = {0};

    (void)stop_request(&stop, STATE_STOP_TIMEOUT, SIGTERM, 50, NOW);
    (void)stop_request(&stop, STATE_STOP_REQUEST, SIGTERM, 50, NOW);
    assert_int_equal(stop.reason, STATE_STOP_TIMEOUT);
}

static void test_stop_request_after_the_kill_does_nothing(void **unused)
{
    struct stop stop = {0};

    assert_int_equal(stop_kill(&stop, STATE_STOP_REQUEST, NOW), STOP_KILL);
    assert_int_equal(stop_request(&stop, STATE_STOP_REQUEST, SIGTERM, 50, NOW), STOP_NOTHING);
    assert_int_equal(stop_kill(&stop, STATE_STOP_REQUEST, NOW),
                     STOP_KILL); /* said again: kills again */
}

static void test_stop_request_with_endless_grace_never_kills(void **unused)
{
    struct stop stop = {0};

    assert_int_equal(stop_request(&stop, STATE_STOP_REQUEST, SIGTERM, USEC_INFINITY - 1, NOW),
                     STOP_SIGNAL);
    assert_int_equal(stop_next(&stop), USEC_INFINITY);
    assert_int_equal(stop_check(&stop, UINT64_C(1) << 62), STOP_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_request_signals_first),
        cmocka_unit_test(test_stop_request_without_grace_kills),
        cmocka_unit_test(test_stop_request_again_brings_the_deadline_nearer_only),
        cmocka_unit_test(test_stop_request_keeps_the_first_reason),
        cmocka_unit_test(test_stop_request_after_the_kill_does_nothing),
        cmocka_unit_test(test_stop_request_with_endless_grace_never_kills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
