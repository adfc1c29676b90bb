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

static void assert_refused(const char *path, mode_t mode, uid_t uid, const char *words)
{
    struct error err;

    assert_int_equal(chown(path, uid, 0), 0);
    assert_int_equal(chmod(path, mode), 0);
    assert_int_equal(memfd_program(path, &err), -EPERM);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, words));
}

static void test_memfd_program_is_roots_own(void **unused)
{
    char path[] = "/tmp/test-memfd-XXXXXX";
    _cleanup_close_ int fd = mkstemp(path), program = FD_NONE;

    assert_true(fd >= 0);
    if (geteuid() != 0) {
        (void)unlink(path);
        skip(); /* only root can give files away */
    }
    assert_int_equal(fd_write_full(fd, "x", 1), 0);
    assert_refused(path, 0755, 1, "belongs to uid 1, who could change it: chown root");
    assert_refused(path, 0775, 0, "has mode 0775, others may change it: chmod go-w");
    assert_refused(path, 0757, 0, "has mode 0757");
    assert_int_equal(chmod(path, 0755), 0);
    program = memfd_program(path, NULL);
    assert_true(program >= 0);
    assert_int_equal(unlink(path), 0);
}

/* open(2) would wait for somebody who writes. */
static void test_memfd_program_does_not_wait_for_a_fifo(void **unused)
{
    char directory[] = "/tmp/test-memfd-XXXXXX", path[sizeof(directory) + 5];

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/fifo", directory);
    assert_int_equal(mkfifo(path, 0755), 0);
    assert_int_equal(memfd_program(path, NULL), -ENOEXEC);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memfd_sealed_holds_the_data_for_good),
        cmocka_unit_test(test_memfd_program_is_the_whole_file),
        cmocka_unit_test(test_memfd_program_refuses_what_is_none),
        cmocka_unit_test(test_memfd_program_is_roots_own),
        cmocka_unit_test(test_memfd_program_does_not_wait_for_a_fifo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
