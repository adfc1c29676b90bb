/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/moment.h"
#include "base/buffer.h"
#include "base/error.h"
#include "cli/message-emit.h"
#include "text/emitter.h"

static char *as_json(const ProtobufCMessage *message)
{
    _cleanup_emitter_ struct emitter *emitter = emitter_new();
    _cleanup_buffer_ struct buffer out = {0};

    message_emit(emitter, NULL, message);
    assert_int_equal(emitter_finish(emitter, EMITTER_JSON, &out, NULL), 0);
    return buffer_take_text(&out);
}

static void test_message_emit_shows_every_kind_of_field(void **unused)
{
    static const char *const expected[] = {
        "\"name\": \"jobs/x\"",
        "\"state\": \"RUNNING\"",
        "\"cause\": \"STOPPED_BY_USER\"",
        "\"exit_code\": -3",
        "\"has_exit_code\": true",
        "\"create_time\": \"2026-11-21T22:27:43.000001Z\"",
        "\"run_time\": 1.5",
        "\"project\": \"web\"",
        "\"memory_max\": 512",
        "\"command\": \"\\\\xff\"",
        "\"degradations\": [",
    };
    _cleanup_api_message_ Hoist__V1__Job *job = api_new(hoist__v1__job);
    _cleanup_free_ char *text = NULL;

    (void)unused;
    api_set_text(&job->name, "jobs/x");
    job->state = HOIST__V1__JOB_STATE__JOB_STATE_RUNNING;
    job->cause = HOIST__V1__CAUSE__CAUSE_STOPPED_BY_USER;
    job->exit_code = -3;
    job->has_exit_code = true;
    api_timestamp_set(&job->create_time, UINT64_C(1795300063000001));
    api_duration_set(&job->run_time, 1500000);
    job->spec = api_new(hoist__v1__job_spec);
    api_set_bytes(&job->spec->command, "\xff", 1);
    api_append_entry(&hoist__v1__job_spec__labels_entry__descriptor, &job->spec->n_labels,
                     &job->spec->labels, "project", "web");
    job->spec->limits = api_new(hoist__v1__limits);
    api_limits_set(job->spec->limits, "memory_max", 512);
    text = as_json(&job->base);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (!strstr(text, expected[i]))
            fail_msg("%s is not in %s", expected[i], text);
    assert_null(strstr(text, "end_time")); /* absent */
    assert_null(strstr(text, "cpu_weight"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_emit_shows_every_kind_of_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
