/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/show-job.h"

static const char *id_of(const char *name)
{
    Hoist__V1__Job job = HOIST__V1__JOB__INIT;

    job.name = (char *)name;
    return job_id(&job);
}

static void test_job_id_is_an_id_or_none(void **unused)
{
    static const char *const hostile[] = {
        "",
        "jobs/",
        "jobs/\033]0;owned\a",
        "jobs/30559753-e195-4b71-9459-16bd537be437\n$(reboot)",
        "30559753-e195-4b71-9459-16bd537be437",
    };

    assert_string_equal(id_of("jobs/30559753-e195-4b71-9459-16bd537be437"),
                        "30559753-e195-4b71-9459-16bd537be437");
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++)
        assert_string_equal(id_of(hostile[i]), "(no id)");
}

static void test_job_command_text_is_harmless(void **unused)
{
    Hoist__V1__Job job = HOIST__V1__JOB__INIT;
    Hoist__V1__JobSpec spec = HOIST__V1__JOB_SPEC__INIT;
    uint8_t word[] = "\033[2J\r\302\233x";
    char *text;

    spec.command = (ProtobufCBinaryData){sizeof(word) - 1, word};
    job.spec = &spec;
    text = job_command_text(&job);
    for (const char *c = text; *c; c++)
        assert_true(*c >= ' ' && *c <= '~');
    free(text);
}

static void test_job_command_text_can_be_pasted(void **unused)
{
    Hoist__V1__Job job = HOIST__V1__JOB__INIT;
    Hoist__V1__JobSpec spec = HOIST__V1__JOB_SPEC__INIT;
    ProtobufCBinaryData args[] = {{4, (uint8_t *)"it's"},
                                  {0, NULL},
                                  {1, (uint8_t *)"'"},
                                  {5, (uint8_t *)"\\0 \303\244"},
                                  {8, (uint8_t *)"\033z'\\\n\377z\t"}};
    char *text;

    spec.command = (ProtobufCBinaryData){4, (uint8_t *)"echo"};
    spec.args = args;
    spec.n_args = ARRAY_SIZE(args);
    job.spec = &spec;
    text = job_command_text(&job);
    assert_string_equal(text,
                        "echo 'it'\\''s' '' ''\\''' '\\0 \303\244' $'\\x1bz\\'\\\\\\n\\xffz\\t'");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_id_is_an_id_or_none),
        cmocka_unit_test(test_job_command_text_is_harmless),
        cmocka_unit_test(test_job_command_text_can_be_pasted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
