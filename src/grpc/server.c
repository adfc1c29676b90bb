/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Joins the accept thread, the connection threads and what they share.
 *
 * Shared between threads: the counts (peers), the TLS context (under a lock, swapped whole) and the
 * mailboxes. Everything else belongs to one thread.
 */
#include "grpc/server.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/thread-start.h"
#include "grpc/acceptor.h"
#include "grpc/connection.h"
#include "grpc/peers.h"
#include "grpc/thread.h"
#include "grpc/tls.h"

#define THREADS_MAX 256

struct worker {
    struct grpc_server *server;
    pthread_t thread;
    bool is_running;
    sem_t started;
    int start_result; /* of the handlers' thread_start; read after `started` */
    struct connection_host host;
};

struct grpc_server {
    struct grpc_server_options options;
    struct peers *peers;
    struct acceptor *acceptor;
    pthread_mutex_t tls_lock;
    struct tls_context *tls; /* counted, under the lock */
    int drained_fd;          /* eventfd */
    struct worker *workers;
    unsigned worker_count;
};

/* ---- newcomers, on the accept thread ---- */

static struct worker *least_busy(struct grpc_server *server)
{
    struct worker *best = &server->workers[0];

    for (unsigned i = 1; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        unsigned streams = atomic_load_explicit(&worker->host.streams, memory_order_relaxed);
        unsigned best_streams = atomic_load_explicit(&best->host.streams, memory_order_relaxed);

        if (streams < best_streams ||
            (streams == best_streams &&
             atomic_load_explicit(&worker->host.connection_count, memory_order_relaxed) <
                 atomic_load_explicit(&best->host.connection_count, memory_order_relaxed)))
            best = worker;
    }
    return best;
}

static void start_connection(struct grpc_thread *thread, void *arg)
{
    (void)thread;
    connection_start(arg);
}

static struct tls_context *current_tls(struct grpc_server *server)
{
    struct tls_context *tls;

    pthread_mutex_lock(&server->tls_lock);
    tls = tls_context_ref(server->tls);
    pthread_mutex_unlock(&server->tls_lock);
    return tls;
}

static void signal_drained(void *arg)
{
    struct grpc_server *server = arg;
    uint64_t one = 1;

    (void)!write(server->drained_fd, &one, sizeof(one)); /* fails only when it is readable anyway */
}

static void on_accepted(int fd, const char *address, const char *host, void *arg)
{
    struct grpc_server *server = arg;
    struct worker *worker = least_busy(server);
    _cleanup_tls_context_ struct tls_context *tls = current_tls(server);
    struct connection *connection;
    struct peers_charge charge;
    const char *reason = NULL;

    if (peers_enter(server->peers, host, &charge, &reason) < 0) {
        if (reason && server->options.handlers->connection_failed)
            server->options.handlers->connection_failed(address, reason, server->options.arg);
        fd_close(fd);
        return;
    }
    connection = connection_new(&worker->host, fd, address, tls, &charge);
    if (!connection) {
        if (peers_leave(server->peers, &charge))
            signal_drained(server);
        fd_close(fd);
    } else if (grpc_thread_post(worker->host.thread, start_connection, connection) < 0)
        connection_free(connection);
}

/* ---- connection threads ---- */

static void cut_all(struct worker *worker)
{
    struct connection *connection;

    while ((connection = LIST_FIRST(&worker->host.connections)))
        connection_free(connection);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct grpc_server *server = worker->server;
    const struct grpc_handlers *handlers = server->options.handlers;
    struct grpc_thread *thread = worker->host.thread;

    if (handlers->thread_start)
        worker->start_result = handlers->thread_start(thread, server->options.arg);
    sem_post(&worker->started);
    if (worker->start_result < 0)
        return NULL;
    thread_run(thread);
    cut_all(worker);
    if (handlers->thread_stop)
        handlers->thread_stop(thread, server->options.arg);
    return NULL;
}

static int worker_start(struct grpc_server *server, struct worker *worker, unsigned index)
{
    char name[16];
    int r;

    worker->server = server;
    worker->host.options = &server->options;
    worker->host.peers = server->peers;
    worker->host.emptied = signal_drained;
    worker->host.emptied_arg = server;
    LIST_INIT(&worker->host.connections);
    atomic_init(&worker->host.streams, 0);
    atomic_init(&worker->host.connection_count, 0);
    worker->host.thread = thread_new(index);
    if (!worker->host.thread)
        return -ENOMEM;
    sem_init(&worker->started, 0, 0);
    snprintf(name, sizeof(name), "hoist-grpc-%u", index % 1000);
    r = thread_start_quiet(&worker->thread, name, worker_main, worker);
    if (r < 0)
        return r;
    worker->is_running = true;
    while (sem_wait(&worker->started) < 0)
        ;
    return worker->start_result;
}

static void stop_worker(struct grpc_thread *thread, void *arg)
{
    (void)arg;
    thread_stop(thread);
}

/* A thread that can't be told to stop, for lack of memory, is asked again until it can. */
static void worker_stop(struct worker *worker)
{
    if (worker->is_running) {
        while (worker->start_result == 0 &&
               grpc_thread_post(worker->host.thread, stop_worker, NULL) < 0)
            sched_yield();
        pthread_join(worker->thread, NULL);
        sem_destroy(&worker->started);
    }
    worker->host.thread = thread_free(worker->host.thread);
    worker->host.tls = tls_context_unref(worker->host.tls);
}

/* ---- public ---- */

static unsigned usable_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

static int server_start(struct grpc_server *server, struct error *err)
{
    unsigned count = server->options.threads ? server->options.threads : usable_cpus();
    int r;

    count = MIN(MAX(count, 1U), (unsigned)THREADS_MAX);
    server->workers = calloc(count, sizeof(struct worker));
    if (!server->workers)
        return error_set(err, -ENOMEM, "no memory for the server");
    for (unsigned i = 0; i < count; i++) {
        server->worker_count++;
        r = worker_start(server, &server->workers[i], i);
        if (r < 0)
            return error_set(err, r, "connection thread %u can't be started: %s", i, strerror(-r));
    }
    return acceptor_new(server->options.listen_fd, on_accepted, server, &server->acceptor, err);
}

int grpc_server_new(const struct grpc_server_options *options, struct grpc_server **ret,
                    struct error *err)
{
    struct grpc_server *server = calloc(1, sizeof(*server));
    int r = -ENOMEM;

    if (!server)
        return error_set(err, -ENOMEM, "no memory for the server");
    server->options = *options;
    pthread_mutex_init(&server->tls_lock, NULL);
    server->tls = tls_context_ref(options->tls);
    server->peers = peers_new(&options->limits);
    server->drained_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!server->peers || server->drained_fd < 0)
        error_set(err, r, "no memory or descriptor for the server");
    else
        r = server_start(server, err);
    if (r < 0) {
        grpc_server_free(server);
        return r;
    }
    *ret = server;
    return 0;
}

struct grpc_server *grpc_server_free(struct grpc_server *server)
{
    if (!server)
        return NULL;
    server->acceptor = acceptor_free(server->acceptor);
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_stop(&server->workers[i]);
    free(server->workers);
    server->peers = peers_free(server->peers);
    server->tls = tls_context_unref(server->tls);
    pthread_mutex_destroy(&server->tls_lock);
    fd_close(server->drained_fd);
    free(server);
    return NULL;
}

struct drain {
    struct connection_host *host;
    usec_t deadline;
};

static void drain_host(struct grpc_thread *thread, void *arg)
{
    struct drain *drain = arg;

    (void)thread;
    drain->host->is_draining = true;
    drain->host->drain_deadline = drain->deadline;
    for (struct connection *connection = LIST_FIRST(&drain->host->connections); connection;
         connection = connection_next(connection))
        connection_drain(connection);
    free(drain);
}

void grpc_server_drain(struct grpc_server *server, usec_t deadline)
{
    server->acceptor = acceptor_free(server->acceptor);
    if (peers_close(server->peers))
        signal_drained(server);
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct connection_host *host = &server->workers[i].host;
        struct drain *drain = malloc(sizeof(*drain));

        if (!drain)
            continue; /* these are cut by grpc_server_free() */
        *drain = (struct drain){.host = host, .deadline = deadline};
        if (grpc_thread_post(host->thread, drain_host, drain) < 0)
            free(drain);
    }
}

int grpc_server_drained_fd(const struct grpc_server *server)
{
    return server->drained_fd;
}

struct renewal {
    struct connection_host *host;
    struct tls_context *tls; /* counted */
};

static void renew_host(struct grpc_thread *thread, void *arg)
{
    struct renewal *renewal = arg;
    struct connection_host *host = renewal->host;

    (void)thread;
    tls_context_unref(host->tls);
    host->tls = TAKE_PTR(renewal->tls);
    free(renewal);
    for (struct connection *connection = LIST_FIRST(&host->connections); connection;
         connection = connection_next(connection))
        connection_judge(connection);
}

static int renew(struct connection_host *host, struct tls_context *tls)
{
    struct renewal *renewal = malloc(sizeof(*renewal));

    if (!renewal)
        return -ENOMEM;
    *renewal = (struct renewal){.host = host, .tls = tls_context_ref(tls)};
    if (grpc_thread_post(host->thread, renew_host, renewal) == 0)
        return 0;
    tls_context_unref(renewal->tls);
    free(renewal);
    return -ENOMEM;
}

int grpc_server_set_tls(struct grpc_server *server, struct tls_context *tls)
{
    struct tls_context *before;
    int r = 0;

    pthread_mutex_lock(&server->tls_lock);
    before = server->tls;
    server->tls = tls_context_ref(tls);
    pthread_mutex_unlock(&server->tls_lock);
    tls_context_unref(before);
    for (unsigned i = 0; i < server->worker_count; i++)
        if (renew(&server->workers[i].host, tls) < 0)
            r = -ENOMEM;
    return r;
}

void grpc_server_count(struct grpc_server *server, struct grpc_server_counts *ret)
{
    peers_count(server->peers, ret);
}
