/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job under test: does exactly what its arguments say, one step after the other.
 *
 *   probe STEP [ARGUMENT] [, STEP [ARGUMENT]]…
 *
 * It is static and needs no library, so that it runs inside any root, and it waits for signals, not
 * for time, so that a test decides when it goes on (`await 10`, then SignalJob). SIGUSR1 and
 * SIGUSR2 are blocked from the first instruction, others by `hold`: one that comes early is not
 * lost.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attempt.h"

#define CHUNK (64UL * 1024)

void fail(const char *what)
{
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(99);
}

static unsigned long number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 0);

    if (end == text || *end != '\0') {
        fprintf(stderr, "probe: \"%s\" is no number\n", text);
        exit(98);
    }
    return value;
}

static void write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0) {
            fail("write");
        }
        at += n;
        size -= (size_t)n;
    }
}

/* --- output */

static void say_out(const char *text)
{
    dprintf(STDOUT_FILENO, "%s\n", text);
}

static void say_err(const char *text)
{
    dprintf(STDERR_FILENO, "%s\n", text);
}

static void print_lines(const char *count)
{
    for (unsigned long i = 0, n = number(count); i < n; i++) {
        printf("line %lu\n", i);
    }
    fflush(stdout);
}

/* The byte at an offset: of a pattern that no shift by a power of two leaves the same. */
static unsigned char pattern(unsigned long offset)
{
    return (unsigned char)((offset * 2654435761UL) >> 13);
}

static void print_bytes(const char *count)
{
    static unsigned char chunk[CHUNK];

    for (unsigned long at = 0, end = number(count); at < end;) {
        size_t size = end - at < CHUNK ? end - at : CHUNK;

        for (size_t i = 0; i < size; i++) {
            chunk[i] = pattern(at + i);
        }
        write_all(STDOUT_FILENO, chunk, size);
        at += size;
    }
}

static _Noreturn void flood(const char *text)
{
    for (;;) {
        say_out(text);
    }
}

static void close_outputs(const char *unused)
{
    (void)unused;
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
}

/* --- ends and signals */

static _Noreturn void leave(const char *code)
{
    exit((int)number(code));
}

static void die_of(const char *signal_number)
{
    int which = (int)number(signal_number);
    sigset_t only;

    signal(which, SIG_DFL);
    sigemptyset(&only);
    sigaddset(&only, which);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    kill(getpid(), which);
}

static void ignore(const char *signal_number)
{
    if (signal((int)number(signal_number), SIG_IGN) == SIG_ERR) {
        fail("signal");
    }
}

/* From now on it waits until it is awaited: who is told so may send it at once. */
static sigset_t hold_signal(const char *signal_number)
{
    sigset_t only;

    sigemptyset(&only);
    sigaddset(&only, (int)number(signal_number));
    sigprocmask(SIG_BLOCK, &only, NULL);
    return only;
}

static void hold(const char *signal_number)
{
    (void)hold_signal(signal_number);
}

/* Waits for a signal, says which, and goes on. */
static void await(const char *signal_number)
{
    sigset_t only = hold_signal(signal_number);
    int got;

    if (sigwait(&only, &got) != 0) {
        fail("sigwait");
    }
    dprintf(STDOUT_FILENO, "got signal %d\n", got);
}

static _Noreturn void forever(const char *unused)
{
    (void)unused;
    for (;;) {
        pause();
    }
}

static void rest(const char *milliseconds)
{
    unsigned long ms = number(milliseconds);
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

/* --- processes */

/* A chain of processes, each the parent of the next, that ignore SIGTERM and never end. */
static _Noreturn void tree(const char *depth)
{
    signal(SIGTERM, SIG_IGN);
    for (unsigned long i = number(depth); i > 0; i--) {
        pid_t pid = fork();

        if (pid < 0) {
            fail("fork");
        }
        if (pid > 0) {
            break;
        }
    }
    forever(NULL);
}

static void *stay(void *unused)
{
    (void)unused;
    for (;;) {
        pause();
    }
    return NULL;
}

/* More threads, which do nothing. */
static void add_threads(const char *count)
{
    for (unsigned long i = number(count); i > 0; i--) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, stay, NULL) != 0) {
            fail("pthread_create");
        }
    }
}

/* Forks in every process until it is killed; the first one says when it is refused. */
static _Noreturn void fork_bomb(const char *unused)
{
    pid_t first = getpid();
    bool told = false;

    (void)unused;
    for (unsigned long forks = 0;; forks++) {
        if (fork() >= 0 || told || getpid() != first) {
            continue;
        }
        dprintf(STDOUT_FILENO, "fork refused: %s after %lu\n", strerror(errno), forks);
        told = true;
    }
}

static void reap(const char *unused)
{
    (void)unused;
    while (wait(NULL) > 0 || errno == EINTR) {
    }
}

/* Waits for the end of a process that needn't be a child, or to be there any more. */
static void await_end(const char *pid)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, number(pid), 0), .events = POLLIN};

    if (end.fd < 0 && errno == ESRCH) {
        return;
    }
    if (end.fd < 0) {
        fail("pidfd_open");
    }
    while (poll(&end, 1, -1) < 0) {
        if (errno != EINTR) {
            fail("poll");
        }
    }
    close(end.fd);
}

/* --- resources */

static void use_memory(const char *bytes)
{
    size_t size = number(bytes);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        fail("mmap");
    }
    for (size_t i = 0; i < size; i += 4096) {
        memory[i] = 1;
    }
    dprintf(STDOUT_FILENO, "touched %zu\n", size);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Burns so much CPU time and says how long that took; 0: for ever. */
static void burn(const char *milliseconds)
{
    double wanted = (double)number(milliseconds) / 1000;
    double begin = seconds_of(CLOCK_MONOTONIC), used = seconds_of(CLOCK_PROCESS_CPUTIME_ID);

    while (wanted <= 0 || seconds_of(CLOCK_PROCESS_CPUTIME_ID) - used < wanted) {
    }
    dprintf(STDOUT_FILENO, "burned %.3f s in %.3f s\n", wanted,
            seconds_of(CLOCK_MONOTONIC) - begin);
}

/* PATH:BYTES, written past the page cache where the file system can; says how far it came. */
static void fill(const char *argument)
{
    char *path = strdup(argument);
    char *colon = path ? strrchr(path, ':') : NULL;
    unsigned long size, done = 0;
    char *chunk;
    int fd;

    if (!colon || !(chunk = aligned_alloc(4096, CHUNK))) {
        fail("fill");
    }
    *colon = '\0';
    size = number(colon + 1);
    memset(chunk, 'x', CHUNK);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
    if (fd < 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    }
    while (fd >= 0 && done < size && write(fd, chunk, CHUNK) == (ssize_t)CHUNK) {
        done += CHUNK;
    }
    dprintf(STDOUT_FILENO, "filled %lu: %s\n", done, done < size ? strerror(errno) : "all");
    close(fd);
    free(chunk);
    free(path);
}

/* Reads a whole file past the page cache and says how long that took. */
static void drain(const char *path)
{
    double begin = seconds_of(CLOCK_MONOTONIC);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    char *chunk = aligned_alloc(4096, CHUNK);
    size_t done = 0;
    ssize_t n;

    if (fd < 0 || !chunk)
        fail(path);
    while ((n = read(fd, chunk, CHUNK)) > 0)
        done += (size_t)n;
    dprintf(STDOUT_FILENO, "drained %zu in %.3f s\n", done, seconds_of(CLOCK_MONOTONIC) - begin);
    close(fd);
    free(chunk);
}

/* --- what it sees */

static void show_file(const char *path)
{
    static char chunk[CHUNK];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        fail(path);
    }
    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        write_all(STDOUT_FILENO, chunk, (size_t)n);
    }
    close(fd);
}

static void show_directory(const char *path)
{
    struct dirent *entry;
    DIR *dir = opendir(path);

    if (!dir) {
        fail(path);
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            say_out(entry->d_name);
        }
    }
    closedir(dir);
}

static void show_descriptors(const char *unused)
{
    char path[64], target[256];

    (void)unused;
    for (int fd = 0; fd < 4096; fd++) {
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n >= 0) {
            dprintf(STDOUT_FILENO, "%d %.*s\n", fd, (int)n, target);
        }
    }
}

static void show_environment(const char *unused)
{
    (void)unused;
    for (char **variable = environ; *variable; variable++) {
        say_out(*variable);
    }
}

static void show_identity(const char *unused)
{
    char cwd[512] = "", host[128] = "";

    (void)unused;
    gethostname(host, sizeof(host) - 1);
    dprintf(STDOUT_FILENO, "pid %d uid %u gid %u groups %d host %s cwd %s\n", getpid(), getuid(),
            getgid(), getgroups(0, NULL), host, getcwd(cwd, sizeof(cwd)) ? cwd : "?");
}

/* HOST:PORT of IPv4: can it be reached? */
static void reach(const char *argument)
{
    char host[64] = "";
    unsigned port = 0;
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || sscanf(argument, "%63[^:]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fail(argument);
    }
    address.sin_port = htons((uint16_t)port);
    dprintf(STDOUT_FILENO, "connect %s: %s\n", argument,
            connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? strerror(errno) : "ok");
    close(fd);
}

/* --- the steps */

enum place {
    HERE,
    IN_CHILD,  /* this step runs in a forked child that nobody waits for */
    IN_DAEMON, /* … in a process that left the session and the parent */
};

struct step {
    const char *name;
    bool argument;
    void (*run)(const char *argument);
};

/* clang-format off */ /* would put two rows on a line */
static const struct step steps[] = {
    {"await", true, await},
    {"burn", true, burn},
    {"bytes", true, print_bytes},
    {"cat", true, show_file},
    {"close", false, close_outputs},
    {"connect", true, reach},
    {"drain", true, drain},
    {"ended", true, await_end},
    {"env", false, show_environment},
    {"err", true, say_err},
    {"escalate", false, escalate},
    {"exit", true, leave},
    {"fds", false, show_descriptors},
    {"fill", true, fill},
    {"flood", true, flood},
    {"forever", false, forever},
    {"forkbomb", false, fork_bomb},
    {"hold", true, hold},
    {"id", false, show_identity},
    {"ignore", true, ignore},
    {"lines", true, print_lines},
    {"ls", true, show_directory},
    {"memory", true, use_memory},
    {"out", true, say_out},
    {"plant", true, plant},
    {"plant-ipc", false, plant_ipc},
    {"reap", false, reap},
    {"signal", true, die_of},
    {"sleep", true, rest},
    {"threads", true, add_threads},
    {"tree", true, tree},
    {"try", true, attempt},
};
/* clang-format on */

static const struct step *step_find(const char *name)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        if (strcmp(steps[i].name, name) == 0) {
            return &steps[i];
        }
    }
    fprintf(stderr, "probe: no step \"%s\"\n", name);
    exit(98);
}

static void step_run(const struct step *step, const char *argument, enum place place)
{
    pid_t pid = place == HERE ? 0 : fork();

    if (pid < 0) {
        fail("fork");
    }
    if (pid > 0) {
        if (place == IN_DAEMON) {
            waitpid(pid, NULL, 0);
        }
        return;
    }
    if (place == IN_DAEMON && (setsid() < 0 || fork() != 0)) {
        _exit(0);
    }
    step->run(argument);
    if (place != HERE) {
        _exit(0);
    }
}

int main(int argc, char **argv)
{
    enum place place = HERE;
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGUSR1);
    sigaddset(&held, SIGUSR2);
    sigprocmask(SIG_BLOCK, &held, NULL);

    for (int i = 1; i < argc; i++) {
        const struct step *step;

        if (strcmp(argv[i], ",") == 0) {
            place = HERE;
            continue;
        }
        if (strcmp(argv[i], "child") == 0 || strcmp(argv[i], "daemon") == 0) {
            place = argv[i][0] == 'c' ? IN_CHILD : IN_DAEMON;
            continue;
        }
        step = step_find(argv[i]);
        if (step->argument && ++i >= argc) {
            fprintf(stderr, "probe: \"%s\" needs an argument\n", step->name);
            return 98;
        }
        step_run(step, step->argument ? argv[i] : NULL, place);
    }
    return 0;
}
