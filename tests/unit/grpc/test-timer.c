/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "grpc/timer.h"

#define COUNT 200

static struct timers timers;
static struct grpc_timer *all[COUNT];
static usec_t when[COUNT], last;
static unsigned elapsed;

static void on_elapsed(void *arg)
{
    usec_t mine = *(usec_t *)arg;

    assert_true(mine >= last);
    last = mine;
    elapsed++;
}

static void test_run_calls_in_order_of_time(void **state)
{
    unsigned seed = 1, off = 0;

    last = elapsed = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        all[i] = timer_new(&timers, on_elapsed, &when[i]);
        assert_non_null(all[i]);
    }
    for (unsigned round = 0; round < 5; round++)
        for (unsigned i = 0; i < COUNT; i++) {
            when[i] = 1 + (usec_t)rand_r(&seed) % 1000;
            grpc_timer_set(all[i], when[i]);
        }
    for (unsigned i = 0; i < COUNT; i += 3, off++)
        grpc_timer_set(all[i], USEC_INFINITY);
    timers_run(&timers, 500);
    assert_true(last <= 500);
    assert_true(timers_next(&timers) > 500);
    timers_run(&timers, 1000);
    assert_int_equal(elapsed, COUNT - off);
    assert_int_equal(timers_next(&timers), USEC_INFINITY);
    for (unsigned i = 0; i < COUNT; i++)
        grpc_timer_free(all[i]);
    timers_done(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_calls_in_order_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
