/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/rate.h"

static void test_rate_without_a_limit_allows_all(void **unused)
{
    struct rate rate;

    rate_init(&rate, 0, 0);
    assert_int_equal(rate_allowance(&rate, 1 << 20, 0), 1 << 20);
    rate_spend(&rate, 1 << 20);
    assert_int_equal(rate_allowance(&rate, 1 << 20, 0), 1 << 20);
}

static void test_rate_allows_a_quarter_of_a_second_at_once(void **unused)
{
    struct rate rate;

    rate_init(&rate, 400000, 0);
    assert_int_equal(rate_allowance(&rate, 1 << 20, 0), 100000);
    rate_spend(&rate, 100000);
    assert_int_equal(rate_allowance(&rate, 1 << 20, 0), 0);
    assert_in_range(rate_next(&rate), 125000, 125001);
    assert_in_range(rate_allowance(&rate, 1 << 20, rate_next(&rate)), 50000, 50001);
}

/* Whatever pieces are asked for: over ten seconds never more than the rate and one bucket. */
static void copy_for(uint64_t bytes_per_second, size_t piece, uint64_t *ret_copied)
{
    struct rate rate;
    usec_t now = 5;
    uint64_t copied = 0;

    rate_init(&rate, bytes_per_second, now);
    while (now < 10 * USEC_PER_SEC) {
        size_t allowed = rate_allowance(&rate, piece, now);

        if (allowed == 0) {
            assert_true(rate_next(&rate) > now);
            now = rate_next(&rate);
            continue;
        }
        rate_spend(&rate, allowed);
        copied += allowed;
        now += 50;
    }
    *ret_copied = copied;
}

static void test_rate_holds_over_time(void **unused)
{
    static const uint64_t rates[] = {5000, 100000, 33333333};
    static const size_t pieces[] = {100, 4096, 262144};

    for (size_t i = 0; i < 9; i++) {
        uint64_t copied, rate = rates[i / 3];

        copy_for(rate, pieces[i % 3], &copied);
        assert_true(copied <= rate * 10 + rate / 4 + 8192);
        if (pieces[i % 3] * 20000 > rate) /* else the loop's own 50 µs are the limit */
            assert_true(copied >= rate * 9);
    }
}

static void test_rate_survives_extremes(void **unused)
{
    struct rate rate;

    rate_init(&rate, 1, 0);
    rate_spend(&rate, 4096);
    assert_int_equal(rate_allowance(&rate, 10, 0), 0);
    assert_true(rate_next(&rate) >= 2047 * USEC_PER_SEC);
    rate_init(&rate, UINT64_MAX, 0);
    assert_int_equal(rate_allowance(&rate, 1 << 20, 1), 1 << 20);
    rate_spend(&rate, 1 << 20);
    assert_int_equal(rate_allowance(&rate, 1 << 20, UINT64_MAX - 1), 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_without_a_limit_allows_all),
        cmocka_unit_test(test_rate_allows_a_quarter_of_a_second_at_once),
        cmocka_unit_test(test_rate_holds_over_time),
        cmocka_unit_test(test_rate_survives_extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
