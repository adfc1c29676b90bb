/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/strv.h"
#include "output/cap.h"
#include "worker/environment.h"
#include "worker/failure.h"
#include "worker/job-spec.h"
#include "worker/uid-pool.h"

static char *text(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void refuses(const struct job_spec *spec, const char *field)
{
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};

    assert_int_equal(job_spec_check(spec, &failure), -EINVAL);
    assert_int_equal(failure.reason, HOIST_REASON_INVALID_FIELD);
    assert_int_equal(failure.error.code, -EINVAL);
    assert_int_equal(failure.detail_count, 1);
    assert_string_equal(failure.details[0].key, field);
}

static struct job_spec good(void)
{
    struct job_spec spec = JOB_SPEC_NULL;

    spec.command = text("true");
    return spec;
}

static void test_job_spec_check_takes_the_least(void **unused)
{
    struct job_spec spec = good();

    assert_int_equal(job_spec_check(&spec, NULL), 0);
}

static void test_job_spec_check_refuses_each_bad_field(void **unused)
{
    char *bad_env[] = {text("1A=x"), NULL}, *no_value[] = {text("A"), NULL},
         *twice[] = {text("A=1"), text("A=2"), NULL};
    struct job_label bad_label = {text("Key"), text("")};
    struct job_spec spec = good();

    spec.env = bad_env;
    refuses(&spec, "env[0]");
    spec.env = no_value;
    refuses(&spec, "env[0]");
    spec.env = twice;
    refuses(&spec, "env[1]");
    spec = good();
    spec.labels = &bad_label;
    spec.label_count = 1;
    refuses(&spec, "labels");
    spec = good();
    spec.cwd = text("relative");
    refuses(&spec, "cwd");
    spec = good();
    spec.stop_signal = 65;
    refuses(&spec, "stop_signal");
    spec = good();
    spec.grace = JOB_GRACE_MAX + 1;
    refuses(&spec, "grace");
    spec = good();
    spec.timeout = JOB_TIMEOUT_MAX + 1;
    refuses(&spec, "timeout");
    spec = good();
    limit_set(&spec.limits, LIMIT_CPU_WEIGHT, 0);
    refuses(&spec, "limits.cpu_weight");
    spec = good();
    spec.output_choice.cap = OUTPUT_CAP_MIN - 1;
    refuses(&spec, "output_cap");
    spec = good();
    spec.output_choice.policy = _OUTPUT_POLICY_MAX;
    refuses(&spec, "output_policy");
    spec = good();
    spec.command = text("");
    refuses(&spec, "command");
}

static void test_job_spec_check_names_the_limit_that_was_passed(void **unused)
{
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};
    _cleanup_strv_ char **args = NULL;
    struct job_spec spec = good();

    for (unsigned i = 0; i < JOB_ARGS_MAX; i++)
        assert_int_equal(strv_append(&args, "x"), 0);
    spec.args = args;
    assert_int_equal(job_spec_check(&spec, NULL), 0);
    assert_int_equal(strv_append(&args, "x"), 0);
    spec.args = args;
    assert_int_equal(job_spec_check(&spec, &failure), -E2BIG);
    assert_int_equal(failure.reason, HOIST_REASON_TOO_LARGE);
    assert_string_equal(failure.details[0].key, "limit");
    assert_string_equal(failure.details[0].value, "args");
}

static void test_job_spec_check_never_shows_values(void **unused)
{
    _cleanup_failure_ struct failure failure = {.reason = HOIST_REASON_UNSPECIFIED};
    char *env[] = {text("A B=secret"), text("=secret"), NULL};
    struct job_spec spec = good();

    spec.env = env;
    assert_int_equal(job_spec_check(&spec, &failure), -EINVAL);
    assert_int_equal(failure.detail_count, 2);
    for (size_t i = 0; i < failure.detail_count; i++)
        assert_null(strstr(failure.details[i].value, "secret"));
}

static void test_environment_build_lets_the_client_win(void **unused)
{
    const struct id id = {{1, 2, 3}};
    char *wanted[] = {text("PATH=/x"), text("A=1"), NULL};
    _cleanup_strv_ char **env = environment_build(&id, wanted),
                        **plain = environment_build(&id, NULL);

    assert_int_equal(strv_length(plain), ENVIRONMENT_OWN);
    assert_int_equal(strv_length(env), ENVIRONMENT_OWN + 1);
    assert_string_equal(env[0], "HOME=/job");
    assert_string_equal(env[2], "HOIST_JOB_ID=01020300-0000-0000-0000-000000000000");
    assert_string_equal(env[3], "PATH=/x");
}

static void test_uid_pool_gives_each_once_and_the_freed_last(void **unused)
{
    struct uid_pool pool;
    uid_t uid[3], more;

    assert_int_equal(uid_pool_init(&pool, 0, 5), -EINVAL);
    assert_int_equal(uid_pool_init(&pool, 9, 5), -EINVAL);
    assert_int_equal(uid_pool_init(&pool, 100, 102), 0);
    uid_pool_reserve(&pool, 101);
    assert_int_equal(uid_pool_take(&pool, &uid[0]), 0);
    assert_int_equal(uid_pool_take(&pool, &uid[1]), 0);
    assert_int_equal(uid[0], 100);
    assert_int_equal(uid[1], 102);
    assert_int_equal(uid_pool_take(&pool, &more), -EUSERS);
    uid_pool_give_back(&pool, 7);
    uid_pool_give_back(&pool, 101);
    uid_pool_give_back(&pool, 102);
    assert_int_equal(uid_pool_take(&pool, &more), 0);
    assert_int_equal(more, 101);
    uid_pool_done(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_spec_check_takes_the_least),
        cmocka_unit_test(test_job_spec_check_refuses_each_bad_field),
        cmocka_unit_test(test_job_spec_check_names_the_limit_that_was_passed),
        cmocka_unit_test(test_job_spec_check_never_shows_values),
        cmocka_unit_test(test_environment_build_lets_the_client_win),
        cmocka_unit_test(test_uid_pool_gives_each_once_and_the_freed_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
