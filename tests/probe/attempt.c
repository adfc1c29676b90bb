/* SPDX-License-Identifier: Apache-2.0 */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "probe.h"

/* Each returns what the system call returned: negative is a refusal, with errno. */

static long try_bpf(void)
{
    char attributes[128] = {0};

    return syscall(SYS_bpf, 0, attributes, sizeof(attributes));
}

static long try_chroot(void)
{
    return chroot("/");
}

static long try_io_uring(void)
{
    char parameters[256] = {0};

    return syscall(SYS_io_uring_setup, 1, parameters);
}

static long try_keyctl(void)
{
    return syscall(SYS_keyctl, 0, -3, 1);
}

static long try_kill_init(void)
{
    return syscall(SYS_kill, 1, 0);
}

static long try_mknod(void)
{
    return mknod("/tmp/null", S_IFCHR | 0600, makedev(1, 3));
}

static long try_mount(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static long try_open_by_handle(void)
{
    char handle[16] = {0};

    return syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY);
}

static long try_perf_event(void)
{
    char attributes[128] = {0};

    return syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
}

static long try_prlimit_init(void)
{
    struct rlimit limit = {0, 0};

    return prlimit(1, RLIMIT_NOFILE, &limit, NULL);
}

static long try_ptrace_init(void)
{
    return ptrace(PTRACE_SEIZE, 1, NULL, NULL);
}

static long try_remount_root(void)
{
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long try_setuid(void)
{
    return setresuid(0, 0, 0);
}

static long try_setgroups(void)
{
    gid_t group = 0;

    return syscall(SYS_setgroups, 1, &group);
}

static long try_sethostname(void)
{
    return sethostname("broken-out", 10);
}

static long try_tiocsti(void)
{
    return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static long try_unshare_mount(void)
{
    return unshare(CLONE_NEWNS);
}

static long try_unshare_user(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_write_sys(void)
{
    return open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);
}

static long try_write_sysrq(void)
{
    return open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
}

static long try_write_usr(void)
{
    return open("/usr/written-by-a-job", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static const struct {
    const char *name;
    long (*run)(void);
} attempts[] = {
    {"bpf", try_bpf},
    {"chroot", try_chroot},
    {"io-uring", try_io_uring},
    {"keyctl", try_keyctl},
    {"kill-init", try_kill_init},
    {"mknod", try_mknod},
    {"mount", try_mount},
    {"open-by-handle", try_open_by_handle},
    {"perf-event", try_perf_event},
    {"prlimit-init", try_prlimit_init},
    {"ptrace-init", try_ptrace_init},
    {"remount-root", try_remount_root},
    {"setgroups", try_setgroups},
    {"sethostname", try_sethostname},
    {"setuid", try_setuid},
    {"tiocsti", try_tiocsti},
    {"unshare-mount", try_unshare_mount},
    {"unshare-user", try_unshare_user},
    {"write-sys", try_write_sys},
    {"write-sysrq", try_write_sysrq},
    {"write-usr", try_write_usr},
};

void attempt(const char *what)
{
    bool known = false;

    if (geteuid() == 0) { /* a job never is; the machine of a tester who is would be changed */
        errno = EPERM;
        fail("attempts are not made as root");
    }
    for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
        if (strcmp(what, "all") != 0 && strcmp(what, attempts[i].name) != 0) {
            continue;
        }
        known = true;
        dprintf(STDOUT_FILENO, "%s: %s\n", attempts[i].name,
                attempts[i].run() < 0 ? strerror(errno) : "ok");
    }
    if (!known) {
        errno = EINVAL;
        fail(what);
    }
}
