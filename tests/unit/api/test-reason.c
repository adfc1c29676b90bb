/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/reason.h"

static void test_api_reason_name_and_back(void **unused)
{
    const ProtobufCEnumDescriptor *reasons = &hoist__v1__reason__descriptor;

    for (unsigned i = 0; i < reasons->n_values; i++)
        assert_int_equal(api_reason_from_name(api_reason_name(reasons->values[i].value)),
                         reasons->values[i].value);
    assert_string_equal(api_reason_name(HOIST__V1__REASON__REASON_COMMAND_NOT_FOUND),
                        "COMMAND_NOT_FOUND");
    assert_string_equal(api_reason_name(9999), "UNSPECIFIED");
    assert_int_equal(api_reason_from_name("NO_SUCH_REASON"), -EINVAL);
    assert_int_equal(api_reason_from_name(""), -EINVAL);
}

static void test_api_reason_code_knows_every_reason(void **unused)
{
    const ProtobufCEnumDescriptor *reasons = &hoist__v1__reason__descriptor;

    for (unsigned i = 0; i < reasons->n_values; i++)
        if (reasons->values[i].value != 0 && api_reason_code(reasons->values[i].value) == 2)
            fail_msg("%s has no status code", reasons->values[i].name);
    assert_int_equal(api_reason_code(HOIST__V1__REASON__REASON_JOB_NOT_FOUND), 5);
    assert_int_equal(api_reason_code(9999), 2);
}

static void test_api_state_names_take_either_case(void **unused)
{
    assert_string_equal(api_job_state_name(HOIST__V1__JOB_STATE__JOB_STATE_RUNNING), "RUNNING");
    assert_int_equal(api_job_state_from_name("running"), HOIST__V1__JOB_STATE__JOB_STATE_RUNNING);
    assert_int_equal(api_job_state_from_name("JOB_STATE_LOST"),
                     HOIST__V1__JOB_STATE__JOB_STATE_LOST);
    assert_int_equal(api_job_state_from_name("gone"), -EINVAL);
    assert_string_equal(api_job_state_name(-1), "UNSPECIFIED");
}

static void test_api_cause_and_stream_names(void **unused)
{
    assert_string_equal(api_cause_name(HOIST__V1__CAUSE__CAUSE_OOM_KILLED), "OOM_KILLED");
    assert_int_equal(api_cause_from_name("exited"), HOIST__V1__CAUSE__CAUSE_EXITED);
    assert_string_equal(api_stream_name(HOIST__V1__STREAM__STREAM_STDERR), "STDERR");
    assert_int_equal(api_stream_from_name("stdout"), HOIST__V1__STREAM__STREAM_STDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api_reason_name_and_back),
        cmocka_unit_test(test_api_reason_code_knows_every_reason),
        cmocka_unit_test(test_api_state_names_take_either_case),
        cmocka_unit_test(test_api_cause_and_stream_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
