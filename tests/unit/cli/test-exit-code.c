/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/error.h"
#include "cli/exit-code.h"

static void test_exit_code_of_job_follows_the_table(void **unused)
{
    static const struct {
        Hoist__V1__JobState state;
        Hoist__V1__Cause cause;
        Hoist__V1__Reason reason;
        bool has_exit_code;
        int exit_code, signal, expected;
    } rows[] = {
        {HOIST__V1__JOB_STATE__JOB_STATE_SUCCEEDED, HOIST__V1__CAUSE__CAUSE_EXITED, 0, true, 0, 0,
         0},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_EXITED, 0, true, 7, 0, 7},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_EXITED, 0, true, 255, 0,
         255},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_SIGNALED, 0, false, 0, 9,
         137},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_TIMED_OUT, 0, false, 0, 15,
         124},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_OOM_KILLED, 0, false, 0, 9,
         137},
        {HOIST__V1__JOB_STATE__JOB_STATE_STOPPED, HOIST__V1__CAUSE__CAUSE_STOPPED_BY_USER, 0, true,
         3, 0, 3},
        {HOIST__V1__JOB_STATE__JOB_STATE_LOST, HOIST__V1__CAUSE__CAUSE_LOST,
         HOIST__V1__REASON__REASON_INIT_LOST, false, 0, 0, 125},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_START_FAILED,
         HOIST__V1__REASON__REASON_COMMAND_NOT_FOUND, false, 0, 0, 127},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_START_FAILED,
         HOIST__V1__REASON__REASON_COMMAND_NOT_EXECUTABLE, false, 0, 0, 126},
        {HOIST__V1__JOB_STATE__JOB_STATE_FAILED, HOIST__V1__CAUSE__CAUSE_START_FAILED,
         HOIST__V1__REASON__REASON_CWD_INVALID, false, 0, 0, 125},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Hoist__V1__Job job = HOIST__V1__JOB__INIT;

        job.state = rows[i].state;
        job.cause = rows[i].cause;
        job.reason = rows[i].reason;
        job.has_exit_code = rows[i].has_exit_code;
        job.exit_code = rows[i].exit_code;
        job.signal = rows[i].signal;
        assert_int_equal(exit_code_of_job(&job), rows[i].expected);
    }
}

static void test_exit_code_of_refusal_is_125_but_for_commands(void **unused)
{
    struct api_error error = {.reason = HOIST__V1__REASON__REASON_COMMAND_NOT_FOUND};

    (void)unused;
    assert_int_equal(exit_code_of_refusal(&error), 127);
    error.reason = HOIST__V1__REASON__REASON_NO_ROLE;
    assert_int_equal(exit_code_of_refusal(&error), 125);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_code_of_job_follows_the_table),
        cmocka_unit_test(test_exit_code_of_refusal_is_125_but_for_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
