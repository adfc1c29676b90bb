/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets are there already: connections come by accept4(2), jobs' pidfds by the launcher's
 * socket. So there is no socket(2), and no call that makes a process, changes an id, a mount or a
 * namespace. Memory is never made executable, so that injected code has nowhere to be.
 *
 * What isn't listed fails with ENOSYS, so that a library's newer call falls back on its older one.
 * What no honest hoistd calls kills it: the launcher's log then says SIGSYS, which nobody can
 * overlook, and starts another one.
 */
#include "agent/confine-calls.h"

#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/sanitized.h"

/* One paragraph for each subject. */
/* clang-format off */
static const char *const allowed[] = {
    /* files */
    "access", "faccessat", "faccessat2", "open", "openat", "openat2", "close", "close_range",
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev",
    "pwritev2", "lseek", "fcntl", "flock", "fallocate", "ftruncate", "fsync", "fdatasync",
    "sync_file_range", "fadvise64", "stat", "lstat", "fstat", "newfstatat", "statx", "statfs",
    "fstatfs", "fchmod", "umask", "readlink", "readlinkat", "getcwd",
    /* directories */
    "getdents64", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat",
    "renameat2",
    /* waiting */
    "poll", "ppoll", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "eventfd2", "signalfd4", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    "timerfd_create", "timerfd_gettime", "timerfd_settime",
    /* memory */
    "brk", "munmap", "mremap", "madvise", "mlock", "munlock",
    /* threads */
    "exit", "exit_group", "futex", "getpid", "gettid", "getppid", "set_robust_list", "rseq",
    "set_tid_address", "sched_yield", "sched_getaffinity", "membarrier", "restart_syscall",
    /* signals, to itself and by pidfd to hoist-init */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
    "sigaltstack", "tgkill", "pidfd_open", "pidfd_send_signal",
    /* sockets that are there */
    "accept4", "recvfrom", "recvmsg", "sendmsg", "shutdown", "getsockname",
    "getpeername", "getsockopt", "setsockopt",
    /* who and where we are */
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getrusage", "getrlimit",
    "uname", "sysinfo", "getcpu", "getrandom",
    /* time */
    "alarm", "setitimer", "time", "gettimeofday", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
#if IS_SANITIZED
    /* the leak checker's tracer, and a symbolizer for reports */
    "clone", "fork", "vfork", "execve", "wait4", "waitid", "pipe2", "dup", "dup2", "dup3", "kill",
    "ptrace", "prctl", "arch_prctl", "mmap", "mprotect", "prlimit64", "setrlimit", "personality",
    "process_vm_readv", "sched_setaffinity", "mincore", "chdir", "capget", "getdents",
#endif
    NULL,
};

static const struct syscall_condition conditions[] = {
    {"mknodat", 2, S_IFMT, S_IFIFO}, /* the lifeline */
    {"sendto", 4, UINT64_MAX, 0}, /* send(2): to whom the socket is connected */
#if !IS_SANITIZED
    {"clone", 0, CLONE_THREAD, CLONE_THREAD},
    {"mmap", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
    {"prctl", 0, UINT32_MAX, PR_SET_NAME},
    {"prctl", 0, UINT32_MAX, PR_GET_NAME},
    {"prlimit64", 0, UINT32_MAX, 0}, /* our own: another process of our uid may be hoist-init */
#endif
};

static const char *const refused[] = {
    "chmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "link", "linkat", "symlink",
    "symlinkat", "mknod", "memfd_create", "tkill", "setpriority",
    NULL,
};

/* Ways out: other programs, processes, users, name spaces, networks and memory. */
static const char *const deadly[] = {
#if !IS_SANITIZED
    "execve", "fork", "vfork", "ptrace", "process_vm_readv", "kill", "personality",
#endif
    "execveat", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    "socket", "socketpair", "connect", "bind", "listen",
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid",
    "setgroups", "capset",
    "unshare", "setns", "chroot", "pivot_root", "mount", "umount2", "open_tree", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_by_handle_at",
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "add_key", "request_key", "keyctl", "modify_ldt", "ioperm", "iopl",
    NULL,
};
/* clang-format on */

const struct syscall_filter_profile confine_calls = {
    .allowed = allowed,
    .conditions = conditions,
    .condition_count = ARRAY_SIZE(conditions),
    .refused = refused,
    .deadly = deadly,
};
