/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Server and channel over loopback with real TLS: what no part shows alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "echo-server.h"
#include "forge.h"
#include "grpc/channel.h"
#include "grpc/identity.h"
#include "grpc/tls.h"

static char *directory;
static struct tls_context *server_tls, *client_tls;
static struct echo_server echo;
static struct forged ca, alice, stranger;
static char *server_ca, *server_cert, *server_key;

static usec_t in_seconds(unsigned seconds)
{
    return clock_boot() + seconds * USEC_PER_SEC;
}

/* For what other threads bring about: asks again until it is so; the watchdog ends a test that
 * hangs. */
#define wait_until(condition)                                                                      \
    do {                                                                                           \
        usec_t _end = in_seconds(20);                                                              \
        while (!(condition) && clock_boot() < _end)                                                \
            poll(NULL, 0, 1);                                                                      \
        assert_true(condition);                                                                    \
    } while (0)

static int set_up_certificates(void **state)
{
    struct forged server;
    struct tls_server_options server_options = {0};
    struct tls_client_options client_options = {0};
    struct error err;

    ca = forge_authority("test ca", NULL);
    server = forge_server(&ca);
    alice = forge_client(&ca);
    stranger = forge_client(&ca);
    directory = forge_make_directory();
    server_ca = forge_write_certificates(directory, "ca", &ca, NULL);
    server_cert = forge_write_certificates(directory, "cert", &server, NULL);
    server_key = forge_write_key(directory, "key", &server, NULL);
    _cleanup_free_ char *client_cert = forge_write_certificates(directory, "alice", &alice, NULL);
    _cleanup_free_ char *client_key = forge_write_key(directory, "alice-key", &alice, NULL);
    server_options.cert = server_cert;
    server_options.key = server_key;
    server_options.client_ca = server_ca;
    client_options.cert = client_cert;
    client_options.key = client_key;
    client_options.ca = server_ca;
    assert_int_equal(tls_context_new_server(&server_options, &server_tls, &err), 0);
    assert_int_equal(tls_context_new_client(&client_options, &client_tls, &err), 0);
    forged_done(&server);
    return 0;
}

static int tear_down_certificates(void **state)
{
    forged_done(&alice);
    forged_done(&stranger);
    free(server_ca);
    free(server_cert);
    free(server_key);
    server_tls = tls_context_unref(server_tls);
    client_tls = tls_context_unref(client_tls);
    forged_done(&ca);
    forge_remove_directory(directory);
    return 0;
}

static int set_up(void **state)
{
    echo = (struct echo_server){0};
    echo_server_start(&echo, server_tls, 0, 2, NULL);
    return 0;
}

static int tear_down(void **state)
{
    echo_server_stop(&echo);
    return 0;
}

static struct grpc_channel *connect_channel(void)
{
    struct grpc_channel_options options = {
        .host = "127.0.0.1", .port = echo.port, .tls = client_tls};
    struct grpc_channel *channel = NULL;
    struct error err = {0};

    if (grpc_channel_connect(&options, FD_NONE, &channel, &err) < 0)
        fail_msg("%s", err.text);
    return channel;
}

static struct grpc_result call_unary(struct grpc_channel *channel, const char *path,
                                     const char *request, usec_t deadline, struct buffer *response)
{
    struct grpc_call_options options = {.deadline = deadline};
    struct grpc_result result = {0};

    assert_int_equal(grpc_channel_unary(channel, path, request, strlen(request), &options, FD_NONE,
                                        response, &result),
                     0);
    return result;
}

static void test_unary_is_answered(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();

    for (int i = 0; i < 100; i++) {
        _cleanup_buffer_ struct buffer response = {0};
        _cleanup_grpc_result_ struct grpc_result result =
            call_unary(channel, i % 2 ? "/test.Echo/Unary" : "/test.Echo/Later", "hello",
                       in_seconds(20), &response);

        assert_int_equal(result.status, GRPC_STATUS_OK);
        assert_int_equal(buffer_size(&response), 5);
        assert_memory_equal(buffer_bytes(&response), "hello", 5);
    }
    wait_until(atomic_load(&echo.delivered) == 100);
}

static void test_large_message_crosses_both_ways(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_buffer_ struct buffer response = {0};
    _cleanup_grpc_result_ struct grpc_result result = {0};
    size_t size = 4 * 1024 * 1024;
    _cleanup_free_ char *request = malloc(size);

    memset(request, 'x', size);
    assert_int_equal(grpc_channel_unary(channel, "/test.Echo/Unary", request, size, NULL, FD_NONE,
                                        &response, &result),
                     0);
    assert_int_equal(result.status, GRPC_STATUS_OK);
    assert_int_equal(buffer_size(&response), size);
    assert_memory_equal(buffer_bytes(&response), request, size);
}

static void test_error_carries_text_and_details(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_grpc_result_ struct grpc_result result =
        call_unary(channel, "/test.Echo/Fail", "details", 0, NULL);

    assert_int_equal(result.status, GRPC_STATUS_NOT_FOUND);
    assert_string_equal(result.message, ECHO_FAIL_TEXT);
    assert_int_equal(result.details_size, 7);
    assert_memory_equal(result.details, "details", 7);
}

static void test_unknown_method_is_unimplemented(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_grpc_result_ struct grpc_result result =
        call_unary(channel, "/test.Echo/Nothing", "x", 0, NULL);

    assert_int_equal(result.status, GRPC_STATUS_UNIMPLEMENTED);
    wait_until(atomic_load(&echo.refused) == 1);
}

static void test_deadline_ends_a_call(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_grpc_result_ struct grpc_result result =
        call_unary(channel, "/test.Echo/Hang", "x", clock_boot() + 50 * USEC_PER_MSEC, NULL);

    assert_int_equal(result.status, GRPC_STATUS_DEADLINE_EXCEEDED);
    wait_until(atomic_load(&echo.closed) == 1);
}

static void test_interrupt_ends_the_wait(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_grpc_result_ struct grpc_result result = {0};
    _cleanup_close_ int interrupt = eventfd(1, EFD_CLOEXEC);
    _cleanup_buffer_ struct buffer response = {0};

    assert_int_equal(
        grpc_channel_unary(channel, "/test.Echo/Hang", "x", 1, NULL, interrupt, &response, &result),
        -EINTR);
    result = call_unary(channel, "/test.Echo/Unary", "on", 0, &response);
    assert_int_equal(result.status, GRPC_STATUS_OK);
    wait_until(atomic_load(&echo.closed) == 2);
}

/* Reads a stream to its end; the bytes in all. */
static uint64_t read_stream(struct grpc_client_call *call, unsigned *ret_messages)
{
    const uint8_t *message;
    uint64_t bytes = 0;
    size_t size;
    int r;

    *ret_messages = 0;
    while ((r = grpc_client_call_read(call, FD_NONE, &message, &size)) == 1) {
        bytes += size;
        ++*ret_messages;
    }
    assert_int_equal(r, 0);
    return bytes;
}

static struct grpc_client_call *start_call(struct grpc_channel *channel, const char *path,
                                           const char *request)
{
    struct grpc_client_call *call = NULL;

    assert_int_equal(grpc_client_call_new(channel, path, request, strlen(request), NULL, &call), 0);
    return call;
}

static void test_stream_arrives_whole(void **state)
{
    static const char *const requests[] = {"0 1", "1 0", "3 65536", "2000 65536", "10000 1"};
    static const unsigned counts[] = {0, 1, 3, 2000, 10000};
    static const uint64_t bytes[] = {0, 0, 3 * 65536, UINT64_C(2000) * 65536, 10000};
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();

    for (unsigned i = 0; i < ARRAY_SIZE(requests); i++) {
        _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
            start_call(channel, "/test.Echo/Stream", requests[i]);
        unsigned count;

        assert_int_equal(read_stream(call, &count), bytes[i]);
        assert_int_equal(count, counts[i]);
        assert_int_equal(grpc_client_call_result(call)->status, GRPC_STATUS_OK);
    }
}

static void test_stream_waits_and_resumes(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start_call(channel, "/test.Echo/Tick", "50");
    unsigned count;

    assert_int_equal(read_stream(call, &count), 200);
    assert_int_equal(count, 50);
    assert_int_equal(grpc_client_call_result(call)->status, GRPC_STATUS_OK);
}

static void test_stream_hands_out_messages_before_its_error(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start_call(channel, "/test.Echo/Break", "");
    unsigned count;

    read_stream(call, &count);
    assert_int_equal(count, 1);
    assert_int_equal(grpc_client_call_result(call)->status, GRPC_STATUS_DATA_LOSS);
    assert_string_equal(grpc_client_call_result(call)->message, "lost");
}

static void test_cancel_reaches_the_server(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start_call(channel, "/test.Echo/Silent", "");
    struct error err;

    wait_until(atomic_load(&echo.requests) == 1);
    grpc_client_call_cancel(call);
    assert_int_equal(grpc_client_call_result(call)->status, GRPC_STATUS_CANCELLED);
    assert_int_equal(grpc_channel_dispatch(channel, &err), 0);
    wait_until(atomic_load(&echo.closed) == 1);
    assert_int_equal(atomic_load(&echo.last_status), GRPC_STATUS_CANCELLED);
}

static void test_lost_connection_closes_its_calls(void **state)
{
    struct grpc_channel *channel = connect_channel();
    struct grpc_client_call *call = start_call(channel, "/test.Echo/Silent", "");

    wait_until(atomic_load(&echo.requests) == 1);
    shutdown(grpc_channel_fd(channel), SHUT_RDWR);
    wait_until(atomic_load(&echo.closed) == 1);
    grpc_client_call_free(call);
    grpc_channel_free(channel);
}

static struct grpc_thread *only_thread;

static int note_only_thread(struct grpc_thread *thread, void *arg)
{
    only_thread = thread;
    return 0;
}

static void wait_for_byte(struct grpc_thread *thread, void *arg)
{
    const int *fd = arg;
    char byte;

    assert_int_equal(read(*fd, &byte, 1), 1);
}

/* One edge tells of the last bytes and of the end behind them: reading fewer bytes than were asked
 * for must not pass for all there is. */
static void test_end_behind_the_last_bytes_is_seen(void **state)
{
    struct grpc_handlers handlers = echo_handlers;
    struct grpc_server_options options = {
        .listen_fd = echo.listen_fd,
        .threads = 1,
        .tls = server_tls,
        .methods = echo_methods,
        .method_count = _ECHO_MAX,
        .handlers = &handlers,
        .arg = &echo,
    };
    struct grpc_client_call *calls[2];
    struct grpc_channel *channel;
    struct error err;
    int fds[2];

    handlers.thread_start = note_only_thread;
    echo.server = grpc_server_free(echo.server);
    assert_int_equal(grpc_server_new(&options, &echo.server, &err), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    channel = connect_channel();
    calls[0] = start_call(channel, "/test.Echo/Silent", "");
    wait_until(atomic_load(&echo.requests) == 1);
    assert_int_equal(grpc_thread_post(only_thread, wait_for_byte, &fds[0]), 0);
    calls[1] = start_call(channel, "/test.Echo/Silent", "");
    assert_int_equal(shutdown(grpc_channel_fd(channel), SHUT_WR), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    wait_until(atomic_load(&echo.closed) == 2);
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        grpc_client_call_free(calls[i]);
    grpc_channel_free(channel);
    echo.server = grpc_server_free(echo.server); /* before `handlers` is gone */
    close(fds[0]);
    close(fds[1]);
}

static void test_server_end_makes_calls_unavailable(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start_call(channel, "/test.Echo/Silent", "");
    unsigned count;

    wait_until(atomic_load(&echo.requests) == 1);
    echo.server = grpc_server_free(echo.server);
    assert_int_equal(atomic_load(&echo.closed), 1);
    assert_int_equal(atomic_load(&echo.last_status), GRPC_STATUS_UNAVAILABLE);
    read_stream(call, &count);
    assert_int_equal(grpc_client_call_result(call)->status, GRPC_STATUS_UNAVAILABLE);
    assert_true(grpc_channel_is_closing(channel));
    _cleanup_grpc_result_ struct grpc_result result =
        call_unary(channel, "/test.Echo/Unary", "too late", 0, NULL);

    assert_int_equal(result.status, GRPC_STATUS_UNAVAILABLE);
}

static void test_slow_readers_do_not_stop_each_other(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *idle =
        start_call(channel, "/test.Echo/Stream", "1000 65536");
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *busy =
        start_call(channel, "/test.Echo/Stream", "500 65536");
    unsigned count;

    assert_int_equal(read_stream(busy, &count), UINT64_C(500) * 65536);
    while (grpc_channel_wait(channel, clock_boot() + 20 * USEC_PER_MSEC, FD_NONE, NULL) == 0)
        ;
    assert_true(grpc_channel_timeout(channel) > in_seconds(1)); /* nothing to do, no busy loop */
    assert_int_equal(read_stream(idle, &count), UINT64_C(1000) * 65536);
    assert_int_equal(grpc_client_call_result(idle)->status, GRPC_STATUS_OK);
}

/* Lists `who` as revoked by the CA, and has the server read that. */
static void reload_with_revoked(const struct forged *who)
{
    struct tls_server_options options = {
        .cert = server_cert, .key = server_key, .client_ca = server_ca};
    _cleanup_free_ char *crl =
        forge_write_revocations(directory, "crl", forge_revocation(&ca, who, 3600), NULL);
    _cleanup_tls_context_ struct tls_context *newer = NULL;
    struct error err;

    options.crl = crl;
    assert_int_equal(tls_context_new_server(&options, &newer, &err), 0);
    assert_int_equal(grpc_server_set_tls(echo.server, newer), 0);
}

static void test_set_tls_ends_the_calls_of_the_revoked(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *waiting =
        start_call(channel, "/test.Echo/Silent", "");
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *streaming =
        start_call(channel, "/test.Echo/Tick", "1000000");
    unsigned count;

    wait_until(atomic_load(&echo.requests) == 2);
    reload_with_revoked(&stranger);
    _cleanup_buffer_ struct buffer response = {0};
    _cleanup_grpc_result_ struct grpc_result result =
        call_unary(channel, "/test.Echo/Unary", "still welcome", 0, &response);

    assert_int_equal(result.status, GRPC_STATUS_OK);
    reload_with_revoked(&alice);
    read_stream(waiting, &count);
    assert_int_equal(grpc_client_call_result(waiting)->status, GRPC_STATUS_UNAUTHENTICATED);
    assert_non_null(
        strstr(grpc_client_call_result(waiting)->message, "was revoked by \"CN=test ca\""));
    read_stream(streaming, &count);
    assert_int_equal(grpc_client_call_result(streaming)->status, GRPC_STATUS_UNAUTHENTICATED);
    wait_until(atomic_load(&echo.closed) == 3);
    while (!grpc_channel_is_closing(channel))
        grpc_channel_wait(channel, in_seconds(20), FD_NONE, NULL);
}

/* Its windows are full: trailers would have to wait for it. */
static void test_set_tls_does_not_wait_for_who_does_not_read(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *idle =
        start_call(channel, "/test.Echo/Stream", "100000 65536");

    wait_until(atomic_load(&echo.requests) == 1);
    while (grpc_channel_wait(channel, clock_boot() + 20 * USEC_PER_MSEC, FD_NONE, NULL) == 0)
        ;
    reload_with_revoked(&alice);
    while (!grpc_channel_is_closing(channel))
        grpc_channel_wait(channel, in_seconds(20), FD_NONE, NULL);
    wait_until(atomic_load(&echo.closed) == 1);
    assert_int_equal(atomic_load(&echo.last_status), GRPC_STATUS_UNAUTHENTICATED);
}

static void test_drain_lets_calls_end(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start_call(channel, "/test.Echo/Tick", "100");
    struct pollfd drained = {.fd = grpc_server_drained_fd(echo.server), .events = POLLIN};
    unsigned count;

    wait_until(atomic_load(&echo.requests) == 1);
    grpc_server_drain(echo.server, in_seconds(20));
    assert_int_equal(read_stream(call, &count), 400);
    assert_int_equal(grpc_client_call_result(call)->status, GRPC_STATUS_OK);
    while (!grpc_channel_is_closing(channel))
        grpc_channel_wait(channel, in_seconds(20), FD_NONE, NULL);
    while (grpc_channel_wait(channel, in_seconds(20), FD_NONE, NULL) == 0)
        ;
    close(grpc_channel_fd(channel));
    assert_int_equal(poll(&drained, 1, 20000), 1);
    /* grpc_channel_free() closes the number again: give it one that may be closed. */
    assert_int_equal(dup2(STDERR_FILENO, grpc_channel_fd(channel)), grpc_channel_fd(channel));
}

static void test_limit_of_connections_refuses(void **state)
{
    struct grpc_server_limits limits = {.connections = 1};
    struct grpc_channel_options options = {.host = "127.0.0.1", .tls = client_tls};
    struct grpc_channel *second = NULL;
    struct error err;

    echo_server_stop(&echo);
    echo = (struct echo_server){0};
    echo_server_start(&echo, server_tls, 0, 1, &limits);
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    options.port = echo.port;
    assert_true(grpc_channel_connect(&options, FD_NONE, &second, &err) < 0);
    assert_null(second);
}

static void test_post_to_a_call_that_is_gone_is_safe(void **state)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();

    for (int i = 0; i < 50; i++) {
        struct grpc_client_call *call = start_call(channel, "/test.Echo/Later", "x");

        grpc_client_call_free(call); /* the answer comes from another thread, or doesn't */
    }
    _cleanup_grpc_result_ struct grpc_result result =
        call_unary(channel, "/test.Echo/Fail", "end", 0, NULL);

    assert_int_equal(result.status, GRPC_STATUS_NOT_FOUND);
}

/* A channel of another client, made on the spot. */
static int connect_as(const struct forge_request *request, const struct forged *issuer,
                      struct grpc_channel **ret, struct error *err)
{
    _cleanup_free_ char *ca_file = text_format("%s/ca", directory);
    struct forged client = forge(request, issuer);
    _cleanup_free_ char *cert = forge_write_certificates(directory, "other", &client, NULL);
    _cleanup_free_ char *key = forge_write_key(directory, "other-key", &client, NULL);
    struct tls_client_options files = {.cert = cert, .key = key, .ca = ca_file};
    _cleanup_tls_context_ struct tls_context *tls = NULL;
    struct grpc_channel_options options = {.host = "localhost", .port = echo.port};
    int r;

    assert_int_equal(tls_context_new_client(&files, &tls, err), 0);
    options.tls = tls;
    r = grpc_channel_connect(&options, FD_NONE, ret, err);
    forged_done(&client);
    return r;
}

static void test_client_without_a_name_is_told_so(void **state)
{
    static const struct forge_request request = {.subject = {{"O", "user", 0, 0}},
                                                 .eku = "clientAuth"};
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = NULL;
    struct error err;

    assert_int_equal(connect_as(&request, &ca, &channel, &err), 0);
    _cleanup_grpc_result_ struct grpc_result result =
        call_unary(channel, "/test.Echo/Unary", "x", 0, NULL);

    assert_int_equal(result.status, GRPC_STATUS_UNAUTHENTICATED);
    assert_non_null(strstr(result.message, "CN"));
    assert_int_equal(atomic_load(&echo.requests), 0);
}

static void test_client_that_is_refused_learns_why(void **state)
{
    static const struct forge_request request = {.subject = {{"CN", "alice", 0, 0}},
                                                 .eku = "clientAuth"};
    struct forged other = forge_authority("another ca", NULL);
    struct grpc_channel *channel = NULL;
    struct error err;

    if (connect_as(&request, &other, &channel, &err) != -EACCES)
        fail_msg("%s", err.text);
    assert_null(channel);
    forged_done(&other);
    wait_until(atomic_load(&echo.failed_connections) == 1);
}

static void test_principal_has_a_share(void **state)
{
    struct grpc_server_limits limits = {.connections_per_principal = 1, .streams_per_principal = 2};

    echo_server_stop(&echo);
    echo = (struct echo_server){0};
    echo_server_start(&echo, server_tls, 0, 2, &limits);
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *one =
        start_call(channel, "/test.Echo/Silent", "");
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *two =
        start_call(channel, "/test.Echo/Silent", "");
    _cleanup_grpc_result_ struct grpc_result third =
        call_unary(channel, "/test.Echo/Unary", "x", 0, NULL);
    _cleanup_(grpc_channel_freep) struct grpc_channel *second = connect_channel();
    _cleanup_grpc_result_ struct grpc_result refused =
        call_unary(second, "/test.Echo/Unary", "x", 0, NULL);

    assert_int_equal(third.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(refused.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
}

/* Sends bytes to the port without TLS or HTTP/2; true when the server ended the connection. */
static bool knock(const char *bytes)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(echo.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    char answer[1024];
    ssize_t n;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
    do {
        if (poll(&ended, 1, 20000) != 1)
            return false;
        n = recv(fd, answer, sizeof(answer), 0);
    } while (n > 0);
    return true;
}

static void test_other_protocols_are_sent_away(void **state)
{
    assert_true(knock("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(knock("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    wait_until(atomic_load(&echo.failed_connections) == 2);
}

static void test_server_outlives_a_lack_of_descriptors(void **state)
{
    struct grpc_channel_options options = {.host = "127.0.0.1",
                                           .port = echo.port,
                                           .tls = client_tls,
                                           .connect_timeout = 5 * USEC_PER_SEC};
    struct grpc_channel *channel = NULL;
    struct rlimit before, tight;
    struct error err;
    int next = dup(STDERR_FILENO);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    close(next);
    tight = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0); /* the client's own socket, no more */
    assert_true(grpc_channel_connect(&options, FD_NONE, &channel, &err) < 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    channel = connect_channel();
    grpc_channel_free(channel);
}

static atomic_uint posts;

static void on_pipe(int fd, uint32_t events, void *arg)
{
    struct grpc_thread *thread = arg;
    char byte;

    assert_true(events & EPOLLIN);
    assert_int_equal(read(fd, &byte, 1), 1);
    grpc_thread_remove_fd(thread, fd);
    atomic_fetch_add(&posts, 1);
}

static void watch_pipe(struct grpc_thread *thread, void *arg)
{
    const int *fd = arg;

    assert_int_equal(grpc_thread_add_fd(thread, *fd, EPOLLIN, on_pipe, thread), 0);
    assert_int_equal(grpc_thread_add_fd(thread, *fd, EPOLLIN, on_pipe, thread), -EEXIST);
    atomic_fetch_add(&posts, 1);
}

static int note_thread(struct grpc_thread *thread, void *arg)
{
    if (grpc_thread_index(thread) == 0)
        *(struct grpc_thread **)arg = thread;
    return 0;
}

static void test_thread_watches_a_descriptor(void **state)
{
    static const struct grpc_handlers handlers = {.thread_start = note_thread};
    struct grpc_thread *thread = NULL;
    struct grpc_server_options options = {.listen_fd = echo.listen_fd,
                                          .threads = 1,
                                          .tls = server_tls,
                                          .handlers = &handlers,
                                          .arg = &thread};
    struct grpc_server *server = NULL;
    struct error err;
    int fds[2];

    atomic_store(&posts, 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(grpc_server_new(&options, &server, &err), 0);
    assert_non_null(thread);
    assert_int_equal(grpc_thread_post(thread, watch_pipe, &fds[0]), 0);
    wait_until(atomic_load(&posts) == 1);
    assert_int_equal(write(fds[1], "x", 1), 1);
    wait_until(atomic_load(&posts) == 2);
    grpc_server_free(server);
    close(fds[0]);
    close(fds[1]);
}

static int refuse_thread(struct grpc_thread *thread, void *arg)
{
    return grpc_thread_index(thread) == 1 ? -EIO : 0;
}

static void test_new_fails_when_a_thread_can_not_start(void **state)
{
    static const struct grpc_handlers handlers = {.thread_start = refuse_thread};
    struct grpc_server_options options = {
        .listen_fd = echo.listen_fd, .threads = 3, .tls = server_tls, .handlers = &handlers};
    struct grpc_server *server = NULL;
    struct error err;

    assert_int_equal(grpc_server_new(&options, &server, &err), -EIO);
    assert_null(server);
}

static void *hammer(void *arg)
{
    _cleanup_(grpc_channel_freep) struct grpc_channel *channel = connect_channel();

    for (int i = 0; i < 200; i++) {
        _cleanup_buffer_ struct buffer response = {0};
        _cleanup_grpc_result_ struct grpc_result result = {0};

        if (grpc_channel_unary(channel, "/test.Echo/Later", "x", 1, NULL, FD_NONE, &response,
                               &result) < 0 ||
            result.status != GRPC_STATUS_OK)
            return arg; /* not NULL */
    }
    return NULL;
}

static void test_many_clients_at_once(void **state)
{
    pthread_t threads[8];
    void *verdict;

    for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &threads), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_join(threads[i], &verdict);
        assert_null(verdict);
    }
    wait_until(atomic_load(&echo.closed) == 1600);
}

#define on_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_server(test_unary_is_answered),
        on_server(test_large_message_crosses_both_ways),
        on_server(test_error_carries_text_and_details),
        on_server(test_unknown_method_is_unimplemented),
        on_server(test_deadline_ends_a_call),
        on_server(test_interrupt_ends_the_wait),
        on_server(test_stream_arrives_whole),
        on_server(test_stream_waits_and_resumes),
        on_server(test_stream_hands_out_messages_before_its_error),
        on_server(test_cancel_reaches_the_server),
        on_server(test_lost_connection_closes_its_calls),
        on_server(test_end_behind_the_last_bytes_is_seen),
        on_server(test_server_end_makes_calls_unavailable),
        on_server(test_slow_readers_do_not_stop_each_other),
        on_server(test_set_tls_ends_the_calls_of_the_revoked),
        on_server(test_set_tls_does_not_wait_for_who_does_not_read),
        on_server(test_drain_lets_calls_end),
        on_server(test_limit_of_connections_refuses),
        on_server(test_post_to_a_call_that_is_gone_is_safe),
        on_server(test_client_without_a_name_is_told_so),
        on_server(test_client_that_is_refused_learns_why),
        on_server(test_principal_has_a_share),
        on_server(test_other_protocols_are_sent_away),
        on_server(test_server_outlives_a_lack_of_descriptors),
        on_server(test_thread_watches_a_descriptor),
        on_server(test_new_fails_when_a_thread_can_not_start),
        on_server(test_many_clients_at_once),
    };

    return cmocka_run_group_tests(tests, set_up_certificates, tear_down_certificates);
}
