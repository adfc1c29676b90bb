/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fixture.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-limits.h"
#include "linux/cgroup-tree.h"

static void test_cgroup_limit_apply_writes_what_the_kernel_wants(void **unused)
{
    static const struct {
        enum cgroup_limit limit;
        uint64_t value;
        const char *text;
    } cases[] = {
        {CGROUP_LIMIT_CPU_MAX, 1000, "100000 100000"},
        {CGROUP_LIMIT_CPU_MAX, 1500, "150000 100000"},
        {CGROUP_LIMIT_CPU_MAX, 10, "1000 100000"},
        {CGROUP_LIMIT_CPU_MAX, 9, "9000 1000000"}, /* 900 µs would be below the kernel's minimum */
        {CGROUP_LIMIT_CPU_MAX, 1, "1000 1000000"},
        {CGROUP_LIMIT_CPU_MAX, CGROUP_LIMIT_NONE, "max 100000"},
        {CGROUP_LIMIT_CPU_PERIOD, 1000000, "max 1000000"},
        {CGROUP_LIMIT_CPU_WEIGHT, 50, "50"},
        {CGROUP_LIMIT_OOM_GROUP, 1, "1"},
        {CGROUP_LIMIT_IO_WEIGHT, 50, "default 50"},
        {CGROUP_LIMIT_IO_BFQ_WEIGHT, 50, "default 50"},
        {CGROUP_LIMIT_MEMORY_MAX, 512000000, "512000000"},
        {CGROUP_LIMIT_MEMORY_MAX, 512000001, "512000000"},
        {CGROUP_LIMIT_MEMORY_HIGH, 4096, "4096"},
        {CGROUP_LIMIT_MEMORY_MAX, CGROUP_LIMIT_NONE, "max"},
        {CGROUP_LIMIT_MEMORY_MIN, 8192, "8192"},
        {CGROUP_LIMIT_SWAP_MAX, 0, "0"},
        {CGROUP_LIMIT_PIDS_MAX, 64, "64"},
        {CGROUP_LIMIT_PIDS_MAX, CGROUP_LIMIT_NONE, "max"},
    };
    int dir_fd = fake_open();

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *file = cgroup_limit_file(cases[i].limit);
        char text[128], told[128], expected[128];

        fake_file(dir_fd, file, "");
        assert_int_equal(
            cgroup_limit_apply(dir_fd, cases[i].limit, NULL, cases[i].value, told, sizeof(told)),
            0);
        assert_int_equal(cgroup_file_read(dir_fd, file, text, sizeof(text)), 0);
        assert_string_equal(text, cases[i].text);
        snprintf(expected, sizeof(expected), "%s %s", file, cases[i].text);
        assert_string_equal(told, expected);
    }
    fake_close(dir_fd);
}

static void test_cgroup_limit_apply_names_the_disk(void **unused)
{
    const struct disk disk = {254, 16};
    int dir_fd = fake_open();
    char text[128];

    fake_file(dir_fd, "io.max", "");
    assert_int_equal(cgroup_limit_apply(dir_fd, CGROUP_LIMIT_IO_READ_BPS, &disk, 2097152, NULL, 0),
                     0);
    assert_int_equal(cgroup_file_read(dir_fd, "io.max", text, sizeof(text)), 0);
    assert_string_equal(text, "254:16 rbps=2097152");
    fake_close(dir_fd);
}

static void test_cgroup_limit_apply_believes_only_what_it_reads(void **unused)
{
    int dir_fd = fake_open();
    char told[128];

    /* A file that keeps more than what was written is one that says something else. */
    fake_file(dir_fd, "pids.max", "64000");
    assert_int_equal(
        cgroup_limit_apply(dir_fd, CGROUP_LIMIT_PIDS_MAX, NULL, 10, told, sizeof(told)),
        -EREMOTEIO);
    assert_string_equal(told, "pids.max reads \"10000\" after \"10\" was written");
    fake_close(dir_fd);
}

static void test_cgroup_limit_apply_names_the_missing_controller(void **unused)
{
    int dir_fd = fake_open();
    char told[128];

    assert_int_equal(
        cgroup_limit_apply(dir_fd, CGROUP_LIMIT_MEMORY_MAX, NULL, 4096, told, sizeof(told)),
        -ENOENT);
    assert_string_equal(told,
                        "there is no memory.max: the controller \"memory\" is not enabled here");
    assert_int_equal(cgroup_limit_controller(CGROUP_LIMIT_MEMORY_MAX), CGROUP_CONTROLLER_MEMORY);
    fake_close(dir_fd);
}

static void test_cgroup_limit_read_understands_the_kernel(void **unused)
{
    const struct disk disk = {8, 0}, other = {8, 16};
    int dir_fd = fake_open();
    uint64_t value;

    fake_file(dir_fd, "cpu.max", "50000 100000\n");
    fake_file(dir_fd, "memory.max", "max\n");
    fake_file(dir_fd, "pids.max", "64 \n");
    fake_file(
        dir_fd, "io.max",
        "18:0 rbps=9 wbps=9 riops=9 wiops=9\n8:0 rbps=1048576 wbps=max riops=max wiops=120\n");
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_CPU_MAX, NULL, &value), 0);
    assert_int_equal(value, 500);
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_MEMORY_MAX, NULL, &value), 0);
    assert_true(value == CGROUP_LIMIT_NONE);
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_PIDS_MAX, NULL, &value), -EBADMSG);
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_IO_READ_BPS, &disk, &value), 0);
    assert_int_equal(value, 1048576);
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_IO_WRITE_BPS, &disk, &value), 0);
    assert_true(value == CGROUP_LIMIT_NONE);
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_IO_WRITE_IOPS, &disk, &value), 0);
    assert_int_equal(value, 120);
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_IO_READ_BPS, &other, &value), 0);
    assert_true(value == CGROUP_LIMIT_NONE);
    fake_close(dir_fd);
}

static void test_cgroup_limit_quota_keeps_the_period(void **unused)
{
    int dir_fd = fake_open();
    uint64_t value;
    char told[128];

    fake_file(dir_fd, "cpu.max", "max 1000000");
    assert_int_equal(
        cgroup_limit_apply(dir_fd, CGROUP_LIMIT_CPU_MAX, NULL, 100, told, sizeof(told)), 0);
    assert_string_equal(told, "cpu.max 100000 1000000");
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_CPU_PERIOD, NULL, &value), 0);
    assert_int_equal(value, 1000000);
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_CPU_MAX, NULL, &value), 0);
    assert_int_equal(value, 100);

    fake_file(dir_fd, "cpu.max", "max 10000"); /* asked for, so it is for the kernel to refuse */
    assert_int_equal(cgroup_limit_apply(dir_fd, CGROUP_LIMIT_CPU_MAX, NULL, 50, told, sizeof(told)),
                     0);
    assert_string_equal(told, "cpu.max 500 10000");
    fake_close(dir_fd);
}

static void test_cgroup_limit_weight_is_that_of_the_first_line(void **unused)
{
    int dir_fd = fake_open();
    uint64_t value;

    fake_file(dir_fd, "io.weight", "default 100\n254:0 50\n");
    assert_int_equal(cgroup_limit_read(dir_fd, CGROUP_LIMIT_IO_WEIGHT, NULL, &value), 0);
    assert_int_equal(value, 100);
    fake_close(dir_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cgroup_limit_apply_writes_what_the_kernel_wants),
        cmocka_unit_test(test_cgroup_limit_apply_names_the_disk),
        cmocka_unit_test(test_cgroup_limit_apply_believes_only_what_it_reads),
        cmocka_unit_test(test_cgroup_limit_apply_names_the_missing_controller),
        cmocka_unit_test(test_cgroup_limit_read_understands_the_kernel),
        cmocka_unit_test(test_cgroup_limit_quota_keeps_the_period),
        cmocka_unit_test(test_cgroup_limit_weight_is_that_of_the_first_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
