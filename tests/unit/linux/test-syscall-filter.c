/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/error.h"
#include "fixture.h"
#include "linux/syscall-filter.h"

static const char *const allowed[] = {
    "read",    "write",  "exit_group", "exit",  "getpid",         "clone",        "ioctl",
    "unshare", "socket", "socketpair", "close", "rt_sigprocmask", "no_such_call", NULL};
static const char *const refused[] = {"mount", "setns", NULL};
static const char *const deadly[] = {"execve", NULL};
static const struct syscall_condition conditions[] = {
    {"personality", 0, UINT64_MAX, 0},
    {"personality", 0, UINT64_MAX, 0xffffffff},
    {"mprotect", 2, PROT_EXEC, 0},
};
static const struct syscall_filter_profile profile = {
    .allowed = allowed,
    .refused = refused,
    .conditions = conditions,
    .condition_count = ARRAY_SIZE(conditions),
    .deadly = deadly,
};

static struct syscall_filter filter;

static int setup(void **unused)
{
    return syscall_filter_compile(&profile, &filter, NULL);
}

static int teardown(void **unused)
{
    syscall_filter_done(&filter);
    return 0;
}

/*
 * What becomes of one call under the filter, in a child: 0 (it worked), an errno, or, negative, the
 * signal that killed it.
 */
static int outcome(long number, unsigned long a, unsigned long b, unsigned long c)
{
    int pipes[2], result = 0, status;
    pid_t pid;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
            syscall_filter_install(&filter, NULL) == 0) {
            result = syscall(number, a, b, c) < 0 ? errno : 0;
            (void)!write(pipes[1], &result, sizeof(result));
        }
        syscall(SYS_exit_group, 0);
    }
    fd_close(pipes[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        assert_int_equal(fd_read_full(pipes[0], &result, sizeof(result)), 0);
    fd_close(pipes[0]);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : result;
}

static void test_syscall_filter_keeps_to_its_lists(void **unused)
{
    assert_int_equal(outcome(SYS_getpid, 0, 0, 0), 0);
    assert_int_equal(outcome(SYS_mount, 0, 0, 0), EPERM);
    assert_int_equal(outcome(SYS_setns, 0, 0, 0), EPERM);
    assert_int_equal(outcome(SYS_getppid, 0, 0, 0), ENOSYS);
    assert_int_equal(outcome(SYS_clone3, 0, 0, 0), ENOSYS);
    assert_int_equal(outcome(100000, 0, 0, 0), ENOSYS);
}

static void test_syscall_filter_looks_at_conditions(void **unused)
{
    assert_int_equal(outcome(SYS_mprotect, 1, 0, PROT_READ | PROT_EXEC), ENOSYS);
    assert_int_equal(outcome(SYS_mprotect, 1, 0, PROT_READ | PROT_WRITE), EINVAL); /* 1: no page */
    assert_int_equal(outcome(SYS_personality, 0xffffffff, 0, 0), 0);
    assert_int_equal(outcome(SYS_personality, ADDR_NO_RANDOMIZE, 0, 0), ENOSYS);
}

static void test_syscall_filter_kills_for_deadly_calls(void **unused)
{
    assert_int_equal(outcome(SYS_execve, 0, 0, 0), -SIGSYS);
}

static void test_syscall_filter_refuses_namespaces(void **unused)
{
    static const unsigned long flags[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                          CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                          CLONE_NEWNET};

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        assert_int_equal(outcome(SYS_unshare, flags[i], 0, 0), EPERM);
        assert_int_equal(outcome(SYS_clone, flags[i] | SIGCHLD, 0, 0), EPERM);
        assert_int_equal(outcome(SYS_unshare, flags[i] | 1UL << 32, 0, 0), EPERM);
    }
    assert_int_equal(outcome(SYS_unshare, 0x80 /* CLONE_NEWTIME */, 0, 0), EPERM);
    assert_int_equal(outcome(SYS_unshare, CLONE_FS, 0, 0), 0);
}

static void test_syscall_filter_refuses_typing_into_a_terminal(void **unused)
{
    char letter = 'x';
    unsigned long address = (unsigned long)&letter;

    assert_int_equal(outcome(SYS_ioctl, 0, TIOCSTI, address), EPERM);
    assert_int_equal(outcome(SYS_ioctl, 0, TIOCLINUX, address), EPERM);
    assert_int_equal(outcome(SYS_ioctl, 0, TIOCSTI | 1UL << 32, address), EPERM);
    assert_int_equal(outcome(SYS_ioctl, 1000, TIOCGWINSZ, address), EBADF);
    assert_int_equal(outcome(SYS_ioctl, 1000, TIOCSTI + 1, address), EBADF);
}

static void test_syscall_filter_knows_the_families_of_sockets(void **unused)
{
    assert_int_equal(outcome(SYS_socket, AF_UNIX, SOCK_STREAM, 0), 0);
    assert_int_equal(outcome(SYS_socket, AF_INET, SOCK_STREAM, 0), 0);
    assert_int_equal(outcome(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), 0);
    assert_int_equal(outcome(SYS_socket, AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
    assert_int_equal(outcome(SYS_socket, AF_VSOCK | 1UL << 32, SOCK_STREAM, 0), EAFNOSUPPORT);
    assert_int_equal(outcome(SYS_socket, AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
    assert_int_equal(outcome(SYS_socketpair, AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
}

static void test_syscall_filter_knows_the_protocols_of_sockets(void **unused)
{
    static const unsigned long loading_modules[] = {IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_UDPLITE};
    static const unsigned long telling[] = {NETLINK_AUDIT, NETLINK_KOBJECT_UEVENT,
                                            NETLINK_NETFILTER, NETLINK_CRYPTO};

    assert_int_equal(outcome(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP), 0);
    assert_int_equal(outcome(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP), 0);
    assert_int_equal(outcome(SYS_socket, AF_INET, SOCK_DCCP, 0), EPROTONOSUPPORT);
    assert_int_equal(outcome(SYS_socket, AF_INET6, SOCK_DCCP | SOCK_CLOEXEC, 0), EPROTONOSUPPORT);
    for (size_t i = 0; i < ARRAY_SIZE(loading_modules); i++)
        assert_int_equal(outcome(SYS_socket, AF_INET, SOCK_STREAM, loading_modules[i]),
                         EPROTONOSUPPORT);
    assert_int_equal(outcome(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), 0);
    for (size_t i = 0; i < ARRAY_SIZE(telling); i++) {
        assert_int_equal(outcome(SYS_socket, AF_NETLINK, SOCK_RAW, telling[i]), EPROTONOSUPPORT);
        assert_int_equal(outcome(SYS_socket, AF_NETLINK | 1UL << 32, SOCK_RAW, telling[i]),
                         EPROTONOSUPPORT);
    }
}

#ifdef __x86_64__
#    define X32 0x40000000L

static void test_syscall_filter_kills_calls_of_another_architecture(void **unused)
{
    assert_int_equal(outcome(SYS_getpid | X32, 0, 0, 0), -SIGSYS);
    assert_int_equal(outcome(SYS_ioctl | X32, 0, TIOCSTI, 0), -SIGSYS);
}
#endif

static void test_syscall_filter_compile_refuses_clone3(void **unused)
{
    static const char *const names[] = {"read", "clone3", NULL}, *const none[] = {NULL};
    const struct syscall_filter_profile bad = {.allowed = names, .refused = none};
    struct syscall_filter result = {0};
    struct error err;

    assert_int_equal(syscall_filter_compile(&bad, &result, &err), -EINVAL);
    assert_null(result.instructions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syscall_filter_keeps_to_its_lists),
        cmocka_unit_test(test_syscall_filter_looks_at_conditions),
        cmocka_unit_test(test_syscall_filter_kills_for_deadly_calls),
        cmocka_unit_test(test_syscall_filter_refuses_namespaces),
        cmocka_unit_test(test_syscall_filter_refuses_typing_into_a_terminal),
        cmocka_unit_test(test_syscall_filter_knows_the_families_of_sockets),
        cmocka_unit_test(test_syscall_filter_knows_the_protocols_of_sockets),
#ifdef __x86_64__
        cmocka_unit_test(test_syscall_filter_kills_calls_of_another_architecture),
#endif
        cmocka_unit_test(test_syscall_filter_compile_refuses_clone3),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
