/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "linux/cgroup-limits.h"
#include "linux/cgroup-tree.h"
#include "spawn/context.h"
#include "spawn/root-limits.h"

static void test_root_limit_total_keeps_the_reserve(void **unused)
{
    (void)unused;
    assert_int_equal(root_limit_total(1000, 100), 900);
    assert_int_equal(root_limit_total(1000, 500), 500);
    assert_int_equal(root_limit_total(1000, 501), 500);
    assert_int_equal(root_limit_total(1001, 5000), 501);
}

static void file_make(const struct spawn_context *context, const char *name)
{
    fd_close(openat(context->root_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void assert_file_says(const struct spawn_context *context, const char *name,
                             const char *expected)
{
    char text[32] = "";

    assert_true(cgroup_file_read(context->root_fd, name, text, sizeof(text)) >= 0);
    assert_string_equal(text, expected);
}

/* A directory stands for the jobs' cgroup root. */
static void root_with_files(char path[static 32], struct spawn_context *context)
{
    strcpy(path, "/tmp/hoist-root-XXXXXX");
    assert_non_null(mkdtemp(path));
    *context = (struct spawn_context){.root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    assert_true(context->root_fd >= 0);
    file_make(context, "pids.max");
    file_make(context, "cgroup.max.descendants");
}

static void root_remove(const char *path, struct spawn_context *context)
{
    (void)unlinkat(context->root_fd, "pids.max", 0);
    (void)unlinkat(context->root_fd, "cgroup.max.descendants", 0);
    fd_close(context->root_fd);
    assert_int_equal(rmdir(path), 0);
}

static void test_root_limits_apply_writes_where_there_is_a_controller(void **unused)
{
    struct spawn_context context;
    struct error err;
    char path[32];
    uint64_t value;

    (void)unused;
    root_with_files(path, &context);
    context.reserve_pids = 1;
    context.reserve_memory = 1; /* there is no memory.max */
    assert_int_equal(root_limits_apply(&context, &err), 0);
    assert_int_equal(cgroup_limit_read(context.root_fd, CGROUP_LIMIT_PIDS_MAX, NULL, &value), 0);
    assert_true(value > 0);
    root_remove(path, &context);
}

static void test_root_limits_apply_takes_a_limit_away_without_a_reserve(void **unused)
{
    struct spawn_context context;
    struct error err;
    char path[32];

    (void)unused;
    root_with_files(path, &context);
    assert_int_equal(root_limits_apply(&context, &err), 0);
    assert_file_says(&context, "pids.max", "max");
    root_remove(path, &context);
}

static void test_root_limits_apply_bounds_the_number_of_jobs(void **unused)
{
    struct spawn_context context;
    struct error err;
    char path[32];

    (void)unused;
    root_with_files(path, &context);
    context.jobs_max = 10;
    assert_int_equal(root_limits_apply(&context, &err), 0);
    assert_file_says(&context, "cgroup.max.descendants", "40");
    assert_int_equal(root_limits_unbound_jobs(&context, &err), 0);
    assert_file_says(&context, "cgroup.max.descendants", "max");
    root_remove(path, &context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_limit_total_keeps_the_reserve),
        cmocka_unit_test(test_root_limits_apply_writes_where_there_is_a_controller),
        cmocka_unit_test(test_root_limits_apply_takes_a_limit_away_without_a_reserve),
        cmocka_unit_test(test_root_limits_apply_bounds_the_number_of_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
