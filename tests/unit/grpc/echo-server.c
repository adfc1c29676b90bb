/* SPDX-License-Identifier: Apache-2.0 */
#include "echo-server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"

const struct grpc_method echo_methods[_ECHO_MAX] = {
    {"/test.Echo/Unary", GRPC_KIND_UNARY, ECHO_UNARY},
    {"/test.Echo/Later", GRPC_KIND_UNARY, ECHO_LATER},
    {"/test.Echo/Fail", GRPC_KIND_UNARY, ECHO_FAIL},
    {"/test.Echo/Hang", GRPC_KIND_UNARY, ECHO_HANG},
    {"/test.Echo/Stream", GRPC_KIND_SERVER_STREAMING, ECHO_STREAM},
    {"/test.Echo/Tick", GRPC_KIND_SERVER_STREAMING, ECHO_TICK},
    {"/test.Echo/Silent", GRPC_KIND_SERVER_STREAMING, ECHO_SILENT},
    {"/test.Echo/Break", GRPC_KIND_SERVER_STREAMING, ECHO_BREAK},
};

/* What a call under way keeps. */
struct work {
    struct grpc_call *call; /* on the call's thread only */
    struct grpc_timer *timer;
    struct grpc_call_ref *ref; /* of ECHO_LATER */
    size_t left;               /* messages */
    size_t size;
    void *message;
};

static void check(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    abort();
}

/* ---- streams ---- */

static enum grpc_pull pull(struct grpc_call *call, uint8_t *buffer, size_t room, size_t *ret_size,
                           void *arg)
{
    struct work *work = arg;

    switch (grpc_call_method(call)) {
    case ECHO_SILENT:
        return GRPC_PULL_WAIT;
    case ECHO_BREAK:
        if (work->left-- == 0) {
            grpc_call_fail(call, GRPC_STATUS_DATA_LOSS, "lost", NULL, 0);
            return GRPC_PULL_END;
        }
        break;
    case ECHO_TICK:
        if (work->left == 0)
            return GRPC_PULL_END;
        if (work->size == 0) /* the timer hasn't ticked */
            return GRPC_PULL_WAIT;
        work->size = 0;
        work->left--;
        grpc_timer_set(work->timer, clock_boot() + USEC_PER_MSEC);
        memcpy(buffer, "tick", 4);
        *ret_size = 4;
        return GRPC_PULL_MESSAGE;
    default:
        if (work->left-- == 0)
            return GRPC_PULL_END;
        break;
    }
    check(work->size <= room, "room");
    memset(buffer, (int)('a' + work->left % 26), work->size);
    *ret_size = work->size;
    return GRPC_PULL_MESSAGE;
}

static const struct grpc_source_ops source = {.pull = pull};

static void on_tick(void *arg)
{
    struct work *work = arg;

    work->size = 1;
    grpc_call_resume(work->call);
}

static void start_stream(struct grpc_call *call, struct work *work, const char *text)
{
    work->left = 1;
    if (grpc_call_method(call) == ECHO_STREAM)
        check(sscanf(text, "%zu %zu", &work->left, &work->size) == 2, "COUNT SIZE");
    else if (grpc_call_method(call) == ECHO_TICK) {
        check(sscanf(text, "%zu", &work->left) == 1, "COUNT");
        work->timer = grpc_timer_new(grpc_call_thread(call), on_tick, work);
        grpc_timer_set(work->timer, clock_boot() + USEC_PER_MSEC);
    }
    grpc_call_set_source(call, &source, work);
}

/* ---- answers from another thread ---- */

static void answer_later(struct grpc_call *call, void *arg)
{
    struct work *work = arg;

    if (call)
        grpc_call_reply(call, work->message, work->size);
    grpc_call_ref_unref(work->ref);
    free(work->message);
    free(work);
}

static void *core_main(void *arg)
{
    struct work *work = arg;

    grpc_call_post(work->ref, answer_later, work);
    return NULL;
}

static void pass_to_core(struct grpc_call *call, const void *message, size_t size)
{
    struct work *work = calloc(1, sizeof(*work));
    pthread_t thread;

    check(work, "calloc");
    work->ref = grpc_call_ref_new(call);
    work->message = malloc(size + 1);
    check(work->ref && work->message, "malloc");
    memcpy(work->message, message, size);
    work->size = size;
    check(pthread_create(&thread, NULL, core_main, work) == 0, "pthread_create");
    pthread_detach(thread);
}

/* ---- handlers ---- */

static void on_request(struct grpc_call *call, const void *message, size_t size, void *arg)
{
    struct echo_server *echo = arg;
    struct work *work;
    char text[64];

    atomic_fetch_add(&echo->requests, 1);
    switch (grpc_call_method(call)) {
    case ECHO_UNARY:
        grpc_call_reply(call, message, size);
        return;
    case ECHO_LATER:
        pass_to_core(call, message, size);
        return;
    case ECHO_FAIL:
        grpc_call_fail(call, GRPC_STATUS_NOT_FOUND, ECHO_FAIL_TEXT, message, size);
        return;
    case ECHO_HANG:
        return;
    default:
        break;
    }
    work = calloc(1, sizeof(*work));
    check(work, "calloc");
    work->call = call;
    snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)message);
    grpc_call_set_user(call, work);
    start_stream(call, work, text);
}

static void on_closed(struct grpc_call *call, const struct grpc_outcome *outcome, void *arg)
{
    struct echo_server *echo = arg;
    struct work *work = grpc_call_user(call);

    if (work) {
        grpc_timer_free(work->timer);
        free(work);
    }
    atomic_store(&echo->last_status, (int)outcome->status);
    if (outcome->delivered)
        atomic_fetch_add(&echo->delivered, 1);
    atomic_fetch_add(&echo->closed, 1);
}

static void on_refused(const struct identity *identity, const char *peer, const char *path,
                       const struct grpc_outcome *outcome, void *arg)
{
    struct echo_server *echo = arg;

    (void)identity;
    (void)peer;
    (void)path;
    atomic_store(&echo->last_status, (int)outcome->status);
    atomic_fetch_add(&echo->refused, 1);
}

static void on_connection_failed(const char *peer, const char *reason, void *arg)
{
    struct echo_server *echo = arg;

    if (getenv("ECHO_VERBOSE"))
        fprintf(stderr, "%s: %s\n", peer, reason);
    atomic_fetch_add(&echo->failed_connections, 1);
}

const struct grpc_handlers echo_handlers = {
    .request = on_request,
    .closed = on_closed,
    .refused = on_refused,
    .connection_failed = on_connection_failed,
};

void echo_server_start(struct echo_server *echo, struct tls_context *tls, uint16_t port,
                       unsigned threads, const struct grpc_server_limits *limits)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof(address);
    struct grpc_server_options options = {
        .threads = threads,
        .tls = tls,
        .methods = echo_methods,
        .method_count = _ECHO_MAX,
        .handlers = &echo_handlers,
        .arg = echo,
        .limits = limits ? *limits : (struct grpc_server_limits){0},
    };
    struct error err;
    int on = 1;

    echo->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(echo->listen_fd >= 0, "socket");
    (void)setsockopt(echo->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    check(bind(echo->listen_fd, (struct sockaddr *)&address, size) == 0, "bind");
    check(listen(echo->listen_fd, 64) == 0, "listen");
    check(getsockname(echo->listen_fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
    echo->port = ntohs(address.sin_port);
    options.listen_fd = echo->listen_fd;
    check(grpc_server_new(&options, &echo->server, &err) == 0, "grpc_server_new");
}

void echo_server_stop(struct echo_server *echo)
{
    echo->server = grpc_server_free(echo->server);
    echo->listen_fd = fd_close(echo->listen_fd);
}
