/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "launcher/job-files.h"
#include "wire/spawn-spec.h"
#include "wire/state-file.h"

static struct spawn_files good;

static int open_file(int flags, off_t size)
{
    char path[] = "/tmp/hoist-test-XXXXXX";
    int made = mkstemp(path), fd = open(path, flags | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(made, size), 0);
    assert_int_equal(unlink(path), 0);
    fd_close(made);
    return fd;
}

static int setup(void **unused)
{
    good = (struct spawn_files){
        .data = open_file(O_WRONLY | O_APPEND, 0),
        .index = open_file(O_RDWR, 0),
        .state = open_file(O_RDWR, STATE_FILE_SIZE),
    };
    return 0;
}

static int teardown(void **unused)
{
    fd_close(good.data);
    fd_close(good.index);
    fd_close(good.state);
    return 0;
}

/* The good files but for one descriptor, which is closed; the sentence must hold `words`. */
#define REFUSES(member, fd, words)                                                                 \
    do {                                                                                           \
        struct spawn_files files = good;                                                           \
                                                                                                   \
        files.member = (fd);                                                                       \
        refuses(&files, files.member, words);                                                      \
    } while (0)

static void refuses(const struct spawn_files *files, int fd, const char *words)
{
    struct error err;

    assert_true(fd >= 0);
    assert_int_equal(job_files_check(files, geteuid(), &err), -EPERM);
    assert_non_null(strstr(err.text, words));
    fd_close(fd);
}

static void test_job_files_check_takes_what_workers_make(void **unused)
{
    struct spawn_files files = good;
    struct error err;

    assert_int_equal(job_files_check(&files, geteuid(), &err), 0);
    files.data = open_file(O_RDWR | O_APPEND, 5);
    assert_int_equal(job_files_check(&files, geteuid(), &err), 0);
    fd_close(files.data);
}

static void test_job_files_check_refuses_another_users_files(void **unused)
{
    struct error err;

    assert_int_equal(job_files_check(&good, geteuid() + 1, &err), -EPERM);
    assert_non_null(strstr(err.text, "belongs to uid"));
}

static void test_job_files_check_refuses_what_is_no_file(void **unused)
{
    int pipes[2], sockets[2];

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(fcntl(pipes[1], F_SETFL, O_APPEND), 0);
    REFUSES(data, pipes[1], "output is no regular file");
    REFUSES(state, sockets[0], "state file is no regular file");
    REFUSES(index, sockets[1], "index is no regular file");
    REFUSES(index, open("/dev/null", O_RDWR | O_CLOEXEC), "index is no regular file");
    REFUSES(state, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "isn't open");
    fd_close(pipes[0]);
}

static void test_job_files_check_looks_at_how_they_are_open(void **unused)
{
    REFUSES(data, open_file(O_WRONLY, 0), "output isn't open");
    REFUSES(data, open_file(O_RDONLY | O_APPEND, 0), "output isn't open");
    REFUSES(index, open_file(O_WRONLY, 0), "index isn't open");
    REFUSES(state, open_file(O_RDONLY, STATE_FILE_SIZE), "state file isn't open");
    REFUSES(state, open_file(O_PATH, STATE_FILE_SIZE), "state file isn't open");
}

/* Files of /proc are regular and may belong to hoistd, but have no size; of other file systems it
 * isn't known what writing does. */
static void test_job_files_check_refuses_what_the_kernel_makes_up(void **unused)
{
    REFUSES(state, open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), "size");
    REFUSES(index, open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), "another file system");
    REFUSES(index, memfd_create("index", MFD_CLOEXEC), "another file system");
    REFUSES(state, open_file(O_RDWR, STATE_FILE_SIZE + 1), "size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_files_check_takes_what_workers_make),
        cmocka_unit_test(test_job_files_check_refuses_another_users_files),
        cmocka_unit_test(test_job_files_check_refuses_what_is_no_file),
        cmocka_unit_test(test_job_files_check_looks_at_how_they_are_open),
        cmocka_unit_test(test_job_files_check_refuses_what_the_kernel_makes_up),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
