/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempt.h"

#define PID_1 1

/* What to aim at; without it the act isn't tried. */
static const char *aim(const char *variable)
{
    const char *value = getenv(variable);

    if (!value || !value[0]) {
        _exit(ATTEMPT_NOT_TRIED);
    }
    return value;
}

static long refuse(int error)
{
    errno = error;
    return -1;
}

/* --- PID 1 */

static long prlimit_init(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? -1 : prlimit(PID_1, RLIMIT_NOFILE, &limit, NULL);
}

static long schedule_init(void)
{
    const struct sched_param parameters = {0};

    return sched_setscheduler(PID_1, SCHED_OTHER, &parameters);
}

static long affinity_init(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) < 0
               ? -1
               : sched_setaffinity(PID_1, sizeof(set), &set);
}

static long priority_init(void)
{
    return setpriority(PRIO_PROCESS, PID_1, 0);
}

static long queue_to_init(void)
{
    return sigqueue(PID_1, SIGRTMIN, (union sigval){.sival_int = 15});
}

static long pidfd_of_init(void)
{
    return syscall(SYS_pidfd_open, PID_1, 0);
}

static long signal_init_by_pidfd(void)
{
    return syscall(SYS_pidfd_send_signal, pidfd_of_init(), SIGTERM, NULL, 0);
}

static long descriptor_of_init(void)
{
    return syscall(SYS_pidfd_getfd, pidfd_of_init(), 0, 0);
}

static long read_init(void)
{
    char byte;
    struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)0x400000, 1};
    long n = process_vm_readv(PID_1, &local, 1, &remote, 1, 0);

    return n < 0 && errno == EFAULT ? 0 : n; /* the right was there, the byte was not */
}

static long namespace_of_init(void)
{
    int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -1 : setns(fd, 0);
}

static long enter_namespace(void)
{
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -1 : setns(fd, 0);
}

/* --- more rights */

static long realtime(void)
{
    const struct sched_param parameters = {.sched_priority = 1};

    return sched_setscheduler(0, SCHED_FIFO, &parameters);
}

static long nicer(void)
{
    return setpriority(PRIO_PROCESS, 0, -1);
}

static long raise_rlimit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return -1;
    }
    limit.rlim_max++;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static long all_capabilities(void)
{
    uint32_t header[2] = {0x20080522, 0}, sets[6];

    memset(sets, 0xff, sizeof(sets));
    return syscall(SYS_capset, header, sets);
}

static long setuid_program(void)
{
    const char *path = aim("TRY_SETUID");

    return execl(path, "probe", "escalate", NULL);
}

static long setuid_file(void)
{
    int fd = open("/tmp/probe-setuid", O_RDWR | O_CREAT | O_CLOEXEC, 0700);

    return fd < 0 || fchown(fd, 0, 0) < 0 ? -1 : fchmod(fd, 04755);
}

static long personality_change(void)
{
    return personality(ADDR_NO_RANDOMIZE);
}

static long clone_user(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long clone3_user(void)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long open_by_handle(void)
{
    struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } file = {.handle.handle_bytes = MAX_HANDLE_SZ};
    int mount;

    if (name_to_handle_at(AT_FDCWD, "/", &file.handle, &mount, 0) < 0) {
        file.handle.handle_bytes = 8; /* no handles here: one that is made up will do */
        file.handle.handle_type = 1;
    }
    return open_by_handle_at(open("/", O_RDONLY | O_CLOEXEC), &file.handle, O_RDONLY);
}

/* --- another architecture's calls: getpid */

#if defined(__x86_64__)
static long call_i386(void)
{
    long number = 20;

    __asm__ volatile("int $0x80" : "+a"(number) : : "memory");
    return number < 0 ? refuse((int)-number) : 0;
}

static long call_x32(void)
{
    return syscall(0x40000000L + SYS_getpid);
}
#endif

/* --- terminals: one of our own, whose input is typed by us */

static long type_by(unsigned long request, void *argument)
{
    int terminal, side;

    if (openpty(&terminal, &side, NULL, NULL, NULL) < 0 || setsid() < 0 ||
        ioctl(side, TIOCSCTTY, 0) < 0) {
        side = STDIN_FILENO;
    }
    return syscall(SYS_ioctl, side, request, argument);
}

static long type_tiocsti(void)
{
    return type_by(TIOCSTI, (char[]){"x"});
}

static long type_tiocsti_64(void)
{
    return type_by(TIOCSTI | UINT64_C(1) << 32, (char[]){"x"});
}

static long type_tioclinux(void)
{
    return type_by(TIOCLINUX, (char[]){2}); /* selection */
}

/* --- sockets */

static long made(int family, int type, int protocol)
{
    return socket(family, type | SOCK_CLOEXEC, protocol);
}

static long socket_packet(void)
{
    return made(AF_PACKET, SOCK_RAW, 0x0300);
}

static long socket_raw(void)
{
    return made(AF_INET, SOCK_RAW, IPPROTO_RAW);
}

static long socket_audit(void)
{
    return made(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
}

static long socket_uevents(void)
{
    return made(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
}

static long socket_host_machine(void)
{
    return made(AF_VSOCK, SOCK_STREAM, 0);
}

static long socket_algorithms(void)
{
    return made(AF_ALG, SOCK_SEQPACKET, 0);
}

/* --- the kernel's addresses */

static long kallsyms(void)
{
    FILE *file = fopen("/proc/kallsyms", "re");
    unsigned long long address = 0;

    if (!file) {
        return -1;
    }
    while (address == 0 && fscanf(file, "%llx%*[^\n]", &address) == 1) {
    }
    return address == 0 ? refuse(ENODATA) : 0;
}

/* A file that shows nothing is as good as none. */
static long read_something(const char *path)
{
    char bytes[16];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

    return n == 0 ? refuse(ENODATA) : n;
}

static long kcore(void)
{
    return read_something("/proc/kcore");
}

static long timer_list(void)
{
    return read_something("/proc/timer_list");
}

static long keys(void)
{
    return read_something("/proc/keys");
}

static long sched_debug(void)
{
    return read_something("/proc/sched_debug");
}

/* --- the host's and another job's */

static long connect_path(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/socket", directory);
    return connect((int)made(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address,
                   sizeof(address));
}

static long connect_abstract(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[PLANT_NAME_MAX];

    plant_abstract_name(directory, name);
    memcpy(address.sun_path + 1, name, strlen(name));
    return connect((int)made(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
}

static long connect_port(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return connect((int)made(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address,
                   sizeof(address));
}

static long open_in(const char *directory, const char *name, int flags)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return open(path, flags | O_CLOEXEC);
}

static long open_shm(const char *directory)
{
    char name[PLANT_NAME_MAX];

    plant_shm_name(directory, name);
    return open(name, O_RDWR | O_CLOEXEC);
}

static long signal_pid(const char *pid)
{
    return kill((pid_t)strtol(pid, NULL, 10), 0);
}

#define AIMED(name, variable, call)                                                                \
    static long name(void)                                                                         \
    {                                                                                              \
        const char *at = aim(variable);                                                            \
                                                                                                   \
        return call;                                                                               \
    }

AIMED(host_abstract, "TRY_HOST", connect_abstract(at))
AIMED(host_fifo, "TRY_HOST", open_in(at, "fifo", O_WRONLY | O_NONBLOCK))
AIMED(host_file, "TRY_HOST", open_in(at, "file", O_RDWR))
AIMED(host_loopback, "TRY_HOST_PORT", connect_port(at))
AIMED(host_process, "TRY_HOST_PID", signal_pid(at))
AIMED(host_secret, "TRY_SECRET", open(at, O_RDONLY | O_CLOEXEC))
AIMED(host_shm, "TRY_HOST", open_shm(at))
AIMED(host_socket, "TRY_HOST", connect_path(at))
AIMED(host_state, "TRY_STATE", open_in(at, "jobs.db", O_RDONLY))
AIMED(other_abstract, "TRY_JOB", connect_abstract(at))
AIMED(other_fifo, "TRY_JOB", open_in(at, "fifo", O_WRONLY | O_NONBLOCK))
AIMED(other_file, "TRY_JOB", open_in(at, "file", O_RDWR))
AIMED(other_loopback, "TRY_JOB_PORT", connect_port(at))
AIMED(other_process, "TRY_JOB_PID", signal_pid(at))
AIMED(other_shm, "TRY_JOB", open_shm(at))
AIMED(other_socket, "TRY_JOB", connect_path(at))

static long other_sysv_shm(void)
{
    return shmget(PLANT_KEY, 0, 0);
}

static long other_sysv_queue(void)
{
    return msgget(PLANT_KEY, 0);
}

static long other_sysv_semaphore(void)
{
    return semget(PLANT_KEY, 0, 0);
}

static long other_queue(void)
{
    return (long)mq_open(PLANT_QUEUE, O_RDONLY);
}

void escalate(const char *unused)
{
    (void)unused;
    _exit(geteuid() == 0 && getuid() != 0 ? 0 : EPERM);
}

/* --- all of them */

const struct act acts[] = {
    {"affinity-init", affinity_init},
    {"capset", all_capabilities},
    {"clone-user", clone_user},
    {"clone3-user", clone3_user},
    {"descriptor-of-init", descriptor_of_init},
    {"host-abstract", host_abstract},
    {"host-fifo", host_fifo},
    {"host-file", host_file},
    {"host-loopback", host_loopback},
    {"host-process", host_process},
    {"host-secret", host_secret},
    {"host-shm", host_shm},
    {"host-socket", host_socket},
    {"host-state", host_state},
#if defined(__x86_64__)
    {"call-i386", call_i386},
    {"call-x32", call_x32},
#endif
    {"kallsyms", kallsyms},
    {"kcore", kcore},
    {"keys", keys},
    {"nice", nicer},
    {"open-by-handle", open_by_handle},
    {"other-abstract", other_abstract},
    {"other-fifo", other_fifo},
    {"other-file", other_file},
    {"other-loopback", other_loopback},
    {"other-process", other_process},
    {"other-queue", other_queue},
    {"other-shm", other_shm},
    {"other-socket", other_socket},
    {"other-sysv-queue", other_sysv_queue},
    {"other-sysv-semaphore", other_sysv_semaphore},
    {"other-sysv-shm", other_sysv_shm},
    {"personality", personality_change},
    {"priority-init", priority_init},
    {"prlimit-init", prlimit_init},
    {"queue-init", queue_to_init},
    {"raise-rlimit", raise_rlimit},
    {"read-init", read_init},
    {"realtime", realtime},
    {"sched-debug", sched_debug},
    {"schedule-init", schedule_init},
    {"setns", enter_namespace},
    {"setns-init", namespace_of_init},
    {"signal-init-by-pidfd", signal_init_by_pidfd},
    {"setuid-file", setuid_file},
    {"setuid-program", setuid_program},
    {"socket-alg", socket_algorithms},
    {"socket-audit", socket_audit},
    {"socket-packet", socket_packet},
    {"socket-raw", socket_raw},
    {"socket-uevent", socket_uevents},
    {"socket-vsock", socket_host_machine},
    {"timer-list", timer_list},
    {"tioclinux", type_tioclinux},
    {"tiocsti", type_tiocsti},
    {"tiocsti-64", type_tiocsti_64},
};

const size_t act_count = sizeof(acts) / sizeof(*acts);
