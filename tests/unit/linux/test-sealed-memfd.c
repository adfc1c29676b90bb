/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "fixture.h"
#include "linux/sealed-memfd.h"

static void assert_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    assert_int_equal(seals & (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
                     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
}

static void test_memfd_sealed_holds_the_data_for_good(void **unused)
{
    _cleanup_close_ int fd = memfd_sealed("test", "hello", 5, NULL);
    char text[5];

    assert_true(fd >= 0);
    assert_int_equal(fd_read_full(fd, text, 5), 0);
    assert_memory_equal(text, "hello", 5);
    assert_sealed(fd);
}

static void test_memfd_program_is_the_whole_file(void **unused)
{
    _cleanup_close_ int fd = memfd_program("/bin/true", NULL);
    struct stat copy, file;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &copy), 0);
    assert_int_equal(stat("/bin/true", &file), 0);
    assert_int_equal(copy.st_size, file.st_size);
    assert_true(copy.st_mode & 0111);
    assert_sealed(fd);
}

static void test_memfd_program_refuses_what_is_none(void **unused)
{
    struct error err;

    assert_int_equal(memfd_program("/no/such/file", &err), -ENOENT);
    assert_int_equal(memfd_program("/etc/passwd", &err), -ENOEXEC);
    assert_string_equal(err.text, "/etc/passwd is not an executable file");
    assert_int_equal(memfd_program("/tmp", &err), -ENOEXEC);
    assert_int_equal(memfd_program("/dev/null", &err), -ENOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memfd_sealed_holds_the_data_for_good),
        cmocka_unit_test(test_memfd_program_is_the_whole_file),
        cmocka_unit_test(test_memfd_program_refuses_what_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
