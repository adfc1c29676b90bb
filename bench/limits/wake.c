/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The limit for live output: what waking costs on the way from a job's write to a client's read,
 * pipe → copier → file → inotify → sender → TCP → reader, with nothing else done there.
 *
 *   limit-wake [--tls CERT KEY AUTHORITY CERT KEY AUTHORITY] COUNT FILE COMMAND [ARGUMENT]…
 *
 * The command writes its CLOCK_MONOTONIC in nanoseconds, 8 bytes a time. Prints the delays. With
 * --tls the last step is a record of mutual TLS 1.3; the first three files are the sender's.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "tls-end.h"

#define SAMPLES_MAX 100000

/* PEM files of one side. */
struct credentials {
    const char *cert;
    const char *key;
    const char *authority;
};

struct chain {
    const char *path;
    int pipe;   /* the copier reads here … */
    int file;   /* … and writes here; */
    int tail;   /* the sender reads here … */
    int socket; /* … and writes here */
    int watch;  /* inotify on the file */

    bool tls;
    struct credentials server;
    struct credentials client;
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
    const struct credentials *own = &chain->server;
    _Alignas(struct inotify_event) char events[4096];
    struct tls_end *end = NULL;
    char data[4096];
    ssize_t n;

    if (chain->tls)
        end = tls_end_accept(tls_end_server_context(own->cert, own->key, own->authority),
                             chain->socket);
    while (read(chain->watch, events, sizeof(events)) > 0)
        while ((n = read(chain->tail, data, sizeof(data))) > 0) {
            if (end) {
                tls_end_write(end, data, (size_t)n);
                tls_end_flush(end);
            } else if (send(chain->socket, data, (size_t)n, MSG_NOSIGNAL) < 0) {
                return; /* enough was measured */
            }
        }
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

static size_t receive(struct tls_end *end, int reader, void *data, size_t size)
{
    ssize_t n;

    if (end)
        return tls_end_read(end, data, size);
    n = recv(reader, data, size, 0);
    return n > 0 ? (size_t)n : 0;
}

static void take_samples(struct tls_end *end, int reader, unsigned long count)
{
    static double samples[SAMPLES_MAX];
    unsigned long taken = 0;
    uint64_t stamps[512];
    size_t n;

    while (taken < count && (n = receive(end, reader, stamps, sizeof(stamps))) >= 8)
        samples[taken++] =
            (double)(measure_nanoseconds() - stamps[n / sizeof(stamps[0]) - 1]) / 1e3;
    if (taken == 0)
        measure_usage("the command wrote nothing");
    (void)printf("{");
    measure_print_percentiles("latency_us", samples, taken);
    (void)printf("}\n");
}

/* What follows the options: COUNT and so on. */
static char **take_options(struct chain *chain, int argc, char **argv)
{
    chain->tls = argc > 7 && strcmp(argv[1], "--tls") == 0;
    if (chain->tls) {
        chain->server = (struct credentials){argv[2], argv[3], argv[4]};
        chain->client = (struct credentials){argv[5], argv[6], argv[7]};
        argc -= 7;
        argv += 7;
    }
    if (argc < 4)
        measure_usage("limit-wake [--tls CERT KEY AUTHORITY CERT KEY AUTHORITY] COUNT FILE "
                      "COMMAND [ARGUMENT]…");
    return argv + 1;
}

int main(int argc, char **argv)
{
    struct chain chain = {.tls = false};
    char **arguments = take_options(&chain, argc, argv);
    const struct credentials *own = &chain.client;
    struct tls_end *end = NULL;
    unsigned long count;
    int fds[2], reader;
    pid_t pids[3];

    count = measure_number(arguments[0], 1);
    if (count > SAMPLES_MAX)
        measure_usage("so many samples are too many");
    chain.path = arguments[1];
    open_files(&chain);
    make_connection(&chain.socket, &reader);
    if (pipe2(fds, O_CLOEXEC) < 0)
        measure_die("pipe");
    chain.pipe = fds[0];
    pids[0] = start_link(run_sender, &chain);
    if (chain.tls)
        end = tls_end_connect(tls_end_client_context(own->cert, own->key, own->authority), reader);
    pids[1] = start_link(run_copier, &chain);
    pids[2] = measure_start(arguments + 2, fds[1]);
    (void)close(fds[1]);
    take_samples(end, reader, count);
    for (size_t i = 0; i < 3; i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    return 0;
}
