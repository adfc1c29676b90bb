/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "fixture.h"
#include "linux/cgroup-stat.h"

static void test_cgroup_usage_read_takes_every_file(void **unused)
{
    int dir_fd = fake_open();
    struct cgroup_usage usage;

    fake_file(dir_fd, "cpu.stat",
              "usage_usec 300\nuser_usec 200\nsystem_usec 100\nnr_periods 9\nnr_throttled 4\n"
              "throttled_usec 55\n");
    fake_file(dir_fd, "memory.current", "1000\n");
    fake_file(dir_fd, "memory.peak", "2000\n");
    fake_file(dir_fd, "memory.swap.current", "1\n");
    fake_file(dir_fd, "memory.stat", "anon 10\nfile 20\nkernel 30\nkernel_stack 5\n");
    fake_file(dir_fd, "memory.events",
              "low 0\nhigh 7\nmax 9\noom 1\noom_kill 3\noom_group_kill 1\n");
    fake_file(dir_fd, "io.stat",
              "254:0 rbytes=100 wbytes=10 rios=4 wios=1 dbytes=9 dios=9\n"
              "8:0 rbytes=11 wbytes=1 rios=2 wios=1 dbytes=0 dios=0\n7:0\n");
    fake_file(dir_fd, "pids.current", "5\n");
    fake_file(dir_fd, "pids.events", "max 6\n");
    assert_int_equal(cgroup_usage_read(dir_fd, &usage, NULL), 0);
    assert_int_equal(usage.known, CGROUP_KNOWS_CPU | CGROUP_KNOWS_THROTTLING | CGROUP_KNOWS_MEMORY |
                                      CGROUP_KNOWS_MEMORY_PEAK | CGROUP_KNOWS_IO |
                                      CGROUP_KNOWS_PIDS);
    assert_int_equal(usage.cpu_usec, 300);
    assert_int_equal(usage.cpu_user_usec, 200);
    assert_int_equal(usage.cpu_system_usec, 100);
    assert_int_equal(usage.throttled_periods, 4);
    assert_int_equal(usage.throttled_usec, 55);
    assert_int_equal(usage.memory_current, 1000);
    assert_int_equal(usage.memory_peak, 2000);
    assert_int_equal(usage.swap_current, 1);
    assert_int_equal(usage.memory_anon, 10);
    assert_int_equal(usage.memory_file, 20);
    assert_int_equal(usage.memory_kernel, 30);
    assert_int_equal(usage.memory_high_events, 7);
    assert_int_equal(usage.oom, 1);
    assert_int_equal(usage.oom_kill, 3);
    assert_int_equal(usage.oom_group_kill, 1);
    assert_int_equal(usage.io_read_bytes, 111);
    assert_int_equal(usage.io_write_bytes, 11);
    assert_int_equal(usage.io_read_operations, 6);
    assert_int_equal(usage.io_write_operations, 2);
    assert_int_equal(usage.pids_current, 5);
    assert_int_equal(usage.pids_refused, 6);
    fake_close(dir_fd);
}

static void test_cgroup_usage_read_says_what_it_does_not_know(void **unused)
{
    int dir_fd = fake_open();
    struct cgroup_usage usage;

    assert_int_equal(cgroup_usage_read(dir_fd, &usage, NULL), 0);
    assert_int_equal(usage.known, 0);
    fake_file(dir_fd, "cpu.stat", "usage_usec 300\nuser_usec 200\nsystem_usec 100\n");
    assert_int_equal(cgroup_usage_read(dir_fd, &usage, NULL), 0);
    assert_int_equal(usage.known, CGROUP_KNOWS_CPU);
    fake_close(dir_fd);
}

static void test_cgroup_usage_read_refuses_nonsense(void **unused)
{
    int dir_fd = fake_open();
    struct cgroup_usage usage;
    struct error err;

    fake_file(dir_fd, "memory.current", "max\n");
    assert_int_equal(cgroup_usage_read(dir_fd, &usage, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "memory.current"));
    fake_close(dir_fd);
}

static void test_cgroup_stat_value_matches_whole_keys(void **unused)
{
    uint64_t value;

    assert_int_equal(cgroup_stat_value("oom_kill 3\noom 1\n", "oom", &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(cgroup_stat_value("oom_kill 3", "oom_kill", &value), 0);
    assert_int_equal(value, 3);
    assert_int_equal(cgroup_stat_value("oom_kill 3\n", "oom", &value), -ENODATA);
    assert_int_equal(cgroup_stat_value("", "oom", &value), -ENODATA);
    assert_int_equal(cgroup_stat_value("oom \n", "oom", &value), -EBADMSG);
    assert_int_equal(cgroup_stat_value("oom 1x\n", "oom", &value), -EBADMSG);
    assert_int_equal(cgroup_stat_value("oom 18446744073709551615\n", "oom", &value), 0);
    assert_int_equal(cgroup_stat_value("oom 18446744073709551616\n", "oom", &value), -EBADMSG);
}

static void test_cgroup_stat_sum_refuses_overflow(void **unused)
{
    uint64_t value;

    assert_int_equal(cgroup_stat_sum("", "rbytes", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(cgroup_stat_sum("8:0 xrbytes=5 rbytes=1\n", "rbytes", &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(cgroup_stat_sum("8:0 rbytes=\n", "rbytes", &value), -EBADMSG);
    assert_int_equal(
        cgroup_stat_sum("8:0 rbytes=18446744073709551615\n8:1 rbytes=1\n", "rbytes", &value),
        -EBADMSG);
}

static void test_cgroup_is_populated_reads_events(void **unused)
{
    int dir_fd = fake_open();

    assert_int_equal(cgroup_is_populated(dir_fd), -ENOENT);
    fake_file(dir_fd, "cgroup.events", "populated 1\nfrozen 0\n");
    assert_int_equal(cgroup_is_populated(dir_fd), 1);
    fake_file(dir_fd, "cgroup.events", "populated 0\nfrozen 0\n");
    assert_int_equal(cgroup_is_populated(dir_fd), 0);
    fake_close(dir_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cgroup_usage_read_takes_every_file),
        cmocka_unit_test(test_cgroup_usage_read_says_what_it_does_not_know),
        cmocka_unit_test(test_cgroup_usage_read_refuses_nonsense),
        cmocka_unit_test(test_cgroup_stat_value_matches_whole_keys),
        cmocka_unit_test(test_cgroup_stat_sum_refuses_overflow),
        cmocka_unit_test(test_cgroup_is_populated_reads_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
