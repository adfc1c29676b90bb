/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The limit for live output: what waking costs on the way from a job's write to a client's read,
 * pipe → copier → file → inotify → sender → TCP → reader, with nothing else done there.
 *
 *   limit-wake COUNT FILE COMMAND [ARGUMENT]…
 *
 * The command writes its CLOCK_MONOTONIC in nanoseconds, 8 bytes a time. Prints the delays.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define SAMPLES_MAX 100000

struct chain {
    const char *path;
    int pipe;   /* the copier reads here … */
    int file;   /* … and writes here; */
    int tail;   /* the sender reads here … */
    int socket; /* … and writes here */
    int watch;  /* inotify on the file */
};

static void run_copier(const struct chain *chain)
{
    char data[4096];
    ssize_t n;

    while ((n = read(chain->pipe, data, sizeof(data))) > 0)
        if (write(chain->file, data, (size_t)n) != n)
            measure_die("write");
}

static void run_sender(const struct chain *chain)
{
    _Alignas(struct inotify_event) char events[4096];
    char data[4096];
    ssize_t n;

    while (read(chain->watch, events, sizeof(events)) > 0)
        while ((n = read(chain->tail, data, sizeof(data))) > 0)
            if (send(chain->socket, data, (size_t)n, MSG_NOSIGNAL) < 0)
                return; /* enough was measured */
}

/* Each link is a process by itself, as in the chain that is compared with this one. */
static pid_t start_link(void (*run)(const struct chain *chain), const struct chain *chain)
{
    pid_t pid = measure_fork();

    if (pid > 0)
        return pid;
    run(chain);
    _exit(0);
}

/* Two connected TCP sockets. */
static void make_connection(int *ret_from, int *ret_to)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    *ret_to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(*ret_to, (struct sockaddr *)&address, size) < 0)
        measure_die("socket");
    *ret_from = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (*ret_from < 0 || setsockopt(*ret_from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
        measure_die("accept");
    (void)close(listener);
}

static void open_files(struct chain *chain)
{
    chain->file = open(chain->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    chain->tail = open(chain->path, O_RDONLY | O_CLOEXEC);
    chain->watch = inotify_init1(IN_CLOEXEC);
    if (chain->file < 0 || chain->tail < 0 ||
        inotify_add_watch(chain->watch, chain->path, IN_MODIFY) < 0)
        measure_die(chain->path);
}

static void take_samples(int reader, unsigned long count)
{
    static double samples[SAMPLES_MAX];
    unsigned long taken = 0;
    uint64_t stamps[512];
    ssize_t n;

    while (taken < count && (n = recv(reader, stamps, sizeof(stamps), 0)) >= 8)
        samples[taken++] =
            (double)(measure_nanoseconds() - stamps[(size_t)n / sizeof(stamps[0]) - 1]) / 1e3;
    if (taken == 0)
        measure_usage("the command wrote nothing");
    (void)printf("{");
    measure_print_percentiles("latency_us", samples, taken);
    (void)printf("}\n");
}

int main(int argc, char **argv)
{
    struct chain chain = {.path = argc > 2 ? argv[2] : NULL};
    unsigned long count;
    int fds[2], reader;
    pid_t pids[3];

    if (argc < 4)
        measure_usage("limit-wake COUNT FILE COMMAND [ARGUMENT]…");
    count = measure_number(argv[1], 1);
    if (count > SAMPLES_MAX)
        measure_usage("so many samples are too many");
    open_files(&chain);
    make_connection(&chain.socket, &reader);
    if (pipe2(fds, O_CLOEXEC) < 0)
        measure_die("pipe");
    chain.pipe = fds[0];
    pids[0] = start_link(run_sender, &chain);
    pids[1] = start_link(run_copier, &chain);
    pids[2] = measure_start(argv + 3, fds[1]);
    (void)close(fds[1]);
    take_samples(reader, count);
    for (size_t i = 0; i < 3; i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    return 0;
}
