/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fixture.h"
#include "linux/cgroup-limits.h"

/* One context after another on the same cgroup root, as a restart and a reload make them. */

static bool refuses; /* pids.max of the root can't be written */

/* tests/unit/spawn/meson.build: the linker leads its callers here. */
int __wrap_cgroup_limit_apply(int dir_fd, enum cgroup_limit limit, const struct disk *disk,
                              uint64_t value, char *told, size_t size);
int __real_cgroup_limit_apply(int dir_fd, enum cgroup_limit limit, const struct disk *disk,
                              uint64_t value, char *told, size_t size);

int __wrap_cgroup_limit_apply(int dir_fd, enum cgroup_limit limit, const struct disk *disk,
                              uint64_t value, char *told, size_t size)
{
    if (!refuses)
        return __real_cgroup_limit_apply(dir_fd, limit, disk, value, told, size);
    snprintf(told, size, "refused by the test");
    return -EREMOTEIO;
}

/* The next context of this test, with another number of jobs. */
static int next_context(uint64_t jobs_max, const struct spawn_context *predecessor,
                        struct spawn_context **ret, struct error *err)
{
    char root[64];
    const struct spawn_options options = {
        .cgroup_root = root,
        .init_path = fixture_init(),
        .agent_uid = AGENT_UID,
        .agent_gid = AGENT_UID,
        .jobs_max = jobs_max,
        .job_uid_min = JOB_UID,
        .job_uid_max = JOB_UID,
        .predecessor = predecessor,
    };

    snprintf(root, sizeof(root), "hoist-test-%d-next", (int)getpid());
    return spawn_context_new(&options, ret, err);
}

static struct spawn_context *make(uint64_t jobs_max, const struct spawn_context *predecessor)
{
    struct spawn_context *context = NULL;
    struct error err;

    if (next_context(jobs_max, predecessor, &context, &err) < 0)
        fail_msg("%s", err.text);
    return context;
}

static void assert_bound(const struct spawn_context *context, const char *expected)
{
    char text[32] = "";

    assert_true(cgroup_file_read(spawn_context_cgroups(context), "cgroup.max.descendants", text,
                                 sizeof(text)) >= 0);
    assert_string_equal(text, expected);
}

static void job_start(struct spawn_context *context, struct fixture_job *job)
{
    char *argv[] = {(char[]){"sleep"}, (char[]){"600"}, NULL};

    fixture_job_init(job, argv);
    if (fixture_job_start(context, job) < 0)
        fail_msg("%s", job->err.text);
}

static int setup(void **unused)
{
    (void)unused;
    refuses = false;
    return 0;
}

#define NEEDS_ROOT()                                                                               \
    if (geteuid() != 0 || !fixture_init()) {                                                       \
        fprintf(stderr, "# skipped: needs root\n");                                                \
        skip();                                                                                    \
    }

static void test_spawn_context_new_takes_over_a_root_that_is_full(void **unused)
{
    struct spawn_context *first, *second;
    struct fixture_job job;

    NEEDS_ROOT();
    first = make(2, NULL);
    job_start(first, &job);
    second = make(1, first);
    assert_bound(second, "4");
    assert_int_equal(spawn_context_enforceable(second), spawn_context_enforceable(first));
    assert_int_equal(spawn_context_cgroups_made(second), spawn_context_cgroups_made(first));
    spawn_context_retire(first);
    fixture_job_remove(second, &job);
    fixture_job_done(&job);
    spawn_context_free(second);
}

static void test_spawn_context_new_starts_on_a_root_that_is_full(void **unused)
{
    struct spawn_context *first, *second;
    struct fixture_job job;

    NEEDS_ROOT();
    first = make(1, NULL);
    job_start(first, &job);
    spawn_context_free(first); /* the launcher ends, its job goes on */
    second = make(1, NULL);
    assert_bound(second, "4");
    fixture_job_remove(second, &job);
    fixture_job_done(&job);
    spawn_context_free(second);
}

static void test_spawn_context_new_leaves_all_as_it_was_when_it_fails(void **unused)
{
    struct spawn_context *first, *none = NULL;
    struct fixture_job job;
    struct error err;
    uint64_t made;

    NEEDS_ROOT();
    first = make(2, NULL);
    made = spawn_context_cgroups_made(first);
    refuses = true;
    assert_int_equal(next_context(1, first, &none, &err), -EREMOTEIO);
    assert_null(none);
    assert_non_null(strstr(err.text, "refused by the test"));
    refuses = false;
    assert_bound(first, "8");
    job_start(first, &job);
    assert_int_equal(spawn_context_cgroups_made(first), made); /* it is the same one still */
    fixture_job_remove(first, &job);
    fixture_job_done(&job);
    spawn_context_free(first);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_spawn_context_new_takes_over_a_root_that_is_full),
        TEST(test_spawn_context_new_starts_on_a_root_that_is_full),
        TEST(test_spawn_context_new_leaves_all_as_it_was_when_it_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
