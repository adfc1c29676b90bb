/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "fixture.h"

#define ORDINARY_UID 65534

static struct spawn_context *context;

/* Started by root this process becomes an ordinary user first. */
static int setup(void **unused)
{
    _cleanup_close_ int program = FD_NONE;

    if (!fixture_init())
        return 0;
    if (geteuid() == 0) {
        assert_int_equal(setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID), 0);
        assert_int_equal(setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID), 0);
        /* As after an exec; otherwise /proc/self stays root's. */
        assert_int_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    }
    if (access(HOIST_INIT, R_OK) < 0) {
        fprintf(stderr, "# skipped: an ordinary user can't read %s\n", HOIST_INIT);
        return 0;
    }
    context = fixture_context_with(HOIST_INIT, NULL);
    return 0;
}

static int teardown(void **unused)
{
    spawn_context_free(context);
    return 0;
}

static void test_spawn_job_runs_without_root(void **unused)
{
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"},
                    (char[]){"id -u; pwd; hostname; echo x > file && cat file; "
                             "grep CapEff /proc/self/status; ls /sys/class/net"},
                    NULL};
    struct fixture_job job;

    if (!context)
        skip();
    assert_true(spawn_context_is_rootless(context));
    assert_non_null(spawn_context_degradations(context)[0]);
    fixture_job_init(&job, argv);
    if (fixture_job_start(context, &job) < 0) {
        fprintf(stderr, "# skipped: %s\n", job.err.text); /* no user namespaces here */
        fixture_job_done(&job);
        skip();
    }
    fixture_job_wait(&job);
    assert_string_equal(job.state.progress.sentence, "");
    assert_string_equal(job.output, "0\n/job\nsandbox\nx\nCapEff:\t0000000000000000\nlo\n");
    fixture_job_remove(context, &job);
    fixture_job_done(&job);
}

static void test_spawn_job_refuses_limits_where_there_is_no_cgroup(void **unused)
{
    char *argv[] = {(char[]){"true"}, NULL};
    struct fixture_job job;

    if (!context || spawn_context_cgroup_root(context)[0]) {
        fprintf(stderr, "# skipped: a cgroup is delegated to us\n");
        skip();
    }
    fixture_job_init(&job, argv);
    limit_set(&job.spec.limits, LIMIT_PIDS_MAX, 64);
    assert_int_equal(fixture_job_start(context, &job), -EOPNOTSUPP);
    assert_int_equal(job.failure, SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE);
    assert_int_equal(spawn_kill(context, "p-tester", &job.spec.id, &job.err), -EOPNOTSUPP);
    assert_int_equal(spawn_remove(context, "p-tester", &job.spec.id, NULL, &job.err), -ENOENT);
    fixture_job_done(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spawn_job_runs_without_root),
        cmocka_unit_test(test_spawn_job_refuses_limits_where_there_is_no_cgroup),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
