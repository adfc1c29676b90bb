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

static void test_cgroup_usage_read_takes_pressure(void **unused)
{
    struct cgroup_usage usage;
    int dir_fd = fake_open();

    (void)unused;
    fake_file(dir_fd, "cpu.stat", "usage_usec 1\n");
    fake_file(dir_fd, "cpu.pressure", "some avg10=12.34 avg60=0.00 avg300=0.00 total=77\n");
    fake_file(dir_fd, "io.pressure",
              "some avg10=100.00 avg60=1.00 avg300=2.00 total=5\n"
              "full avg10=0.05 avg60=0.00 avg300=0.00 total=3\n");
    assert_int_equal(cgroup_usage_read(dir_fd, &usage, NULL), 0);
    assert_true(usage.known & CGROUP_KNOWS_PRESSURE);
    assert_int_equal(usage.psi_cpu_some_usec, 77);
    assert_int_equal(usage.psi_cpu_some_avg10, 1234);
    assert_int_equal(usage.psi_cpu_full_usec, 0); /* before Linux 5.13 */
    assert_int_equal(usage.psi_io_some_avg10, 10000);
    assert_int_equal(usage.psi_io_full_usec, 3);
    assert_int_equal(usage.psi_io_full_avg10, 5);
    assert_int_equal(usage.psi_memory_some_usec, 0);
    fake_close(dir_fd);
}

static void test_cgroup_stat_pressure_refuses_nonsense(void **unused)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"", -ENODATA},
        {"some total=1\n", -ENODATA},
        {"some avg10=0.00\nfull total=1\n", -ENODATA},
        {"some avg10=x total=1\n", -EBADMSG},
        {"some avg10=101.00 total=1\n", -EBADMSG},
        {"some avg10=0.00 total=-1\n", -EBADMSG},
    };
    uint64_t usec = 9, avg10 = 9;

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(cgroup_stat_pressure(cases[i].text, "some", &usec, &avg10), cases[i].code);
    assert_int_equal(usec, 9);
}

struct lines {
    char text[1024];
    size_t used;
};

static int line_add(const char *key, const char *value, void *data)
{
    struct lines *lines = data;

    lines->used += (size_t)snprintf(lines->text + lines->used, sizeof(lines->text) - lines->used,
                                    "%s %s\n", key, value);
    return 0;
}

static void test_cgroup_statistics_read_names_each_figure(void **unused)
{
    struct lines lines = {.used = 0};
    int dir_fd = fake_open();

    (void)unused;
    fake_file(dir_fd, "cpu.stat", "usage_usec 12\nuser_usec 3\n");
    fake_file(dir_fd, "memory.current", "4096\n");
    fake_file(dir_fd, "io.stat", "254:0 rbytes=1 wbytes=2\n8:16 \n");
    fake_file(dir_fd, "io.pressure", "some avg10=0.50 total=9\n");
    assert_int_equal(cgroup_statistics_read(dir_fd, line_add, &lines), 0);
    assert_string_equal(lines.text, "cpu.stat.usage_usec 12\ncpu.stat.user_usec 3\n"
                                    "memory.current 4096\n"
                                    "io.stat.254:0.rbytes 1\nio.stat.254:0.wbytes 2\n"
                                    "io.stat.8:16 \n"
                                    "io.pressure.some.avg10 0.50\nio.pressure.some.total 9\n");
    fake_close(dir_fd);
}

static void test_cgroup_usage_statistics_tells_what_is_known(void **unused)
{
    const struct cgroup_usage usage = {
        .known = CGROUP_KNOWS_CPU | CGROUP_KNOWS_PRESSURE,
        .cpu_usec = 12,
        .memory_peak = 99,
        .psi_io_full_avg10 = 105,
    };
    struct lines lines = {.used = 0};

    (void)unused;
    assert_int_equal(cgroup_usage_statistics(&usage, line_add, &lines), 0);
    assert_non_null(strstr(lines.text, "cpu.stat.usage_usec 12\n"));
    assert_non_null(strstr(lines.text, "io.pressure.full.avg10 1.05\n"));
    assert_non_null(strstr(lines.text, "cpu.pressure.some.total 0\n"));
    assert_null(strstr(lines.text, "memory.peak"));
    assert_null(strstr(lines.text, "pids"));
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
        cmocka_unit_test(test_cgroup_usage_read_takes_pressure),
        cmocka_unit_test(test_cgroup_stat_pressure_refuses_nonsense),
        cmocka_unit_test(test_cgroup_statistics_read_names_each_figure),
        cmocka_unit_test(test_cgroup_usage_statistics_tells_what_is_known),
        cmocka_unit_test(test_cgroup_stat_value_matches_whole_keys),
        cmocka_unit_test(test_cgroup_stat_sum_refuses_overflow),
        cmocka_unit_test(test_cgroup_is_populated_reads_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
