/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of the default profile.
 *
 * Nothing is allowed here that Debian 12's /usr/share/containers/seccomp.json (package
 * golang-github-containers-common) doesn't allow to a container without capabilities; a test
 * compares. Less is, where a job has no use for it: no mounts, no namespaces, no keyrings, no
 * kernel log. What only 32-bit architectures have is left out.
 */
#include "base/cleanup.h"
#include "spawn/profile.h"

/* One paragraph for each subject. */
/* clang-format off */
static const char *const allowed[] = {
    /* files */
    "access", "faccessat", "faccessat2", "open", "openat", "openat2", "creat", "close",
    "close_range", "read", "readv", "pread64", "preadv", "preadv2", "write", "writev",
    "pwrite64", "pwritev", "pwritev2", "lseek", "dup", "dup2", "dup3", "fcntl", "flock",
    "ioctl", "truncate", "ftruncate", "fallocate", "fadvise64", "readahead", "copy_file_range",
    "sendfile", "splice", "tee", "sync", "syncfs", "fsync", "fdatasync", "sync_file_range",
    "stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs", "utime", "utimes",
    "futimesat", "utimensat", "chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown",
    "fchownat", "umask", "getxattr", "lgetxattr", "fgetxattr", "setxattr", "lsetxattr",
    "fsetxattr", "listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr",
    "fremovexattr", "name_to_handle_at",
    /* directories */
    "getdents", "getdents64", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink",
    "symlinkat", "readlink", "readlinkat", "unlink", "unlinkat", "rename", "renameat",
    "renameat2", "mknod", "mknodat", "chdir", "fchdir", "getcwd",
    /* waiting */
    "select", "pselect6", "poll", "ppoll", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "signalfd", "signalfd4",
    "inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "timerfd_create",
    "timerfd_gettime", "timerfd_settime", "io_setup", "io_submit", "io_getevents", "io_cancel",
    "io_destroy",
    /* memory */
    "brk", "mmap", "munmap", "mremap", "mprotect", "msync", "madvise", "mincore", "mlock",
    "mlock2", "mlockall", "munlock", "munlockall", "remap_file_pages", "pkey_alloc",
    "pkey_free", "pkey_mprotect", "memfd_create", "memfd_secret", "membarrier", "mbind",
    "get_mempolicy", "set_mempolicy",
    /* processes and threads */
    "clone", "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid",
    "getpid", "getppid", "gettid", "getpgid", "getpgrp", "setpgid", "getsid", "setsid", "futex",
    "set_robust_list", "get_robust_list", "set_tid_address", "set_thread_area",
    "get_thread_area", "arch_prctl", "prctl", "rseq", "unshare", "seccomp",
    "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "pidfd_open",
    "pidfd_getfd", "pidfd_send_signal", "process_mrelease", "process_vm_readv",
    "process_vm_writev", "ptrace", "restart_syscall",
    /* signals */
    "kill", "tkill", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigpending",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigreturn",
    "sigaltstack", "pause",
    /* ids and limits */
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setuid",
    "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid",
    "setgroups", "capget", "capset", "getrlimit", "setrlimit", "prlimit64", "getrusage",
    "times", "getpriority", "setpriority", "ioprio_get", "ioprio_set", "sched_yield",
    "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_setparam",
    "sched_getscheduler", "sched_setscheduler", "sched_getattr", "sched_setattr",
    "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval",
    /* time */
    "time", "gettimeofday", "clock_gettime", "clock_getres", "clock_nanosleep", "clock_adjtime",
    "adjtimex", "nanosleep", "alarm", "getitimer", "setitimer", "timer_create", "timer_delete",
    "timer_gettime", "timer_settime", "timer_getoverrun",
    /* between processes */
    "pipe", "pipe2", "socket", "socketpair", "bind", "listen", "accept", "accept4", "connect",
    "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt", "sendto", "sendmsg",
    "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "shmget", "shmat", "shmctl", "shmdt",
    "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv", "msgctl",
    "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr",
    /* the machine */
    "uname", "sysinfo", "getcpu", "getrandom",
    NULL,
};

static const char *const refused[] = {
    /* mounts */
    "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl", "quotactl_fd",
    "open_by_handle_at", "fanotify_init", "fanotify_mark",
    /* namespaces and names */
    "setns", "sethostname", "setdomainname",
    /* keys: not kept apart by any namespace */
    "add_key", "request_key", "keyctl",
    /* the kernel */
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "syslog", "bpf", "perf_event_open", "userfaultfd", "lookup_dcookie", "acct", "sysfs",
    "ustat", "uselib", "nfsservctl", "vmsplice",
    /* other processes */
    "kcmp", "process_madvise", "migrate_pages", "move_pages",
    /* the machine */
    "ioperm", "iopl", "modify_ldt", "clock_settime", "settimeofday", "vhangup",
    NULL,
};
/* clang-format on */

/* PER_LINUX, PER_LINUX32, both with UNAME26, and the question which it is. */
static const struct syscall_condition conditions[] = {
    {"personality", 0, UINT64_MAX, 0x0},        {"personality", 0, UINT64_MAX, 0x8},
    {"personality", 0, UINT64_MAX, 0x20000},    {"personality", 0, UINT64_MAX, 0x20008},
    {"personality", 0, UINT64_MAX, 0xffffffff},
};

const struct syscall_filter_profile profile_default_calls = {
    .allowed = allowed,
    .refused = refused,
    .conditions = conditions,
    .condition_count = ARRAY_SIZE(conditions),
};
