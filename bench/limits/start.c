/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The limit for an isolated start: the same work for the kernel as a job's default surroundings
 * need (three cgroups, namespaces, some forty mounts, a system call filter), and nothing else.
 *
 *   limit-start COUNT PROGRAM
 *
 * Starts PROGRAM COUNT times, one after the other. Prints the times to its execve(2) and to the
 * moment when nothing is left of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h> /* struct clone_args; behind sched.h, which says less */
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define COUNT_MAX   10000
#define FILTER_SIZE 300 /* calls that are compared, as many as a default profile knows */

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET)
#define SAFE       (MS_NOSUID | MS_NODEV)

struct mount_row {
    const char *type; /* NULL: a bind mount of `source`, made read-only if `flags` say so */
    const char *source;
    const char *target; /* below the root under construction */
    unsigned long flags;
    const char *options;
    bool is_file;
};

#define BIND(path)                                                                                 \
    {                                                                                              \
        NULL, path, path, MS_BIND | MS_RDONLY | SAFE, NULL, false                                  \
    }
#define DEVICE(path)                                                                               \
    {                                                                                              \
        NULL, path, path, MS_BIND, NULL, true                                                      \
    }
#define MASK(path)                                                                                 \
    {                                                                                              \
        NULL, "/dev/null", path, MS_BIND, NULL, true                                               \
    }
#define READ_ONLY(path)                                                                            \
    {                                                                                              \
        NULL, ROOT path, path, MS_BIND | MS_RDONLY | SAFE | MS_NOEXEC, NULL, false                 \
    }
#define FRESH(type, path, options)                                                                 \
    {                                                                                              \
        type, type, path, SAFE, options, false                                                     \
    }

/* Anything that is a directory will do: it is mounted over in a namespace of its own. */
#define ROOT "/mnt"

static const struct mount_row rows[] = {
    BIND("/usr"),
    BIND("/etc"),
    BIND("/opt"),
    BIND("/srv"),
    BIND("/var"),
    FRESH("proc", "/proc", "hidepid=invisible"),
    MASK("/proc/kcore"),
    MASK("/proc/keys"),
    MASK("/proc/timer_list"),
    READ_ONLY("/proc/fs"),
    READ_ONLY("/proc/irq"),
    READ_ONLY("/proc/sys"),
    READ_ONLY("/proc/sysrq-trigger"),
    FRESH("sysfs", "/sys", NULL),
    FRESH("tmpfs", "/dev", "size=64k,mode=0755"),
    DEVICE("/dev/null"),
    DEVICE("/dev/zero"),
    DEVICE("/dev/full"),
    DEVICE("/dev/random"),
    DEVICE("/dev/urandom"),
    DEVICE("/dev/tty"),
    FRESH("devpts", "/dev/pts", "newinstance,max=64,ptmxmode=0666,mode=0620"),
    FRESH("tmpfs", "/dev/shm", "mode=1777"),
    FRESH("tmpfs", "/tmp", "mode=1777"),
    FRESH("tmpfs", "/var/tmp", "mode=1777"),
    FRESH("tmpfs", "/job", "mode=0700"),
};

static const char *const links[] = {"/bin", "/lib", "/lib64", "/sbin"};

static char cgroup[256]; /* of the job that is being started */

static pid_t clone_into(uint64_t flags, const char *name)
{
    char path[300];
    struct clone_args args = {.exit_signal = SIGCHLD, .flags = flags | CLONE_INTO_CGROUP};
    int fd;
    pid_t pid;

    (void)snprintf(path, sizeof(path), "%s%s", cgroup, name);
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        measure_die(path);
    args.cgroup = (unsigned)fd;
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid < 0)
        measure_die("clone3");
    if (pid > 0)
        (void)close(fd);
    return pid;
}

/* ---- inside ---- */

static void mount_row(const struct mount_row *row)
{
    char target[128];
    int fd;

    (void)snprintf(target, sizeof(target), ROOT "%s", row->target);
    if (row->is_file && (fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0)
        (void)close(fd);
    else if (!row->is_file)
        (void)mkdir(target, 0755);
    if (row->type) {
        if (mount(row->source, target, row->type, row->flags, row->options) < 0)
            measure_die(target);
        return;
    }
    if (mount(row->source, target, NULL, MS_BIND | MS_REC, NULL) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) /* this host has no such place */
            return;
        measure_die(target);
    }
    if (row->flags & MS_RDONLY && mount(NULL, target, NULL, row->flags | MS_REMOUNT, NULL) < 0)
        measure_die(target);
}

static void make_links(void)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        char to[64], target[64];

        (void)snprintf(to, sizeof(to), "usr%s", links[i]);
        (void)snprintf(target, sizeof(target), ROOT "%s", links[i]);
        (void)!symlink(to, target);
    }
}

static void make_root(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", ROOT, "tmpfs", SAFE, "size=1m,mode=0755") < 0)
        measure_die(ROOT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        mount_row(&rows[i]);
    make_links();
    if (chdir(ROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE, NULL) < 0)
        measure_die("pivot_root");
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        measure_die("lo");
    (void)close(fd);
}

/* Compares with numbers that no call has; lets everything pass. */
static void load_filter(void)
{
    struct sock_filter code[FILTER_SIZE + 2];
    const struct sock_fprog program = {FILTER_SIZE + 2, code};

    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                           (uint32_t)offsetof(struct seccomp_data, nr));
    for (uint32_t i = 1; i <= FILTER_SIZE; i++)
        code[i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 100000 + i, 0, 0);
    code[FILTER_SIZE + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        measure_die("seccomp");
}

static __attribute__((noreturn)) void run_program(char *program)
{
    char *argv[] = {program, NULL};

    load_filter();
    execv(program, argv);
    measure_die(program);
}

static __attribute__((noreturn)) void run_init(char *program)
{
    pid_t command;
    int status;

    if (sethostname("sandbox", 7) < 0)
        measure_die("sethostname");
    raise_loopback();
    command = clone_into(0, "/cmd"); /* while the host's cgroups can be seen */
    if (command == 0) {
        make_root();
        run_program(program);
    }
    if (waitpid(command, &status, 0) != command)
        measure_die("waitpid");
    _exit(status == 0 ? 0 : 1);
}

/* ---- outside ---- */

static void make_cgroups(void)
{
    static const char *const names[] = {"", "/init", "/cmd"};
    char path[300];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", cgroup, names[i]);
        if (mkdir(path, 0755) < 0)
            measure_die(path);
    }
}

static void remove_cgroups(void)
{
    static const char *const names[] = {"/cmd", "/init", ""};
    char path[300];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", cgroup, names[i]);
        if (rmdir(path) < 0)
            measure_die(path);
    }
}

static void start_one(char *program, double *ret_started, double *ret_ended)
{
    uint64_t begin = measure_nanoseconds();
    int told[2], status;
    char end;
    pid_t pid;

    if (pipe2(told, O_CLOEXEC) < 0) /* closed by the program's execve(2) */
        measure_die("pipe");
    make_cgroups();
    pid = clone_into(NAMESPACES, "/init");
    if (pid == 0)
        run_init(program);
    (void)close(told[1]);
    (void)!read(told[0], &end, 1);
    *ret_started = (double)(measure_nanoseconds() - begin) / 1e3;
    (void)close(told[0]);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        measure_usage("the program failed");
    remove_cgroups();
    *ret_ended = (double)(measure_nanoseconds() - begin) / 1e3;
}

int main(int argc, char **argv)
{
    static double started[COUNT_MAX], ended[COUNT_MAX];
    unsigned long count;
    bool hybrid = access("/sys/fs/cgroup/unified", F_OK) == 0;

    if (argc != 3)
        measure_usage("limit-start COUNT PROGRAM");
    count = measure_number(argv[1], 1);
    if (count > COUNT_MAX)
        measure_usage("so many starts are too many");
    (void)snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/%slimit-start-%d",
                   hybrid ? "unified/" : "", getpid());
    for (unsigned long i = 0; i < count; i++)
        start_one(argv[2], &started[i], &ended[i]);
    (void)printf("{");
    measure_print_percentiles("started_us", started, count);
    (void)printf(", ");
    measure_print_percentiles("ended_us", ended, count);
    (void)printf("}\n");
    return 0;
}
