/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/cpu-time.h"

/* A directory that stands for a cgroup. */
struct cgroup {
    char path[32];
    int fd;
};

static struct cgroup cgroup_make(void)
{
    struct cgroup cgroup = {.path = "/tmp/hoist-cpu-XXXXXX"};

    assert_non_null(mkdtemp(cgroup.path));
    cgroup.fd = open(cgroup.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(cgroup.fd >= 0);
    return cgroup;
}

static void cgroup_says(const struct cgroup *cgroup, usec_t usage)
{
    char text[64];
    int fd = openat(cgroup->fd, "cpu.stat", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int size =
        snprintf(text, sizeof(text), "usage_usec %llu\nuser_usec 1\n", (unsigned long long)usage);

    assert_int_equal(fd_write_full(fd, text, (size_t)size), 0);
    fd_close(fd);
}

static void cgroup_remove(struct cgroup *cgroup)
{
    (void)unlinkat(cgroup->fd, "cpu.stat", 0);
    fd_close(cgroup->fd);
    assert_int_equal(rmdir(cgroup->path), 0);
}

static void test_cpu_time_without_a_limit_needs_nothing(void **unused)
{
    struct cpu_time cpu_time;

    (void)unused;
    assert_int_equal(cpu_time_open(&cpu_time, FD_NONE, 0, NULL), 0);
    assert_int_equal(cpu_time_next(&cpu_time), USEC_INFINITY);
    assert_false(cpu_time_is_over(&cpu_time, USEC_INFINITY));
    cpu_time_done(&cpu_time);
}

static void test_cpu_time_needs_a_cgroup_that_counts(void **unused)
{
    struct cgroup cgroup = cgroup_make();
    struct cpu_time cpu_time;
    struct error err;

    (void)unused;
    assert_int_equal(cpu_time_open(&cpu_time, cgroup.fd, 1, &err), -ENOENT);
    cgroup_remove(&cgroup);
}

static void test_cpu_time_is_over_once_and_never_late(void **unused)
{
    static const usec_t limit = 8 * USEC_PER_SEC;
    struct cgroup cgroup = cgroup_make();
    struct cpu_time cpu_time;
    usec_t now = 5, usage = 0;

    (void)unused;
    cgroup_says(&cgroup, 0);
    assert_int_equal(cpu_time_open(&cpu_time, cgroup.fd, limit, NULL), 0);
    cpu_time.cpus = 4;
    for (unsigned looks = 0; !cpu_time_is_over(&cpu_time, now); looks++) {
        usec_t next = cpu_time_next(&cpu_time);

        assert_true(usage < limit && looks < 100);
        assert_true(next >= now + 20 * USEC_PER_MSEC);
        assert_false(cpu_time_is_over(&cpu_time, next - 1)); /* nor looks */
        usage += 4 * (next - now);                           /* as fast as four CPUs can */
        now = next;
        cgroup_says(&cgroup, usage);
    }
    assert_in_range(usage, limit, limit + 4 * 20 * USEC_PER_MSEC);
    assert_int_equal(cpu_time_next(&cpu_time), USEC_INFINITY);
    assert_false(cpu_time_is_over(&cpu_time, USEC_INFINITY));
    cpu_time_done(&cpu_time);
    cgroup_remove(&cgroup);
}

static void test_cpu_time_parse_wants_the_line(void **unused)
{
    usec_t usage = 7;

    (void)unused;
    assert_int_equal(cpu_time_parse("user_usec 1\nusage_usec 123\n", &usage), 0);
    assert_int_equal(usage, 123);
    assert_int_equal(cpu_time_parse("nice_usage_usec 1\n", &usage), -EBADMSG);
    assert_int_equal(cpu_time_parse("usage_usec \n", &usage), -EBADMSG);
    assert_int_equal(cpu_time_parse("usage_usec 99999999999999999999\n", &usage), -EBADMSG);
    assert_int_equal(cpu_time_parse("", &usage), -EBADMSG);
    assert_int_equal(usage, 123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_time_without_a_limit_needs_nothing),
        cmocka_unit_test(test_cpu_time_needs_a_cgroup_that_counts),
        cmocka_unit_test(test_cpu_time_is_over_once_and_never_late),
        cmocka_unit_test(test_cpu_time_parse_wants_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
