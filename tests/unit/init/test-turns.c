/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "init/turns.h"
#include "output/format.h"

#define NOW (100 * USEC_PER_SEC)

/* Changes at once until there is no budget left; returns how many there were. */
static unsigned use_up(struct turns *turns, usec_t now)
{
    unsigned changes = 0;

    while (turns_allow(turns, changes % 2, now) && changes < 1000)
        turns_took(turns, changes++ % 2, 1, 1, now);
    return changes;
}

static void test_turns_allow_a_burst_of_changes(void **unused)
{
    struct turns turns;

    (void)unused;
    turns_init(&turns, NOW);
    assert_in_range(use_up(&turns, NOW), 60, 70);
    assert_in_range(use_up(&turns, NOW + USEC_PER_SEC), 60, 70);
}

static void test_turns_hold_a_change_until_the_entry_is_over(void **unused)
{
    struct turns turns;
    unsigned last;

    (void)unused;
    turns_init(&turns, NOW);
    (void)use_up(&turns, NOW);
    last = turns.last;
    assert_true(turns_allow(&turns, last, NOW));
    assert_false(turns_allow(&turns, 1 - last, NOW + OUTPUT_ENTRY_USEC_MAX / 2));
    assert_int_equal(turns_next(&turns), NOW + OUTPUT_ENTRY_USEC_MAX);
}

/* A stream that never stops would begin an entry just then, and hold the other for ever. */
static void test_turns_let_who_was_held_go_first(void **unused)
{
    struct turns turns;
    usec_t over = NOW + OUTPUT_ENTRY_USEC_MAX;
    unsigned last;

    (void)unused;
    turns_init(&turns, NOW);
    (void)use_up(&turns, NOW);
    last = turns.last;
    assert_false(turns_let_other_first(&turns, last, NOW));
    turns_took(&turns, last, 1, 0, over - 1); /* it goes on */
    turns.budget = 0;
    assert_true(turns_let_other_first(&turns, last, over));
    assert_false(turns_let_other_first(&turns, 1 - last, over));
    assert_true(turns_allow(&turns, 1 - last, over));
}

static void test_turns_are_free_for_who_writes_blocks(void **unused)
{
    struct turns turns;

    (void)unused;
    turns_init(&turns, NOW);
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(turns_allow(&turns, i % 2, NOW));
        turns_took(&turns, i % 2, 4096, 1, NOW);
    }
}

static void test_turns_outlive_a_clock_that_stands_or_goes_back(void **unused)
{
    struct turns turns;

    (void)unused;
    turns_init(&turns, NOW);
    (void)use_up(&turns, NOW);
    assert_false(turns_allow(&turns, 1 - turns.last, NOW - USEC_PER_SEC));
    assert_true(turns_allow(&turns, 1 - turns.last, NOW + USEC_PER_SEC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_allow_a_burst_of_changes),
        cmocka_unit_test(test_turns_hold_a_change_until_the_entry_is_over),
        cmocka_unit_test(test_turns_let_who_was_held_go_first),
        cmocka_unit_test(test_turns_are_free_for_who_writes_blocks),
        cmocka_unit_test(test_turns_outlive_a_clock_that_stands_or_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
