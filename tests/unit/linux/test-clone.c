/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/error.h"
#include "fixture.h"
#include "linux/clone.h"
#include "linux/sealed-memfd.h"

struct run {
    int code, status;
    char output[1024];
    struct error err;
};

/* Executes `sh -c script` with descriptors {null, pipe, pipe, extra} and waits for its end. */
static int run(const char *script, uint64_t namespaces, int extra, struct run *ret)
{
    _cleanup_close_ int program = memfd_program("/bin/sh", NULL), pidfd = FD_NONE;
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int pipes[2];
    const char *const argv[] = {"sh", "-c", script, NULL};
    char *const env[] = {NULL};
    siginfo_t info;
    pid_t pid;
    ssize_t n;
    int r;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    const int fds[] = {null, pipes[1], pipes[1], extra};
    const struct clone_request request = {
        .namespaces = namespaces,
        .cgroup = FD_NONE,
        .program = program,
        .argv = (char *const *)argv,
        .env = env,
        .fds = fds,
        .fd_count = 4,
    };

    *ret = (struct run){0};
    r = clone_execute(&request, &pid, &pidfd, &ret->err);
    fd_close(pipes[1]);
    if (r >= 0) {
        assert_true(pid > 0);
        assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), 0);
        n = read(pipes[0], ret->output, sizeof(ret->output) - 1);
        assert_true(n >= 0);
        ret->code = info.si_code;
        ret->status = info.si_status;
    }
    fd_close(pipes[0]);
    return r;
}

static void test_clone_execute_runs_the_program(void **unused)
{
    struct run result;

    assert_int_equal(run("echo hello; exit 3", 0, FD_NONE, &result), 0);
    assert_string_equal(result.output, "hello\n");
    assert_int_equal(result.code, CLD_EXITED);
    assert_int_equal(result.status, 3);
}

static void test_clone_execute_hands_over_exactly_the_descriptors(void **unused)
{
    _cleanup_close_ int extra = memfd_sealed("extra", "content", 7, NULL);
    /* One without O_CLOEXEC that must not get through either. */
    int leak = fcntl(extra, F_DUPFD, 40);
    struct run result;

    assert_int_equal(run("cat <&3; echo; ls /proc/self/fd | tr '\\n' ' '", 0, extra, &result), 0);
    assert_string_equal(result.output, "content\n0 1 2 3 4 "); /* 4: ls's own */
    assert_int_equal(run("ls /proc/self/fd | tr '\\n' ' '", 0, FD_NONE, &result), 0);
    assert_string_equal(result.output, "0 1 2 3 ");
    fd_close(leak);
}

static void test_clone_execute_blocks_signals_and_drops_handlers(void **unused)
{
    struct run result;
    sigset_t before = {0}, after = {0};

    assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
    /* The shell by itself: it unblocks signals when it waits for a child. */
    assert_int_equal(run("while read key value; do [ $key = SigBlk: ] && echo $value; done "
                         "< /proc/self/status",
                         0, FD_NONE, &result),
                     0);
    assert_string_equal(result.output, "fffffffffffbfeff\n"); /* all but KILL and STOP */
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &after), 0);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_true(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
}

static void test_clone_execute_makes_namespaces(void **unused)
{
    struct run result;

    if (geteuid() != 0) {
        fprintf(stderr, "# skipped: needs root\n");
        skip();
    }
    assert_int_equal(
        run("echo $$; hostname other; hostname", CLONE_NEWPID | CLONE_NEWUTS, FD_NONE, &result), 0);
    assert_string_equal(result.output, "1\nother\n");
}

static void test_clone_execute_maps_us_to_root_of_a_user_namespace(void **unused)
{
    struct run result;
    int r = run("id -u; id -g; cat /proc/self/setgroups", CLONE_NEWUSER | CLONE_NEWPID, FD_NONE,
                &result);

    if (r == -EPERM || r == -ENOSPC || r == -EACCES) {
        fprintf(stderr, "# skipped: no user namespaces here: %s\n", result.err.text);
        skip();
    }
    assert_int_equal(r, 0);
    assert_string_equal(result.output, "0\n0\ndeny\n");
}

static void test_clone_execute_tells_why_it_failed(void **unused)
{
    _cleanup_close_ int text = memfd_sealed("text", "hello\n", 6, NULL);
    char *const argv[] = {(char[]){"x"}, NULL};
    struct clone_request request = {
        .cgroup = FD_NONE,
        .program = text,
        .argv = argv,
        .env = argv + 1,
    };
    const int bad[] = {1000};
    struct error err;
    pid_t pid = 0;
    int pidfd = FD_NONE;

    /* EACCES where memfds can be forbidden to be executed (Linux 6.3), else ENOEXEC. */
    assert_true(clone_execute(&request, &pid, &pidfd, &err) < 0);
    assert_non_null(strstr(err.text, "can't execute the program"));
    request.fds = bad;
    request.fd_count = 1;
    assert_int_equal(clone_execute(&request, &pid, &pidfd, &err), -EBADF);
    assert_non_null(strstr(err.text, "descriptors"));
    request.fd_count = CLONE_FDS_MAX + 1;
    assert_int_equal(clone_execute(&request, &pid, &pidfd, &err), -E2BIG);
    request.fd_count = 0;
    request.namespaces = ~UINT64_C(0);
    assert_int_equal(clone_execute(&request, &pid, &pidfd, &err), -EINVAL);
    request.namespaces = 0;
    request.mounts = &text;
    assert_int_equal(clone_execute(&request, &pid, &pidfd, &err), -EINVAL);
    assert_non_null(strstr(err.text, "mount namespace"));
    assert_int_equal(pid, 0);
    assert_int_equal(pidfd, FD_NONE);
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1); /* no child is left */
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clone_execute_runs_the_program),
        cmocka_unit_test(test_clone_execute_hands_over_exactly_the_descriptors),
        cmocka_unit_test(test_clone_execute_blocks_signals_and_drops_handlers),
        cmocka_unit_test(test_clone_execute_makes_namespaces),
        cmocka_unit_test(test_clone_execute_maps_us_to_root_of_a_user_namespace),
        cmocka_unit_test(test_clone_execute_tells_why_it_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
