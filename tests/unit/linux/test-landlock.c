/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/error.h"
#include "fixture.h"
#include "linux/landlock.h"

enum {
    UNCONFINED = 100, /* this kernel has no Landlock, which is no failure of ours */
};

/* Runs in a child below `dir_fd`; its return value is the exit code. */
static int in_child(int dir_fd, int (*run)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fchdir(dir_fd) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? 99 : run());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == UNCONFINED) {
        fprintf(stderr, "# skipped: the kernel has no Landlock\n");
        skip();
    }
    return WEXITSTATUS(status);
}

static int confine(void)
{
    static const struct landlock_place places[] = {
        {.path = "read", .access = LANDLOCK_READ},
        {.path = "write", .access = LANDLOCK_READ | LANDLOCK_WRITE},
        {.path = "other/one", .access = LANDLOCK_READ},
    };
    int r = landlock_confine(places, ARRAY_SIZE(places), NULL);

    return r == 0 ? UNCONFINED : r < 0 ? 98 : 0;
}

/* 0 or errno. */
static int open_errno(const char *path, int flags)
{
    _cleanup_close_ int fd = open(path, flags | O_CLOEXEC, 0600);

    return fd < 0 ? errno : 0;
}

static int look_at_places(void)
{
    int r = confine();

    if (r != 0)
        return r;
    if (open_errno("read/file", O_RDONLY) != 0 || open_errno("read", O_RDONLY) != 0)
        return 1;
    if (open_errno("read/file", O_WRONLY) != EACCES || unlink("read/file") == 0)
        return 2;
    if (open_errno("write/file", O_RDWR) != 0 || open_errno("write/new", O_RDWR | O_CREAT) != 0 ||
        mkdir("write/directory", 0700) < 0 || rename("write/new", "write/directory/new") < 0 ||
        unlink("write/directory/new") < 0 || rmdir("write/directory") < 0 ||
        mkfifo("write/fifo", 0600) < 0 || unlink("write/fifo") < 0)
        return 3;
    if (open_errno("other/one", O_RDONLY) != 0 || open_errno("other/two", O_RDONLY) != EACCES)
        return 4;
    if (open_errno("/etc/passwd", O_RDONLY) != EACCES || symlink("file", "write/link") == 0 ||
        mkfifo("read/fifo", 0600) == 0)
        return 5;
    return 0;
}

static int confined_listen(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET};
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = landlock_confine(NULL, 0, NULL);

    if (r < 4) /* Linux before 6.7 */
        return UNCONFINED;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return 1;
    return errno == EACCES ? 0 : 2;
}

static int make_tree(void)
{
    int fd = fake_open();

    fake_file(fd, "read/file", "x");
    fake_file(fd, "write/file", "x");
    fake_file(fd, "other/one", "x");
    fake_file(fd, "other/two", "x");
    return fd;
}

static void test_landlock_confine_leaves_its_places_only(void **unused)
{
    int fd = make_tree();

    assert_int_equal(in_child(fd, look_at_places), 0);
    fake_close(fd);
}

static void test_landlock_confine_refuses_tcp(void **unused)
{
    int fd = make_tree();

    assert_int_equal(in_child(fd, confined_listen), 0);
    fake_close(fd);
}

static void test_landlock_confine_names_a_place_that_is_not_there(void **unused)
{
    static const struct landlock_place place = {.path = "/no/such/place", .access = LANDLOCK_READ};
    struct error err;
    int r = landlock_confine(&place, 1, &err);

    if (r == 0) {
        fprintf(stderr, "# skipped: the kernel has no Landlock\n");
        skip();
    }
    assert_int_equal(r, -ENOENT);
    assert_non_null(strstr(err.text, "/no/such/place"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_landlock_confine_leaves_its_places_only),
        cmocka_unit_test(test_landlock_confine_refuses_tcp),
        cmocka_unit_test(test_landlock_confine_names_a_place_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
