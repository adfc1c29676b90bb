/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "worker/job-outcome.h"

static const enum hoist_state ends[] = {HOIST_STATE_SUCCEEDED, HOIST_STATE_FAILED,
                                        HOIST_STATE_STOPPED, HOIST_STATE_LOST};

static bool may_follow(enum hoist_state from, enum hoist_state to)
{
    return job_state_rules[from].next & STATE_BIT(to);
}

static void test_job_state_rules_let_no_end_be_left(void **unused)
{
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        assert_int_equal(job_state_rules[ends[i]].next, 0);
}

static void test_job_state_rules_hold_the_edges_of_a_life(void **unused)
{
    assert_true(may_follow(HOIST_STATE_STARTING, HOIST_STATE_RUNNING));
    assert_true(may_follow(HOIST_STATE_STARTING, HOIST_STATE_FAILED));
    assert_false(may_follow(HOIST_STATE_STARTING, HOIST_STATE_SUCCEEDED));
    assert_false(may_follow(HOIST_STATE_STARTING, HOIST_STATE_STOPPING));
    assert_false(may_follow(HOIST_STATE_RUNNING, HOIST_STATE_STARTING));
    assert_false(may_follow(HOIST_STATE_STOPPING, HOIST_STATE_RUNNING));
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        assert_true(may_follow(HOIST_STATE_RUNNING, ends[i]));
        assert_true(may_follow(HOIST_STATE_STOPPING, ends[i]));
    }
}

static void test_job_state_of_every_cause_is_an_end(void **unused)
{
    for (unsigned cause = 0; cause < HOIST_CAUSE_COUNT; cause++)
        assert_int_equal(job_state_rules[job_state_of(cause, 1)].next, 0);
    assert_int_equal(job_state_of(HOIST_CAUSE_EXITED, 0), HOIST_STATE_SUCCEEDED);
    assert_int_equal(job_state_of(HOIST_CAUSE_EXITED, 1), HOIST_STATE_FAILED);
    assert_int_equal(job_state_of((enum hoist_cause)99, 0), HOIST_STATE_LOST);
}

static void decide(struct state_file *said, bool rebooted, enum hoist_cause cause,
                   enum hoist_reason reason)
{
    _cleanup_outcome_ struct outcome outcome = {.state = HOIST_STATE_STARTING};

    assert_int_equal(outcome_decide(&outcome, said, rebooted), 0);
    assert_int_equal(outcome.cause, cause);
    assert_int_equal(outcome.reason, reason);
    assert_false(outcome.has_exit_code);
    assert_int_equal(outcome.exit_code, 0);
}

static void test_outcome_decide_never_invents_an_exit_code(void **unused)
{
    struct state_file said = {.progress.phase = STATE_PHASE_CREATED};

    decide(NULL, false, HOIST_CAUSE_LOST, HOIST_REASON_INIT_LOST);
    decide(NULL, true, HOIST_CAUSE_LOST, HOIST_REASON_HOST_REBOOTED);
    decide(&said, false, HOIST_CAUSE_START_FAILED, HOIST_REASON_INIT_DIED);
    decide(&said, true, HOIST_CAUSE_LOST, HOIST_REASON_HOST_REBOOTED);
    for (enum state_phase phase = STATE_PHASE_STOPPING; phase < _STATE_PHASE_MAX; phase++) {
        said.progress.phase = phase;
        decide(&said, false, HOIST_CAUSE_LOST, HOIST_REASON_INIT_LOST);
    }
}

static void test_outcome_decide_names_each_failure_of_a_start(void **unused)
{
    static const struct {
        enum spawn_failure failure;
        enum hoist_reason reason;
    } rows[] = {
        {SPAWN_FAILURE_ISOLATION, HOIST_REASON_ISOLATION_FAILED},
        {SPAWN_FAILURE_CWD, HOIST_REASON_CWD_INVALID},
        {SPAWN_FAILURE_COMMAND_NOT_FOUND, HOIST_REASON_COMMAND_NOT_FOUND},
        {SPAWN_FAILURE_COMMAND_NOT_EXECUTABLE, HOIST_REASON_COMMAND_NOT_EXECUTABLE},
        {SPAWN_FAILURE_OUTPUT, HOIST_REASON_OUTPUT_FAILED},
    };
    struct state_file said = {.progress.phase = STATE_PHASE_START_FAILED};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        said.progress.failure = rows[i].failure;
        decide(&said, false, HOIST_CAUSE_START_FAILED, rows[i].reason);
    }
}

static void test_outcome_decide_makes_the_sentence_harmless(void **unused)
{
    _cleanup_outcome_ struct outcome outcome = {.state = 0};
    struct state_file said = {.progress.phase = STATE_PHASE_START_FAILED};

    strcpy(said.progress.sentence, "no \x1b[2J here");
    assert_int_equal(outcome_decide(&outcome, &said, false), 0);
    assert_string_equal(outcome.error, "no \\x1b[2J here");
}

static void test_outcome_decide_tells_whose_agent_had_died(void **unused)
{
    _cleanup_outcome_ struct outcome outcome = {.state = 0}, late = {.state = 0};
    struct state_file said = {
        .progress.phase = STATE_PHASE_DRAINING,
        .has_exit = true,
        .exit = {.code = CLD_EXITED,
                 .flags = STATE_EXIT_STOPPED,
                 .stop_reason = STATE_STOP_ORPHANED},
    };

    assert_int_equal(outcome_decide(&outcome, &said, false), 0);
    assert_int_equal(outcome.state, HOIST_STATE_STOPPED);
    assert_int_equal(outcome.cause, HOIST_CAUSE_AGENT_SHUTDOWN);
    assert_non_null(strstr(outcome.error, "its agent had died"));
    said.exit.flags = 0; /* the command had ended before */
    assert_int_equal(outcome_decide(&late, &said, false), 0);
    assert_int_equal(late.cause, HOIST_CAUSE_EXITED);
    assert_string_equal(late.error, "");
}

static void test_outcome_decide_tells_output_that_was_lost(void **unused)
{
    _cleanup_outcome_ struct outcome outcome = {.state = 0};
    struct state_file said = {
        .progress.phase = STATE_PHASE_DRAINING,
        .has_exit = true,
        .exit = {.code = CLD_EXITED, .flags = STATE_EXIT_OUTPUT_LOST, .output_error = -5},
    };

    assert_int_equal(outcome_decide(&outcome, &said, false), 0);
    assert_int_equal(outcome.state, HOIST_STATE_SUCCEEDED);
    assert_int_equal(outcome.reason, HOIST_REASON_OUTPUT_WRITE_FAILED);
    assert_false(outcome.output_complete); /* until it has been sealed */
}

static void test_outcome_decide_tells_whose_memory_ran_out(void **unused)
{
    struct state_file said = {
        .progress.phase = STATE_PHASE_DRAINING,
        .has_exit = true,
        .exit = {.code = CLD_KILLED, .status = SIGKILL},
    };
    _cleanup_outcome_ struct outcome own = {
        .usage = {.known = CGROUP_KNOWS_MEMORY, .oom = 1, .oom_kill = 1},
    };
    _cleanup_outcome_ struct outcome host = {
        .usage = {.known = CGROUP_KNOWS_MEMORY, .oom_kill = 1, .oom_of_all = 3},
        .oom_of_all_before = 3,
    };
    _cleanup_outcome_ struct outcome all = {
        .usage = {.known = CGROUP_KNOWS_MEMORY, .oom_kill = 1, .oom_of_all = 4},
        .oom_of_all_before = 3,
    };

    limit_set(&own.limits, LIMIT_MEMORY_MAX, 32000000);
    assert_int_equal(outcome_decide(&own, &said, false), 0);
    assert_int_equal(own.cause, HOIST_CAUSE_OOM_KILLED);
    assert_string_equal(own.error, "killed at its memory limit of 32MB");
    assert_int_equal(outcome_decide(&host, &said, false), 0);
    assert_string_equal(host.error, "killed because the host ran out of memory");
    assert_int_equal(outcome_decide(&all, &said, false), 0);
    assert_int_equal(all.cause, HOIST_CAUSE_OOM_KILLED);
    assert_string_equal(all.error,
                        "killed because all jobs together reached their limit of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_state_rules_let_no_end_be_left),
        cmocka_unit_test(test_job_state_rules_hold_the_edges_of_a_life),
        cmocka_unit_test(test_job_state_of_every_cause_is_an_end),
        cmocka_unit_test(test_outcome_decide_never_invents_an_exit_code),
        cmocka_unit_test(test_outcome_decide_names_each_failure_of_a_start),
        cmocka_unit_test(test_outcome_decide_makes_the_sentence_harmless),
        cmocka_unit_test(test_outcome_decide_tells_whose_agent_had_died),
        cmocka_unit_test(test_outcome_decide_tells_output_that_was_lost),
        cmocka_unit_test(test_outcome_decide_tells_whose_memory_ran_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
