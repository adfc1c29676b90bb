/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/output-choice.h"
#include "api/error.h"

#define MIB (UINT64_C(1) << 20)

static const struct config_output agent_100 = {.cap = 100 * MIB};
static const struct class plain = {.name = "plain"};
static const struct class ten = {
    .name = "ten",
    .output = {.cap = 10 * MIB, .policy = OUTPUT_POLICY_STOP_JOB},
};

static void test_output_choose_of_nothing_is_that_of_the_class(void **unused)
{
    const struct output_choice nothing = {.cap = 0};
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct output_choice choice;

    (void)unused;
    assert_int_equal(output_choose(&plain, &agent_100, &nothing, &choice, &error), 0);
    assert_int_equal(choice.cap, 0);
    assert_int_equal(choice.policy, OUTPUT_POLICY_UNSPECIFIED);
    assert_int_equal(output_choose(&ten, &agent_100, &nothing, &choice, &error), 0);
    assert_int_equal(choice.cap, 10 * MIB);
    assert_int_equal(choice.policy, OUTPUT_POLICY_STOP_JOB);
}

static void test_output_choose_takes_less_and_the_other_policy(void **unused)
{
    const struct output_choice asked = {.cap = 10 * MIB, .policy = OUTPUT_POLICY_KEEP_ENDS};
    const struct config_output unbounded = {.cap = 0};
    const struct output_choice none = {.cap = OUTPUT_CAP_NONE};
    _cleanup_api_error_ struct api_error error = {.code = 0};
    struct output_choice choice;

    (void)unused;
    assert_int_equal(output_choose(&ten, &agent_100, &asked, &choice, &error), 0);
    assert_int_equal(choice.cap, 10 * MIB);
    assert_int_equal(choice.policy, OUTPUT_POLICY_KEEP_ENDS);
    assert_int_equal(output_choose(&plain, &unbounded, &none, &choice, &error), 0);
    assert_int_equal(choice.cap, OUTPUT_CAP_NONE);
}

static void test_output_choose_names_the_ceiling(void **unused)
{
    static const struct {
        const struct class *class;
        uint64_t asked;
        const char *ceiling, *set_by, *sentence;
    } wrong[] = {
        {&plain, 100 * MIB + 1, "104857600", "the agent (output.cap)",
         "output_cap 104857601 is above the ceiling 104857600 set by the agent (output.cap); ask "
         "for at most that much"},
        {&plain, OUTPUT_CAP_NONE, "104857600", "the agent (output.cap)",
         "output_cap none is above the ceiling 104857600 set by the agent (output.cap); ask for at "
         "most that much"},
        {&ten, 11 * MIB, "10485760", "the class \"ten\"",
         "output_cap 11534336 is above the ceiling 10485760 set by the class \"ten\"; ask for at "
         "most that much or choose another class"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct output_choice asked = {.cap = wrong[i].asked};
        _cleanup_api_error_ struct api_error error = {.code = 0};
        struct output_choice choice;

        assert_true(output_choose(wrong[i].class, &agent_100, &asked, &choice, &error) < 0);
        assert_int_equal(error.reason, HOIST__V1__REASON__REASON_OVER_CEILING);
        assert_string_equal(api_error_get(&error, "limit"), "output_cap");
        assert_non_null(api_error_get(&error, "asked"));
        assert_string_equal(api_error_get(&error, "ceiling"), wrong[i].ceiling);
        assert_string_equal(api_error_get(&error, "set_by"), wrong[i].set_by);
        assert_string_equal(error.text, wrong[i].sentence);
    }
}

static void test_output_rules_choose_leaves_half_of_a_smaller_cap_for_the_end(void **unused)
{
    const struct output_rules agent = {.cap = 100 * MIB, .head = 40 * MIB, .rate = 7};
    const struct output_choice smaller = {.cap = 10 * MIB, .policy = OUTPUT_POLICY_STOP_JOB};
    const struct output_choice none = {.cap = OUTPUT_CAP_NONE};
    struct output_rules rules = output_rules_choose(&agent, &smaller);

    (void)unused;
    assert_int_equal(rules.cap, 10 * MIB);
    assert_int_equal(rules.head, 5 * MIB);
    assert_int_equal(rules.rate, 7);
    assert_true(rules.stop_at_cap);
    assert_int_equal(output_rules_choose(&agent, &none).cap, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_choose_of_nothing_is_that_of_the_class),
        cmocka_unit_test(test_output_choose_takes_less_and_the_other_policy),
        cmocka_unit_test(test_output_choose_names_the_ceiling),
        cmocka_unit_test(test_output_rules_choose_leaves_half_of_a_smaller_cap_for_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
