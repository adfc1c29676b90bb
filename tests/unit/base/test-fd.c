/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

static void test_fd_close_keeps_errno_and_answers_none(void **unused)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)unused;
    assert_true(fd >= 0);
    errno = ENOTTY;
    assert_int_equal(fd_close(fd), FD_NONE);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(fd_close(FD_NONE), FD_NONE);
}

static void test_fd_read_full_says_that_the_file_ended_before(void **unused)
{
    int ends[2];
    char text[8];

    (void)unused;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fd_write_full(ends[1], "12345", 5), 0);
    ends[1] = fd_close(ends[1]);
    assert_int_equal(fd_read_full(ends[0], text, 3), 0);
    assert_memory_equal(text, "123", 3);
    assert_int_equal(fd_read_full(ends[0], text, 3), -ENODATA);
    fd_close(ends[0]);
}

static void test_file_read_is_whole_and_bounded(void **unused)
{
    _cleanup_free_ char *text = NULL;
    char *untouched = NULL;
    size_t size = 0;

    (void)unused;
    assert_int_equal(file_read(AT_FDCWD, "/proc/self/cmdline", 65536, &text, &size), 0);
    assert_true(size > 0);
    assert_int_equal(text[size], 0);
    assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 16, &untouched, NULL), -EFBIG);
    assert_int_equal(file_read(AT_FDCWD, "/nowhere", 16, &untouched, NULL), -ENOENT);
    assert_null(untouched);
}

static void test_take_fd_leaves_none_behind(void **unused)
{
    int fd = 17, taken = TAKE_FD(fd);

    (void)unused;
    assert_int_equal(taken, 17);
    assert_int_equal(fd, FD_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fd_close_keeps_errno_and_answers_none),
        cmocka_unit_test(test_fd_read_full_says_that_the_file_ended_before),
        cmocka_unit_test(test_file_read_is_whole_and_bounded),
        cmocka_unit_test(test_take_fd_leaves_none_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
