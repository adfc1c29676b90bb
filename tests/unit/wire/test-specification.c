/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/strv.h"
#include "wire/outcome.h"
#include "wire/specification.h"

static char *text(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Borrowed: not to be freed. */
static struct specification some_specification(void)
{
    static char *args[] = {(char *)"-c", (char *)"\xff\x01 raw", (char *)"", NULL};
    static char *env[] = {(char *)"TOKEN=secret", (char *)"EMPTY=", NULL};
    static struct job_label labels[] = {{(char *)"team", (char *)"blue"}};
    struct specification it = {
        .id = {{1, 2, 3}},
        .created_by = text("alice"),
        .request_id = text("r1"),
        .digest = 0xdeadbeef,
        .create_time = 1234567890123456,
        .uid = 100007,
        .spec =
            {
                .display_name = text("nightly"),
                .labels = labels,
                .label_count = 1,
                .command = text("sh"),
                .args = args,
                .env = env,
                .cwd = text("/tmp"),
                .job_class = text("small"),
                .warn_unenforced = true,
                .network = SPAWN_NETWORK_HOST,
                .timeout = 5,
                .grace = 0,
                .stop_signal = 64,
                .merged = true,
                .output = {.rate = 6, .cap = 7, .head = 8, .stop_at_cap = true, .read_buffer = 9},
            },
    };

    limit_set(&it.spec.limits, LIMIT_MEMORY_MAX, UINT64_MAX);
    limit_set(&it.spec.limits, LIMIT_SWAP_MAX, 0);
    return it;
}

static void test_specification_encode_and_decode_are_inverse(void **unused)
{
    const struct specification it = some_specification();
    _cleanup_specification_ struct specification got = {.spec = JOB_SPEC_NULL};
    _cleanup_buffer_ struct buffer bytes = {.limit = 0};

    assert_int_equal(specification_encode(&it, &bytes), 0);
    assert_int_equal(specification_decode(buffer_bytes(&bytes), buffer_size(&bytes), &got, NULL),
                     0);
    assert_true(id_equal(&got.id, &it.id));
    assert_string_equal(got.created_by, "alice");
    assert_string_equal(got.request_id, "r1");
    assert_int_equal(got.digest, it.digest);
    assert_int_equal(got.create_time, it.create_time);
    assert_int_equal(got.uid, it.uid);
    assert_string_equal(got.spec.args[1], it.spec.args[1]);
    assert_string_equal(got.spec.args[2], "");
    assert_null(got.spec.args[3]);
    assert_string_equal(got.spec.labels[0].value, "blue");
    assert_int_equal(got.spec.limits.given, it.spec.limits.given);
    assert_int_equal(got.spec.limits.value[LIMIT_MEMORY_MAX], UINT64_MAX);
    assert_int_equal(got.spec.network, SPAWN_NETWORK_HOST);
    assert_int_equal(got.spec.stop_signal, 64);
    assert_int_equal(got.spec.grace, 0);
    assert_true(got.spec.merged && got.spec.warn_unenforced);
    assert_int_equal(got.spec.output.rate, 6);
    assert_int_equal(got.spec.output.cap, 7);
    assert_int_equal(got.spec.output.head, 8);
    assert_true(got.spec.output.stop_at_cap);
    assert_int_equal(got.spec.output.read_buffer, 9);
}

static void test_specification_encode_keeps_no_values_of_variables(void **unused)
{
    const struct specification it = some_specification();
    _cleanup_specification_ struct specification got = {.spec = JOB_SPEC_NULL};
    _cleanup_buffer_ struct buffer bytes = {.limit = 0};

    assert_int_equal(specification_encode(&it, &bytes), 0);
    assert_null(memmem(buffer_bytes(&bytes), buffer_size(&bytes), "secret", 6));
    assert_int_equal(specification_decode(buffer_bytes(&bytes), buffer_size(&bytes), &got, NULL),
                     0);
    assert_string_equal(got.spec.env[0], "TOKEN");
    assert_string_equal(got.spec.env[1], "EMPTY");
}

/* Whatever is cut off or changed: refused, or read as something; never more than that. */
static void test_specification_decode_survives_damage(void **unused)
{
    const struct specification it = some_specification();
    _cleanup_buffer_ struct buffer bytes = {.limit = 0};

    assert_int_equal(specification_encode(&it, &bytes), 0);
    for (size_t i = 0; i < buffer_size(&bytes); i++) {
        _cleanup_specification_ struct specification cut = {.spec = JOB_SPEC_NULL};
        _cleanup_specification_ struct specification changed = {.spec = JOB_SPEC_NULL};
        struct error err;
        int r = specification_decode(buffer_bytes(&bytes), i, &cut, &err);

        assert_true(r == 0 || r == -EPROTO);
        bytes.data[bytes.start + i] ^= 0xff;
        r = specification_decode(buffer_bytes(&bytes), buffer_size(&bytes), &changed, &err);
        assert_true(r == 0 || r == -EPROTO);
        bytes.data[bytes.start + i] ^= 0xff;
    }
}

static void test_specification_decode_refuses_what_is_none(void **unused)
{
    struct specification got;
    struct error err;

    assert_int_equal(specification_decode("", 0, &got, &err), -EPROTO);
    assert_int_equal(specification_decode("\xff\xff", 2, &got, &err), -EPROTO);
    assert_non_null(strstr(err.text, "specification"));
}

static void test_job_spec_digest_tells_specifications_apart(void **unused)
{
    struct specification it = some_specification();
    uint32_t digest = job_spec_digest(&it.spec);
    char *other_env[] = {text("TOKEN=other"), text("EMPTY="), NULL};
    char *joined[] = {text("-c\xff"), NULL};
    _cleanup_job_spec_ struct job_spec copy = JOB_SPEC_NULL;

    assert_int_equal(job_spec_copy(&it.spec, &copy), 0);
    assert_int_equal(job_spec_digest(&copy), digest);
    it.spec.env = other_env;
    assert_int_not_equal(job_spec_digest(&it.spec), digest);
    it = some_specification();
    it.spec.args = joined;
    assert_int_not_equal(job_spec_digest(&it.spec), digest);
    it = some_specification();
    it.spec.limits.value[LIMIT_MEMORY_MAX]--;
    assert_int_not_equal(job_spec_digest(&it.spec), digest);
}

static void test_job_spec_forget_values_leaves_names(void **unused)
{
    const struct specification it = some_specification();
    _cleanup_job_spec_ struct job_spec copy = JOB_SPEC_NULL;

    assert_int_equal(job_spec_copy(&it.spec, &copy), 0);
    job_spec_forget_values(&copy);
    assert_string_equal(copy.env[0], "TOKEN");
    assert_memory_equal(copy.env[0] + 5, "\0\0\0\0\0\0\0", 7);
}

static struct outcome some_outcome(void)
{
    static char *degradations[] = {(char *)"no swap", NULL};
    struct outcome it = {
        .state = 6,
        .cause = 2,
        .reason = 82,
        .error = text("killed"),
        .signal = 9,
        .core_dumped = true,
        .stopped_by = text("bob"),
        .start_time = 1,
        .end_time = 2,
        .run_time = 3,
        .boot_id = {{9}},
        .pid = 4711,
        .pid_start_time = 12,
        .cgroup = text("hoist/p-alice/x/cmd"),
        .cgroups_left = true,
        .output_end = 30,
        .stdout_bytes = 20,
        .stderr_bytes = 10,
        .gap_start = 1,
        .gap_end = 2,
        .output_complete = true,
        .degradations = degradations,
        .usage_time = 77,
        .usage = {.known = 63, .cpu_usec = 5, .pids_refused = 8},
    };

    limit_set(&it.limits, LIMIT_PIDS_MAX, 64);
    limit_set(&it.limits, LIMIT_CPU_MILLIS, 100);
    it.limit_report.enforced = LIMIT_BIT(LIMIT_PIDS_MAX);
    strcpy(it.limit_report.detail[LIMIT_CPU_MILLIS], "no controller cpu");
    return it;
}

static void test_outcome_encode_and_decode_are_inverse(void **unused)
{
    const struct outcome it = some_outcome();
    _cleanup_outcome_ struct outcome got = {.state = 0}, copy = {.state = 0};
    _cleanup_buffer_ struct buffer bytes = {.limit = 0}, again = {.limit = 0};

    assert_int_equal(outcome_encode(&it, &bytes), 0);
    assert_int_equal(outcome_decode(buffer_bytes(&bytes), buffer_size(&bytes), &got, NULL), 0);
    assert_int_equal(got.signal, 9);
    assert_int_equal(got.pid, 4711);
    assert_string_equal(got.cgroup, it.cgroup);
    assert_int_equal(got.usage.pids_refused, 8);
    assert_int_equal(got.limit_report.enforced, it.limit_report.enforced);
    assert_string_equal(got.limit_report.detail[LIMIT_CPU_MILLIS], "no controller cpu");
    assert_string_equal(got.degradations[0], "no swap");
    assert_int_equal(outcome_copy(&got, &copy), 0);
    assert_int_equal(outcome_encode(&copy, &again), 0);
    assert_int_equal(buffer_size(&again), buffer_size(&bytes));
    assert_memory_equal(buffer_bytes(&again), buffer_bytes(&bytes), buffer_size(&bytes));
}

static void test_outcome_decode_survives_damage(void **unused)
{
    const struct outcome it = some_outcome();
    _cleanup_buffer_ struct buffer bytes = {.limit = 0};

    assert_int_equal(outcome_encode(&it, &bytes), 0);
    for (size_t i = 0; i < buffer_size(&bytes); i++) {
        _cleanup_outcome_ struct outcome cut = {.state = 0}, changed = {.state = 0};
        int r = outcome_decode(buffer_bytes(&bytes), i, &cut, NULL);

        assert_true(r == 0 || r == -EPROTO);
        bytes.data[bytes.start + i] ^= 0xff;
        r = outcome_decode(buffer_bytes(&bytes), buffer_size(&bytes), &changed, NULL);
        assert_true(r == 0 || r == -EPROTO);
        bytes.data[bytes.start + i] ^= 0xff;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specification_encode_and_decode_are_inverse),
        cmocka_unit_test(test_specification_encode_keeps_no_values_of_variables),
        cmocka_unit_test(test_specification_decode_survives_damage),
        cmocka_unit_test(test_specification_decode_refuses_what_is_none),
        cmocka_unit_test(test_job_spec_digest_tells_specifications_apart),
        cmocka_unit_test(test_job_spec_forget_values_leaves_names),
        cmocka_unit_test(test_outcome_encode_and_decode_are_inverse),
        cmocka_unit_test(test_outcome_decode_survives_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
