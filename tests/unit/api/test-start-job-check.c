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

#include "api/error.h"
#include "api/message.h"
#include "api/moment.h"
#include "api/start-job-check.h"

struct fixture {
    Hoist__V1__StartJobRequest *request;
    Hoist__V1__JobSpec *spec; /* of the request */
    struct api_error error;
};

static int fixture_init(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->request = api_new(hoist__v1__start_job_request);
    f->spec = f->request->spec = api_new(hoist__v1__job_spec);
    assert_non_null(f->spec);
    assert_int_equal(api_set_bytes(&f->spec->command, "ls", 2), 0);
    *state = f;
    return 0;
}

static int fixture_done(void **state)
{
    struct fixture *f = *state;

    api_error_done(&f->error);
    api_free(&f->request->base);
    free(f);
    return 0;
}

static void set_limit(struct fixture *f, const char *name, uint64_t value)
{
    if (!f->spec->limits)
        f->spec->limits = api_new(hoist__v1__limits);
    assert_int_equal(api_limits_set(f->spec->limits, name, value), 0);
}

static void add_env(struct fixture *f, const char *name, const char *value, size_t size)
{
    Hoist__V1__EnvVar *variable = api_new(hoist__v1__env_var);

    assert_int_equal(api_set_text(&variable->name, name), 0);
    assert_int_equal(api_set_bytes(&variable->value, value, size), 0);
    assert_int_equal(api_append_take(&f->spec->n_env, &f->spec->env, variable), 0);
}

static void add_label(struct fixture *f, const char *key, const char *value)
{
    assert_int_equal(api_append_entry(&hoist__v1__job_spec__labels_entry__descriptor,
                                      &f->spec->n_labels, &f->spec->labels, key, value),
                     0);
}

static char *text_of(char c, size_t size)
{
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, c, size);
    text[size] = '\0';
    return text;
}

static void assert_right(struct fixture *f)
{
    if (start_job_check(f->request, &f->error) != 0)
        fail_msg("%s", f->error.text);
}

/* Exactly one issue. */
static void assert_issue(struct fixture *f, Hoist__V1__Reason reason, const char *field,
                         const char *text)
{
    assert_int_equal(start_job_check(f->request, &f->error), -EREMOTEIO);
    assert_int_equal(f->error.code, 3);
    assert_string_equal(api_error_get(&f->error, "field.0"), field);
    assert_string_equal(api_error_get(&f->error, "issue.0"), text);
    assert_null(api_error_get(&f->error, "field.1"));
    assert_int_equal(f->error.reason, reason);
    if (reason == HOIST__V1__REASON__REASON_TOO_LARGE)
        assert_string_equal(api_error_get(&f->error, "limit"), field);
}

#define assert_invalid(f, field, text)                                                             \
    assert_issue((f), HOIST__V1__REASON__REASON_INVALID_FIELD, (field), (text))
#define assert_too_large(f, field, text)                                                           \
    assert_issue((f), HOIST__V1__REASON__REASON_TOO_LARGE, (field), (text))

static void test_start_job_check_takes_what_is_right(void **state)
{
    struct fixture *f = *state;

    assert_right(f);
    assert_int_equal(api_set_text(&f->spec->display_name, "my-build.1"), 0);
    add_label(f, "team", "blue");
    add_label(f, "example.org/x", "");
    assert_int_equal(api_append_bytes(&f->spec->n_args, &f->spec->args, "\xff\xfe", 2), 0);
    add_env(f, "PATH", "/bin", 4);
    add_env(f, "_x1", "", 0);
    assert_int_equal(api_set_text(&f->spec->cwd, "/job"), 0);
    assert_int_equal(api_set_text(&f->spec->job_class, "small"), 0);
    set_limit(f, "memory_max", 0);
    set_limit(f, "memory_high", 1);
    set_limit(f, "cpu_weight", 10000);
    assert_int_equal(api_duration_set(&f->spec->timeout, 0), 0);
    assert_int_equal(api_duration_set(&f->spec->grace, 10 * USEC_PER_SEC), 0);
    assert_int_equal(api_set_text(&f->spec->stop_signal, "SIGQUIT"), 0);
    assert_int_equal(api_set_text(&f->request->request_id, "retry 1"), 0);
    assert_right(f);
}

static void test_start_job_check_wants_a_spec_and_a_command(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(api_set_bytes(&f->spec->command, "", 0), 0);
    assert_invalid(f, "spec.command", "is empty: it must name a program");
    assert_string_equal(f->error.text, "spec.command is empty: it must name a program");
    api_free(&f->spec->base);
    f->request->spec = NULL;
    assert_invalid(f, "spec", "is missing");
}

static void test_start_job_check_refuses_nul(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(api_set_bytes(&f->spec->command, "ls\0", 3), 0);
    assert_invalid(f, "spec.command", "holds a NUL");
    assert_int_equal(api_set_bytes(&f->spec->command, "ls", 2), 0);
    assert_int_equal(api_append_bytes(&f->spec->n_args, &f->spec->args, "a", 1), 0);
    assert_int_equal(api_append_bytes(&f->spec->n_args, &f->spec->args, "a\0b", 3), 0);
    assert_invalid(f, "spec.args[1]", "holds a NUL");
    f->spec->n_args--;
    free(f->spec->args[1].data);
    add_env(f, "A", "a\0b", 3);
    assert_invalid(f, "spec.env[0].value", "holds a NUL");
}

static void test_start_job_check_refuses_bad_env_names(void **state)
{
    static const char *const names[] = {"", "1A", "A-B", "A=B", "\xc3\x84"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture *f = *state;

        add_env(f, names[i], "x", 1);
        assert_invalid(f, "spec.env[0].name", "must match [A-Za-z_][A-Za-z0-9_]*");
        api_free(&f->spec->env[--f->spec->n_env]->base);
    }
}

static void test_start_job_check_refuses_duplicates(void **state)
{
    struct fixture *f = *state;

    add_env(f, "HOME", "a", 1);
    add_env(f, "USER", "a", 1);
    add_env(f, "HOME", "b", 1);
    assert_invalid(f, "spec.env", "has the variable HOME twice");
    while (f->spec->n_env > 0)
        api_free(&f->spec->env[--f->spec->n_env]->base);
    add_label(f, "a", "1");
    add_label(f, "a", "2");
    assert_invalid(f, "spec.labels", "has a key twice");
}

static void test_start_job_check_refuses_bad_labels(void **state)
{
    struct fixture *f = *state;
    char *large = text_of('v', 257);

    add_label(f, "Team", "x");
    assert_invalid(f, "spec.labels[0].key", "must match [a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?");
    assert_int_equal(api_set_text(&f->spec->labels[0]->key, "team"), 0);
    assert_int_equal(api_set_text(&f->spec->labels[0]->value, large), 0);
    assert_too_large(f, "spec.labels[0].value", "has 257 bytes; at most 256 are allowed");
    free(large);
}

static void test_start_job_check_refuses_bad_names(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"a/b",  "..",       "a\nb",
                                        "Name", "deadbeef", "5d1f6ab0-0000-4000-8000-000000000000"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(api_set_text(&f->spec->display_name, names[i]), 0);
        assert_int_equal(start_job_check(f->request, &f->error), -EREMOTEIO);
        assert_string_equal(api_error_get(&f->error, "field.0"), "spec.display_name");
    }
    assert_int_equal(api_set_text(&f->spec->display_name, ""), 0);
    assert_int_equal(api_set_text(&f->spec->job_class, "no such/class"), 0);
    assert_invalid(f, "spec.job_class",
                   "is no name of a class: it must match [a-z0-9][a-z0-9._-]{0,62}");
}

static void test_start_job_check_bounds_bytes_together(void **state)
{
    struct fixture *f = *state;
    char *half = text_of('x', 64 * 1024);

    assert_int_equal(api_append_bytes(&f->spec->n_args, &f->spec->args, half, 64 * 1024 - 4), 0);
    add_env(f, "A", half, 64 * 1024 - 3);
    assert_int_equal(f->spec->command.len, 2); /* with the NULs: 131,072 */
    assert_right(f);
    assert_int_equal(api_append_bytes(&f->spec->n_args, &f->spec->args, "", 0), 0);
    assert_too_large(f, "spec.args",
                     "has 131073 bytes together with command and env; at most 131072 are allowed");
    free(half);
}

static void test_start_job_check_bounds_numbers(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i <= START_JOB_ARGS_MAX; i++)
        assert_int_equal(api_append_bytes(&f->spec->n_args, &f->spec->args, "", 0), 0);
    assert_too_large(f, "spec.args", "has 1025 arguments; at most 1024 are allowed");
    f->spec->n_args = 0;
    for (int i = 0; i <= START_JOB_ENV_MAX; i++) {
        char name[16];

        snprintf(name, sizeof(name), "V%d", i);
        add_env(f, name, "", 0);
    }
    assert_too_large(f, "spec.env", "has 257 variables; at most 256 are allowed");
}

static void test_start_job_check_bounds_limits(void **state)
{
    struct fixture *f = *state;

    set_limit(f, "cpu_weight", 0);
    assert_invalid(f, "spec.limits.cpu_weight", "is 0; it must lie between 1 and 10000");
    set_limit(f, "cpu_weight", 100);
    set_limit(f, "memory_max", UINT64_MAX);
    assert_invalid(f, "spec.limits.memory_max",
                   "is 18446744073709551615; it must lie between 0 and 9223372036854775807");
    set_limit(f, "memory_max", 10);
    set_limit(f, "memory_high", 11);
    assert_invalid(f, "spec.limits.memory_high", "is above memory_max");
}

static void test_start_job_check_refuses_bad_endings(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(api_duration_set(&f->spec->timeout, 0), 0);
    f->spec->timeout->seconds = -5;
    assert_invalid(f, "spec.timeout", "is negative");
    f->spec->timeout->seconds = 0;
    assert_int_equal(api_duration_set(&f->spec->grace, 86401 * USEC_PER_SEC), 0);
    assert_invalid(f, "spec.grace", "is longer than 86400 seconds");
    f->spec->grace->seconds = 0;
    assert_int_equal(api_set_text(&f->spec->stop_signal, "SIGNOTHING"), 0);
    assert_int_equal(start_job_check(f->request, &f->error), -EREMOTEIO);
    assert_string_equal(api_error_get(&f->error, "field.0"), "spec.stop_signal");
}

static void test_start_job_check_refuses_bad_cwd_and_request_id(void **state)
{
    struct fixture *f = *state;
    char *large = text_of('r', 65);

    assert_int_equal(api_set_text(&f->spec->cwd, "job"), 0);
    assert_invalid(f, "spec.cwd", "is not absolute: it must begin with /");
    assert_int_equal(api_set_text(&f->spec->cwd, "/"), 0);
    assert_int_equal(api_set_text(&f->request->request_id, large), 0);
    assert_too_large(f, "request_id", "has 65 characters; at most 64 are allowed");
    assert_int_equal(api_set_text(&f->request->request_id, "a\tb"), 0);
    assert_invalid(f, "request_id", "holds a character that is not printable ASCII");
    free(large);
}

static void test_start_job_check_tells_all_at_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(api_set_bytes(&f->spec->command, NULL, 0), 0);
    assert_int_equal(api_set_text(&f->spec->display_name, "A"), 0);
    assert_int_equal(api_set_text(&f->spec->cwd, "x"), 0);
    for (int i = 0; i < 30; i++)
        add_env(f, "1", "", 0);
    assert_int_equal(start_job_check(f->request, &f->error), -EREMOTEIO);
    assert_string_equal(f->error.text, "spec.command is empty: it must name a program "
                                       "(the first of 33 issues)");
    assert_string_equal(api_error_get(&f->error, "field.1"), "spec.env[0].name");
    assert_non_null(api_error_get(&f->error, "issue.15"));
    assert_null(api_error_get(&f->error, "field.16"));
    assert_int_equal(f->error.reason, HOIST__V1__REASON__REASON_INVALID_FIELD);
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, fixture_init, fixture_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(test_start_job_check_takes_what_is_right),
        fixture_test(test_start_job_check_wants_a_spec_and_a_command),
        fixture_test(test_start_job_check_refuses_nul),
        fixture_test(test_start_job_check_refuses_bad_env_names),
        fixture_test(test_start_job_check_refuses_duplicates),
        fixture_test(test_start_job_check_refuses_bad_labels),
        fixture_test(test_start_job_check_refuses_bad_names),
        fixture_test(test_start_job_check_bounds_bytes_together),
        fixture_test(test_start_job_check_bounds_numbers),
        fixture_test(test_start_job_check_bounds_limits),
        fixture_test(test_start_job_check_refuses_bad_endings),
        fixture_test(test_start_job_check_refuses_bad_cwd_and_request_id),
        fixture_test(test_start_job_check_tells_all_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
