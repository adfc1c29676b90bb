/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three tables: files that must not open, system calls that must not succeed whatever they are
 * given, and acts that take more than one call (attempt-act.c).
 */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define PATIENCE 10 /* seconds for each */

/* --- files */

static const struct {
    const char *name;
    const char *path;
    int flags;
} files[] = {
    {"cgroup-kill", "/sys/fs/cgroup/cgroup.kill", O_WRONLY},
    {"cgroup-procs", "/sys/fs/cgroup/cgroup.procs", O_WRONLY},
    {"core-pattern", "/proc/sys/kernel/core_pattern", O_WRONLY},
    {"dev-kmsg", "/dev/kmsg", O_RDONLY},
    {"dev-mem", "/dev/mem", O_RDONLY},
    {"dev-port", "/dev/port", O_RDONLY},
    {"hostname-file", "/proc/sys/kernel/hostname", O_WRONLY},
    {"init-cwd", "/proc/1/cwd", O_RDONLY},
    {"init-environ", "/proc/1/environ", O_RDONLY},
    {"init-exe", "/proc/1/exe", O_RDONLY},
    {"init-fd", "/proc/1/fd/0", O_RDONLY},
    {"init-maps", "/proc/1/maps", O_RDONLY},
    {"init-mem", "/proc/1/mem", O_RDWR},
    {"init-oom-score", "/proc/1/oom_score_adj", O_WRONLY},
    {"init-root", "/proc/1/root", O_RDONLY},
    {"kmsg", "/proc/kmsg", O_RDONLY},
    {"modprobe", "/proc/sys/kernel/modprobe", O_WRONLY},
    {"mtrr", "/proc/mtrr", O_WRONLY},
    {"overcommit", "/proc/sys/vm/overcommit_memory", O_WRONLY},
    {"panic-on-oom", "/proc/sys/vm/panic_on_oom", O_WRONLY},
    {"release-agent", "/sys/fs/cgroup/release_agent", O_WRONLY},
    {"shadow", "/etc/shadow", O_RDONLY},
    {"slabinfo", "/proc/slabinfo", O_RDONLY},
    {"sysrq", "/proc/sysrq-trigger", O_WRONLY},
    {"uevent-helper", "/sys/kernel/uevent_helper", O_WRONLY},
    {"vmallocinfo", "/proc/vmallocinfo", O_RDONLY},
    {"write-root", "/written-by-a-job", O_WRONLY | O_CREAT},
    {"write-usr", "/usr/written-by-a-job", O_WRONLY | O_CREAT},
};

/* --- system calls */

#define TEXT(text) ((uintptr_t)(text))
#define AT_CWD     ((uintptr_t)(long)AT_FDCWD)
#define NOBODY     ((uintptr_t)-1)
#define PID_1      1

static char room[4096]; /* zeros, for whatever a call wants to be given */
static const struct {
    int32_t type;
    uint32_t size;
    uint64_t config[14];
} event = {1, sizeof(event), {0}}; /* PERF_TYPE_SOFTWARE, cpu-clock */

static const struct {
    const char *name;
    long number;
    uintptr_t arguments[6];
} calls[] = {
    {"acct", SYS_acct, {TEXT("/no/such/file")}},
    {"add-key", SYS_add_key, {TEXT("user"), TEXT("probe"), TEXT("x"), 1, TEXT(-3)}},
    {"bpf", SYS_bpf, {0, TEXT(room), 128}},
    {"chroot", SYS_chroot, {TEXT("/")}},
    {"delete-module", SYS_delete_module, {TEXT("no_such_module"), 0}},
    {"fanotify", SYS_fanotify_init, {0x04, 0}}, /* FAN_CLASS_CONTENT */
    {"finit-module", SYS_finit_module, {NOBODY, TEXT(""), 0}},
    {"fsopen", SYS_fsopen, {TEXT("tmpfs"), 0}},
    {"init-module", SYS_init_module, {TEXT(room), 0, TEXT("")}},
    {"io-uring", SYS_io_uring_setup, {1, TEXT(room)}},
    {"kexec", SYS_kexec_load, {0, 0, 0, 0x8000}},
    {"keyctl", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, TEXT(-3), 1}},
    {"keyring-of-user", SYS_keyctl, {KEYCTL_DESCRIBE, TEXT(-4), TEXT(room), sizeof(room)}},
    {"kill-init", SYS_kill, {PID_1, 0}},
    {"kill-init-stop", SYS_kill, {PID_1, SIGSTOP}},
    {"kill-init-term", SYS_kill, {PID_1, SIGTERM}},
    {"lookup-dcookie", SYS_lookup_dcookie, {1, TEXT(room), sizeof(room)}},
    {"mknod-block", SYS_mknodat, {AT_CWD, TEXT("/tmp/probe-disk"), 0060600, 0x0800}},
    {"mknod-char", SYS_mknodat, {AT_CWD, TEXT("/tmp/probe-mem"), 0020600, 0x0101}},
    {"mount", SYS_mount, {TEXT("none"), TEXT("/tmp"), TEXT("tmpfs"), 0, 0}},
    {"mount-bind", SYS_mount, {TEXT("/"), TEXT("/tmp"), 0, MS_BIND, 0}},
    {"mount-cgroup", SYS_mount, {TEXT("none"), TEXT("/tmp"), TEXT("cgroup2"), 0, 0}},
    {"mount-proc", SYS_mount, {TEXT("none"), TEXT("/tmp"), TEXT("proc"), 0, 0}},
    {"mount-setattr", SYS_mount_setattr, {AT_CWD, TEXT("/"), 0, TEXT(room), 32}},
    {"move-mount", SYS_move_mount, {AT_CWD, TEXT("/tmp"), AT_CWD, TEXT("/var"), 0}},
    {"open-tree", SYS_open_tree, {AT_CWD, TEXT("/"), OPEN_TREE_CLONE}},
    {"perf-event", SYS_perf_event_open, {TEXT(&event), 0, NOBODY, NOBODY, 0}},
    {"pivot-root", SYS_pivot_root, {TEXT("/tmp"), TEXT("/tmp")}},
    {"ptrace-init", SYS_ptrace, {0x4206, PID_1, 0, 0}}, /* PTRACE_SEIZE */
    {"quotactl", SYS_quotactl, {0x80000200UL, TEXT("/dev/root"), 0, TEXT(room)}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}},
    {"remount-root", SYS_mount, {0, TEXT("/"), 0, MS_REMOUNT | MS_BIND, 0}},
    {"request-key", SYS_request_key, {TEXT("user"), TEXT("probe"), TEXT("x"), TEXT(-3)}},
    {"setdomainname", SYS_setdomainname, {TEXT("probe"), 5}},
    {"setgroups", SYS_setgroups, {1, TEXT(room)}},
    {"sethostname", SYS_sethostname, {TEXT("probe"), 5}},
    {"setregid", SYS_setresgid, {0, 0, 0}},
    {"settime", SYS_clock_settime, {0, TEXT(room)}},
    {"setuid", SYS_setresuid, {0, 0, 0}},
    {"swapoff", SYS_swapoff, {TEXT("/no/such/file")}},
    {"swapon", SYS_swapon, {TEXT("/no/such/file"), 0}},
    {"syslog", SYS_syslog, {3, TEXT(room), sizeof(room)}}, /* SYSLOG_ACTION_READ_ALL */
    {"umount", SYS_umount2, {TEXT("/proc"), MNT_DETACH}},
    {"unshare-cgroup", SYS_unshare, {CLONE_NEWCGROUP}},
    {"unshare-ipc", SYS_unshare, {CLONE_NEWIPC}},
    {"unshare-mount", SYS_unshare, {CLONE_NEWNS}},
    {"unshare-net", SYS_unshare, {CLONE_NEWNET}},
    {"unshare-pid", SYS_unshare, {CLONE_NEWPID}},
    {"unshare-user", SYS_unshare, {CLONE_NEWUSER}},
    {"unshare-uts", SYS_unshare, {CLONE_NEWUTS}},
    {"userfaultfd", SYS_userfaultfd, {0}},
    {"vhangup", SYS_vhangup, {0}},
    {"vmsplice", SYS_vmsplice, {1, TEXT(room), 0, 0}},
#if defined(__x86_64__)
    {"ioperm", SYS_ioperm, {0x80, 1, 1}},
    {"iopl", SYS_iopl, {3}},
    {"modify-ldt", SYS_modify_ldt, {0, TEXT(room), sizeof(room)}},
#endif
};

/* --- one after the other */

static bool is_wanted(const char *what, const char *name)
{
    return strcmp(what, "all") == 0 || strcmp(what, name) == 0;
}

/* In the child: the errno, 0 when it worked. */
static _Noreturn void leave(long result)
{
    _exit(result < 0 ? errno : 0);
}

static void tell(const char *name, pid_t child)
{
    char end[64];
    int status = 0;

    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail(name);
    }
    if (WIFSIGNALED(status)) {
        snprintf(end, sizeof(end), "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) == ATTEMPT_NOT_TRIED) {
        snprintf(end, sizeof(end), "not tried");
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(end, sizeof(end), "%s", strerrorname_np(WEXITSTATUS(status)));
    } else {
        snprintf(end, sizeof(end), "ok");
    }
    dprintf(STDOUT_FILENO, "%s: %s\n", name, end);
}

/* The child: what it changes about itself is gone with it. */
static pid_t begin(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        alarm(PATIENCE);
    }
    return pid;
}

static size_t try_files(const char *what)
{
    size_t tried = 0;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        pid_t pid;

        if (!is_wanted(what, files[i].name)) {
            continue;
        }
        pid = begin();
        if (pid == 0) {
            leave(open(files[i].path, files[i].flags | O_CLOEXEC | O_NONBLOCK, 0600));
        }
        tell(files[i].name, pid);
        tried++;
    }
    return tried;
}

static size_t try_calls(const char *what)
{
    size_t tried = 0;

    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        const uintptr_t *a = calls[i].arguments;
        pid_t pid;

        if (!is_wanted(what, calls[i].name)) {
            continue;
        }
        pid = begin();
        if (pid == 0) {
            leave(syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]));
        }
        tell(calls[i].name, pid);
        tried++;
    }
    return tried;
}

static size_t try_acts(const char *what)
{
    size_t tried = 0;

    for (size_t i = 0; i < act_count; i++) {
        pid_t pid;

        if (!is_wanted(what, acts[i].name)) {
            continue;
        }
        pid = begin();
        if (pid == 0) {
            leave(acts[i].run());
        }
        tell(acts[i].name, pid);
        tried++;
    }
    return tried;
}

void attempt(const char *what)
{
    /* A job never is root; the machine of a tester who is would be changed. A container may be. */
    if (geteuid() == 0 && !getenv("TRY_AS_ROOT")) {
        errno = EPERM;
        fail("attempts are not made as root");
    }
    if (try_files(what) + try_calls(what) + try_acts(what) == 0) {
        errno = EINVAL;
        fail(what);
    }
}
