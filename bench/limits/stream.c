/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The limit for streams: a file to READERS clients at a time over mutual TLS, each by a thread and
 * a connection of its own, once with TLS alone and once with HTTP/2 and gRPC's framing on top of
 * it.
 *
 *   limit-stream tls|http2 READERS CERT KEY CA CLIENT-CERT CLIENT-KEY CLIENT-CA FILE
 *
 * Server and clients are processes of their own, so that the server's CPU time is its own. Prints
 * one JSON object: the bytes of all readers, seconds from the first to the last byte, the server's
 * CPU seconds, and the rate of the slowest reader as a share of their mean.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http2-end.h"
#include "measure.h"
#include "tls-end.h"

#define READERS_MAX 64
#define RECORD_SIZE ((size_t)16 * 1024)

enum {
    ARGUMENT_LAYER = 1,
    ARGUMENT_READERS,
    ARGUMENT_SERVER_CERT,
    ARGUMENT_SERVER_KEY,
    ARGUMENT_SERVER_CA,
    ARGUMENT_CLIENT_CERT,
    ARGUMENT_CLIENT_KEY,
    ARGUMENT_CLIENT_CA,
    ARGUMENT_FILE,
    ARGUMENT_COUNT,
};

struct plan {
    bool http2;
    unsigned long readers;
    char **arguments;
    struct sockaddr_in address;
    SSL_CTX *context;
};

struct worker {
    const struct plan *plan;
    pthread_t thread;
    int fd;
    uint64_t bytes;
    double seconds;
};

/* ---- the server ---- */

/* Straight from the file into what becomes a record. */
static void send_file(struct tls_end *end, int file)
{
    static __thread uint8_t record[RECORD_SIZE];
    off_t at = 0;
    ssize_t n;

    while ((n = pread(file, record, sizeof(record), at)) > 0) {
        tls_end_write(end, record, (size_t)n);
        at += n;
    }
    if (n < 0)
        measure_die("pread");
    (void)SSL_shutdown(end->ssl);
    tls_end_flush(end);
}

static void *serve(void *arg)
{
    struct worker *worker = arg;
    struct tls_end *end = tls_end_accept(worker->plan->context, worker->fd);
    int file = open(worker->plan->arguments[ARGUMENT_FILE], O_RDONLY | O_CLOEXEC);
    char rest;

    if (file < 0)
        measure_die(worker->plan->arguments[ARGUMENT_FILE]);
    if (worker->plan->http2)
        http2_end_serve(end, file);
    else
        send_file(end, file);
    (void)shutdown(worker->fd, SHUT_WR);
    (void)!recv(worker->fd, &rest, 1, MSG_WAITALL);
    (void)close(file);
    tls_end_free(end);
    return NULL;
}

static void start(struct worker *worker, const struct plan *plan, void *(*run)(void *))
{
    worker->plan = plan;
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        measure_die("pthread_create");
}

/* Tells its CPU time by `report`. */
static void serve_all(struct plan *plan, int listener, int report)
{
    struct worker workers[READERS_MAX];
    char **arguments = plan->arguments;
    double cpu;

    plan->context =
        tls_end_server_context(arguments[ARGUMENT_SERVER_CERT], arguments[ARGUMENT_SERVER_KEY],
                               arguments[ARGUMENT_CLIENT_CA]);
    cpu = measure_cpu();
    for (unsigned long i = 0; i < plan->readers; i++) {
        workers[i].fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (workers[i].fd < 0)
            measure_die("accept");
        start(&workers[i], plan, serve);
    }
    for (unsigned long i = 0; i < plan->readers; i++)
        (void)pthread_join(workers[i].thread, NULL);
    cpu = measure_cpu() - cpu;
    if (write(report, &cpu, sizeof(cpu)) != sizeof(cpu))
        measure_die("write");
}

/* ---- the clients ---- */

static uint64_t read_all(struct tls_end *end)
{
    static __thread uint8_t data[RECORD_SIZE];
    uint64_t bytes = 0;
    size_t n;

    while ((n = tls_end_read(end, data, sizeof(data))) > 0)
        bytes += n;
    return bytes;
}

static void *fetch(void *arg)
{
    struct worker *worker = arg;
    const struct plan *plan = worker->plan;
    double begin = measure_seconds();
    struct tls_end *end;

    worker->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(worker->fd, (const struct sockaddr *)&plan->address, sizeof(plan->address)) < 0)
        measure_die("connect");
    end = tls_end_connect(plan->context, worker->fd);
    worker->bytes = plan->http2 ? http2_end_fetch(end) : read_all(end);
    worker->seconds = measure_seconds() - begin;
    tls_end_free(end);
    return NULL;
}

static void fetch_all(struct plan *plan, int report)
{
    struct worker workers[READERS_MAX];
    char **arguments = plan->arguments;
    double begin, seconds, cpu, sum = 0, slowest = 0;
    uint64_t bytes = 0;

    plan->context =
        tls_end_client_context(arguments[ARGUMENT_CLIENT_CERT], arguments[ARGUMENT_CLIENT_KEY],
                               arguments[ARGUMENT_SERVER_CA]);
    begin = measure_seconds();
    for (unsigned long i = 0; i < plan->readers; i++)
        start(&workers[i], plan, fetch);
    for (unsigned long i = 0; i < plan->readers; i++)
        (void)pthread_join(workers[i].thread, NULL);
    seconds = measure_seconds() - begin;
    for (unsigned long i = 0; i < plan->readers; i++) {
        double rate = (double)workers[i].bytes / workers[i].seconds;

        bytes += workers[i].bytes;
        sum += rate;
        slowest = i == 0 || rate < slowest ? rate : slowest;
    }
    if (read(report, &cpu, sizeof(cpu)) != sizeof(cpu))
        measure_die("read");
    (void)printf("{\"bytes\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, "
                 "\"slowest_share\": %.3f}\n",
                 (unsigned long long)bytes, seconds, cpu, slowest / (sum / (double)plan->readers));
}

/* ---- both ---- */

static int listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) < 0 || listen(fd, READERS_MAX) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) < 0)
        measure_die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct plan plan = {.arguments = argv};
    int report[2], listener, status;
    pid_t server;

    if (argc != ARGUMENT_COUNT ||
        (strcmp(argv[ARGUMENT_LAYER], "tls") != 0 && strcmp(argv[ARGUMENT_LAYER], "http2") != 0))
        measure_usage("limit-stream tls|http2 READERS CERT KEY CA CLIENT-CERT CLIENT-KEY CLIENT-CA "
                      "FILE");
    plan.http2 = strcmp(argv[ARGUMENT_LAYER], "http2") == 0;
    plan.readers = measure_number(argv[ARGUMENT_READERS], 1);
    if (plan.readers > READERS_MAX)
        measure_usage("so many readers are too many");
    listener = listen_on_loopback(&plan.address);
    if (pipe2(report, O_CLOEXEC) < 0)
        measure_die("pipe");
    server = fork();
    if (server < 0)
        measure_die("fork");
    if (server == 0) {
        serve_all(&plan, listener, report[1]);
        _exit(0);
    }
    fetch_all(&plan, report[0]);
    return waitpid(server, &status, 0) == server && status == 0 ? 0 : 1;
}
