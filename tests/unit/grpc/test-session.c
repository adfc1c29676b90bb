/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client's session against the server's, in memory, and against servers that are broken.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/bounds.h"
#include "grpc/client-session.h"
#include "grpc/server-session.h"
#include "h2-wire.h"

#define START (1000 * USEC_PER_SEC)

enum {
    ECHO,
    HANG,
    STREAM,
    SILENT,
    DETAILS,
};

static const struct grpc_method methods[] = {
    {"/t/Echo", GRPC_KIND_UNARY, ECHO},
    {"/t/Hang", GRPC_KIND_UNARY, HANG},
    {"/t/Stream", GRPC_KIND_SERVER_STREAMING, STREAM},
    {"/t/Silent", GRPC_KIND_SERVER_STREAMING, SILENT},
    {"/t/Details", GRPC_KIND_UNARY, DETAILS},
};

/* `server` NULL: the test plays the server by hand, into `wire`. */
struct pair {
    struct client_session *client;
    struct server_session *server;
    struct buffer wire;
    usec_t now;
    unsigned requests;
    unsigned closed;
    unsigned pulls;
    enum grpc_status last_status;
    size_t left; /* messages of a stream */
};

static enum grpc_pull pull(struct grpc_call *call, uint8_t *buffer, size_t room, size_t *ret_size,
                           void *arg)
{
    struct pair *pair = arg;

    pair->pulls++;
    if (grpc_call_method(call) == SILENT)
        return GRPC_PULL_WAIT;
    if (pair->left == 0)
        return GRPC_PULL_END;
    pair->left--;
    memset(buffer, 'x', room);
    *ret_size = room;
    return GRPC_PULL_MESSAGE;
}

static const struct grpc_source_ops source = {.pull = pull};

static void on_request(struct grpc_call *call, const void *message, size_t size, void *arg)
{
    struct pair *pair = arg;

    pair->requests++;
    switch (grpc_call_method(call)) {
    case ECHO:
        (void)grpc_call_reply(call, message, size);
        assert_int_equal(grpc_call_reply(call, message, size), -EALREADY);
        assert_int_equal(grpc_call_fail(call, GRPC_STATUS_ABORTED, NULL, NULL, 0), -EALREADY);
        break;
    case DETAILS:
        assert_string_equal(grpc_call_header(call, "x-test"), "a b");
        grpc_call_fail(call, GRPC_STATUS_FAILED_PRECONDITION, "text: \xc3\xa9%", message, size);
        break;
    case STREAM:
    case SILENT:
        assert_int_equal(grpc_call_set_source(call, &source, pair), 0);
        break;
    default:
        break;
    }
}

static void on_closed(struct grpc_call *call, const struct grpc_outcome *outcome, void *arg)
{
    struct pair *pair = arg;

    pair->closed++;
    pair->last_status = outcome->status;
}

static const struct server_session_ops ops = {.request = on_request, .closed = on_closed};

/* One way, once; true when there was anything. */
static bool to_server(struct pair *pair)
{
    struct buffer *out = &pair->client->http2.out;

    assert_int_equal(client_session_produce(pair->client, pair->now), 0);
    if (buffer_size(out) == 0)
        return false;
    if (pair->server)
        assert_int_equal(
            server_session_receive(pair->server, buffer_bytes(out), buffer_size(out), pair->now),
            0);
    buffer_clear(out);
    return true;
}

static bool to_client(struct pair *pair)
{
    struct buffer *out = &pair->server->http2.out;

    assert_int_equal(server_session_produce(pair->server, pair->now), 0);
    if (buffer_size(out) == 0)
        return false;
    assert_int_equal(
        client_session_receive(pair->client, buffer_bytes(out), buffer_size(out), pair->now), 0);
    buffer_clear(out);
    return true;
}

static void settle(struct pair *pair)
{
    bool moved = true;

    while (moved) {
        moved = to_server(pair);
        moved = to_client(pair) || moved;
    }
}

static void new_client(struct pair *pair)
{
    struct client_session_options options = {.authority = "host:1", .user_agent = "test"};

    pair->now = START;
    assert_int_equal(client_session_new(&options, START, &pair->client), 0);
}

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    struct server_session_options options = {
        .methods = methods, .method_count = ARRAY_SIZE(methods), .ops = &ops, .arg = pair};

    new_client(pair);
    assert_int_equal(server_session_new(&options, START, &pair->server), 0);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    client_session_free(pair->client, "the end");
    server_session_free(pair->server);
    buffer_done(&pair->wire);
    free(pair);
    return 0;
}

static struct grpc_client_call *start(struct pair *pair, const char *path, const char *request,
                                      const struct grpc_call_options *options)
{
    struct grpc_client_call *call = NULL;

    assert_int_equal(client_session_call(pair->client, NULL, path, request, strlen(request),
                                         options, pair->now, &call),
                     0);
    return call;
}

static void assert_result(struct grpc_client_call *call, enum grpc_status status, const char *text)
{
    const struct grpc_result *result = grpc_client_call_result(call);

    assert_non_null(result);
    assert_int_equal(result->status, status);
    if (text)
        assert_string_equal(result->message, text);
}

/* ---- both of ours ---- */

static void test_unary_crosses(void **state)
{
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start(pair, "/t/Echo", "hello", NULL);
    const uint8_t *message;
    size_t size;

    assert_null(grpc_client_call_result(call));
    settle(pair);
    assert_null(grpc_client_call_result(call)); /* a message is left to take */
    assert_int_equal(grpc_client_call_next(call, &message, &size), 1);
    assert_int_equal(size, 5);
    assert_memory_equal(message, "hello", 5);
    assert_int_equal(grpc_client_call_next(call, &message, &size), 0);
    assert_result(call, GRPC_STATUS_OK, "");
    assert_int_equal(pair->closed, 1);
}

static void test_error_and_metadata_cross(void **state)
{
    struct pair *pair = *state;
    struct grpc_metadata_pair pairs[] = {{"x-test", "a b"}};
    struct grpc_call_options options = {.metadata = pairs, .metadata_count = 1};
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start(pair, "/t/Details", "the details", &options);

    settle(pair);
    assert_result(call, GRPC_STATUS_FAILED_PRECONDITION, "text: \xc3\xa9%");
    assert_int_equal(grpc_client_call_result(call)->details_size, 11);
    assert_memory_equal(grpc_client_call_result(call)->details, "the details", 11);
}

static void test_call_refuses_bad_metadata(void **state)
{
    static const struct grpc_metadata_pair bad[] = {
        {"", "x"},       {"Upper", "x"}, {":path", "x"}, {"grpc-timeout", "1S"},
        {"x-bin", "eA"}, {"x y", "x"},   {"x", "a\nb"},  {"x", "\xc3\xa9"},
    };
    struct pair *pair = *state;
    struct grpc_client_call *call = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct grpc_call_options options = {.metadata = &bad[i], .metadata_count = 1};

        assert_int_equal(
            client_session_call(pair->client, NULL, "/t/Echo", "", 0, &options, pair->now, &call),
            -EINVAL);
    }
    assert_int_equal(
        client_session_call(pair->client, NULL, "t/Echo", "", 0, NULL, pair->now, &call), -EINVAL);
    assert_null(call);
}

static void test_deadline_is_kept_on_both_sides(void **state)
{
    struct pair *pair = *state;
    struct grpc_call_options options = {.deadline = START + 100 * USEC_PER_MSEC};
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start(pair, "/t/Hang", "", &options);

    settle(pair);
    assert_int_equal(pair->requests, 1);
    pair->now = options.deadline;
    client_session_tick(pair->client, pair->now - 1);
    assert_null(grpc_client_call_result(call));
    client_session_tick(pair->client, pair->now);
    assert_result(call, GRPC_STATUS_DEADLINE_EXCEEDED, NULL);
    server_session_tick(pair->server, pair->now);
    assert_int_equal(to_client(pair), true); /* the answer crosses the client's reset */
    settle(pair);
    assert_int_equal(pair->closed, 1);
    assert_int_equal(pair->last_status, GRPC_STATUS_DEADLINE_EXCEEDED);
}

static void test_deadline_that_has_passed_sends_nothing(void **state)
{
    struct pair *pair = *state;
    struct grpc_call_options options = {.deadline = START};
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start(pair, "/t/Echo", "", &options);

    assert_result(call, GRPC_STATUS_DEADLINE_EXCEEDED, NULL);
    settle(pair);
    assert_int_equal(pair->requests, 0);
}

static void test_cancel_closes_the_servers_call(void **state)
{
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start(pair, "/t/Silent", "", NULL);

    settle(pair);
    assert_int_equal(pair->pulls, 1); /* a source that waits isn't asked again */
    grpc_client_call_cancel(call);
    assert_result(call, GRPC_STATUS_CANCELLED, NULL);
    settle(pair);
    assert_int_equal(pair->closed, 1);
    assert_int_equal(pair->last_status, GRPC_STATUS_CANCELLED);
}

static void test_free_before_anything_was_sent(void **state)
{
    struct pair *pair = *state;

    for (int i = 0; i < 3 * HTTP2_STREAMS_MAX; i++)
        grpc_client_call_free(start(pair, "/t/Echo", "x", NULL));
    settle(pair);
    assert_int_equal(pair->requests, 0);
}

static void test_more_calls_than_streams_wait_their_turn(void **state)
{
    struct pair *pair = *state;
    struct grpc_client_call *calls[3 * HTTP2_STREAMS_MAX];
    const uint8_t *message;
    size_t size;

    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        calls[i] = start(pair, "/t/Echo", "x", NULL);
    settle(pair);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        assert_int_equal(grpc_client_call_next(calls[i], &message, &size), 1);
        assert_result(calls[i], GRPC_STATUS_OK, NULL);
        grpc_client_call_free(calls[i]);
    }
}

/* Takes all there is; the bytes. */
static size_t take_all(struct pair *pair, struct grpc_client_call *call)
{
    const uint8_t *message;
    size_t size, bytes = 0;

    do {
        settle(pair);
        while (grpc_client_call_next(call, &message, &size) == 1)
            bytes += size;
        settle(pair);
    } while (!grpc_client_call_result(call));
    return bytes;
}

static void test_stream_follows_its_reader(void **state)
{
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = NULL;

    pair->left = 1000;
    call = start(pair, "/t/Stream", "", NULL);
    settle(pair);
    /* The window is full: what the source gave is bounded, whatever it has. */
    assert_in_range(pair->pulls, HTTP2_CLIENT_STREAM_WINDOW / GRPC_PULL_MAX - 1,
                    HTTP2_CLIENT_STREAM_WINDOW / GRPC_PULL_MAX + 2);
    assert_int_equal(take_all(pair, call), 1000 * (size_t)GRPC_PULL_MAX);
    assert_result(call, GRPC_STATUS_OK, NULL);
}

static void set_client_settings(struct pair *pair, uint32_t window, uint32_t frame)
{
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, frame},
    };

    settle(pair);
    assert_int_equal(nghttp2_submit_settings(pair->client->http2.session, NGHTTP2_FLAG_NONE,
                                             entries, ARRAY_SIZE(entries)),
                     0);
    settle(pair);
}

static void test_stream_crosses_small_windows_and_frames(void **state)
{
    static const uint32_t windows[] = {1, 3, 100, 16384, 65535, 65541, 70000, 1 << 20};
    struct pair *pair = *state;

    for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
        _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = NULL;
        size_t count = windows[i] < 100 ? 1 : 20;

        tear_down(state);
        set_up(state);
        pair = *state;
        set_client_settings(pair, windows[i], i % 2 ? 16384 : 1 << 20);
        pair->left = count;
        /* Each byte of a window of 1 costs a WINDOW_UPDATE. */
        pair->server->http2.control.tokens = 1000000;
        call = start(pair, "/t/Stream", "", NULL);
        assert_int_equal(take_all(pair, call), count * GRPC_PULL_MAX);
        assert_result(call, GRPC_STATUS_OK, NULL);
    }
}

static void test_deadline_ends_a_stream_that_is_blocked(void **state)
{
    struct pair *pair = *state;
    struct grpc_call_options options = {.deadline = START + USEC_PER_SEC};
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = NULL;

    set_client_settings(pair, 10, 16384);
    pair->left = 5;
    call = start(pair, "/t/Stream", "", &options);
    to_server(pair);
    assert_int_equal(server_session_produce(pair->server, pair->now), 0);
    assert_int_equal(pair->pulls, 1);
    pair->now = options.deadline;
    server_session_tick(pair->server, pair->now);
    assert_int_equal(server_session_produce(pair->server, pair->now), 0);
    assert_int_equal(pair->closed, 1);
    assert_int_equal(pair->last_status, GRPC_STATUS_DEADLINE_EXCEEDED);
}

static void test_answers_that_wait_are_bounded(void **state)
{
    static char large[2 * 1024 * 1024];
    struct grpc_client_call *calls[40];
    struct pair *pair = *state;
    unsigned refused = 0;

    set_client_settings(pair, 0, 16384);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        assert_int_equal(client_session_call(pair->client, NULL, "/t/Echo", large, sizeof(large),
                                             NULL, pair->now, &calls[i]),
                         0);
        settle(pair);
        assert_in_range(pair->server->answer_bytes, 0, HTTP2_ANSWER_BYTES_MAX + 1000);
    }
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        const struct grpc_result *result = grpc_client_call_result(calls[i]);

        if (result && result->status == GRPC_STATUS_RESOURCE_EXHAUSTED)
            refused++;
        grpc_client_call_free(calls[i]);
    }
    settle(pair);
    assert_int_equal(refused, ARRAY_SIZE(calls) - HTTP2_ANSWER_BYTES_MAX / sizeof(large) + 1);
    assert_int_equal(pair->server->answer_bytes, 0);
}

static void test_drain_ends_the_clients_channel(void **state)
{
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start(pair, "/t/Hang", "", NULL);
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *late = NULL;

    settle(pair);
    assert_false(client_session_is_closing(pair->client));
    server_session_drain_begin(pair->server);
    settle(pair);
    assert_true(client_session_is_closing(pair->client));
    assert_null(grpc_client_call_result(call)); /* it may end in peace */
    late = start(pair, "/t/Echo", "", NULL);
    assert_result(late, GRPC_STATUS_UNAVAILABLE, NULL);
}

static void test_free_makes_calls_unavailable(void **state)
{
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call =
        start(pair, "/t/Hang", "", NULL);

    settle(pair);
    pair->client = client_session_free(pair->client, "gone");
    assert_result(call, GRPC_STATUS_UNAVAILABLE, "gone");
}

/* ---- a server that we play ---- */

static int set_up_alone(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    new_client(pair);
    h2_put_frame(&pair->wire, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    *state = pair;
    return 0;
}

static int feed(struct pair *pair)
{
    int r = client_session_receive(pair->client, buffer_bytes(&pair->wire),
                                   buffer_size(&pair->wire), pair->now);

    buffer_clear(&pair->wire);
    return r;
}

static struct grpc_client_call *start_alone(struct pair *pair)
{
    struct grpc_client_call *call = start(pair, "/t/Echo", "x", NULL);

    to_server(pair);
    return call;
}

static void put_response(struct pair *pair, uint32_t stream)
{
    static const char *const fields[] = {":status", "200", "content-type", "application/grpc",
                                         NULL};

    h2_put_headers(&pair->wire, 0, stream, fields);
}

static void put_trailers(struct pair *pair, uint32_t stream, const char *status)
{
    const char *fields[] = {"grpc-status", status, NULL};

    h2_put_headers(&pair->wire, NGHTTP2_FLAG_END_STREAM, stream, fields);
}

static void test_headers_are_judged(void **state)
{
    static const struct {
        const char *fields[9];
        enum grpc_status status;
    } cases[] = {
        {{":status", "404"}, GRPC_STATUS_UNIMPLEMENTED},
        {{":status", "503", "content-type", "text/html"}, GRPC_STATUS_UNAVAILABLE},
        {{":status", "200"}, GRPC_STATUS_UNKNOWN},
        {{":status", "200", "content-type", "text/html"}, GRPC_STATUS_UNKNOWN},
        {{":status", "200", "content-type", "application/grpc"}, GRPC_STATUS_INTERNAL},
        {{":status", "200", "content-type", "application/grpc", "grpc-status", "x"},
         GRPC_STATUS_UNKNOWN},
        {{":status", "200", "content-type", "application/grpc", "grpc-status", "99"},
         GRPC_STATUS_UNKNOWN},
        {{":status", "200", "content-type", "application/grpc", "grpc-status", "5", "grpc-status",
          "0"},
         GRPC_STATUS_INTERNAL},
        {{":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip"},
         GRPC_STATUS_INTERNAL},
        {{":status", "200", "content-type", "application/grpc+proto", "grpc-status", "5"},
         GRPC_STATUS_NOT_FOUND},
    };
    struct pair *pair = *state;

    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = start_alone(pair);

        h2_put_headers(&pair->wire, NGHTTP2_FLAG_END_STREAM, (uint32_t)call->stream_id,
                       cases[i].fields);
        assert_int_equal(feed(pair), 0);
        assert_result(call, cases[i].status, NULL);
    }
}

static void test_details_that_are_no_base64_are_dropped(void **state)
{
    const char *fields[] = {
        ":status", "200",          "content-type", "application/grpc",        "grpc-status",
        "9",       "grpc-message", "a%0ab%zz%ff",  "grpc-status-details-bin", "!!!",
        NULL};
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = start_alone(pair);

    h2_put_headers(&pair->wire, NGHTTP2_FLAG_END_STREAM, 1, fields);
    assert_int_equal(feed(pair), 0);
    assert_result(call, GRPC_STATUS_FAILED_PRECONDITION, "a\nb%zz?");
    assert_null(grpc_client_call_result(call)->details);
}

static void test_messages_are_judged(void **state)
{
    static const struct {
        const char *body;
        size_t size;
        enum grpc_status status;
    } cases[] = {
        {"\1\0\0\0\1x", 6, GRPC_STATUS_INTERNAL},
        {"\7\0\0\0\1x", 6, GRPC_STATUS_INTERNAL},
        {"\0\xff\xff\xff\xff", 5, GRPC_STATUS_RESOURCE_EXHAUSTED},
        {"\0\0\0\0\5x", 6, GRPC_STATUS_INTERNAL}, /* cut off, though the server says OK */
    };
    struct pair *pair = *state;

    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = start_alone(pair);
        uint32_t stream = (uint32_t)call->stream_id;
        const uint8_t *message;
        size_t size;

        put_response(pair, stream);
        h2_put_message(&pair->wire, 0, stream, "good", 4);
        h2_put_frame(&pair->wire, NGHTTP2_DATA, 0, stream, cases[i].body, cases[i].size);
        put_trailers(pair, stream, "0");
        assert_int_equal(feed(pair), 0);
        assert_int_equal(grpc_client_call_next(call, &message, &size), 1);
        assert_memory_equal(message, "good", 4);
        assert_int_equal(grpc_client_call_next(call, &message, &size), 0);
        assert_result(call, cases[i].status, NULL);
    }
}

static void test_resets_become_results(void **state)
{
    static const struct {
        const char *code;
        enum grpc_status status;
    } cases[] = {
        {"\0\0\0\7", GRPC_STATUS_UNAVAILABLE},
        {"\0\0\0\x8", GRPC_STATUS_CANCELLED},
        {"\0\0\0\xb", GRPC_STATUS_RESOURCE_EXHAUSTED},
        {"\0\0\0\2", GRPC_STATUS_INTERNAL},
        {"\0\0\0\0", GRPC_STATUS_INTERNAL},
        {"\xff\xff\xff\xff", GRPC_STATUS_INTERNAL},
    };
    struct pair *pair = *state;

    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = start_alone(pair);

        h2_put_frame(&pair->wire, NGHTTP2_RST_STREAM, 0, (uint32_t)call->stream_id, cases[i].code,
                     4);
        assert_int_equal(feed(pair), 0);
        assert_result(call, cases[i].status, NULL);
    }
}

static void test_data_that_ends_the_stream_is_no_ok(void **state)
{
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = start_alone(pair);
    const uint8_t *message;
    size_t size;

    put_response(pair, 1);
    h2_put_message(&pair->wire, NGHTTP2_FLAG_END_STREAM, 1, "x", 1);
    assert_int_equal(feed(pair), 0);
    assert_int_equal(grpc_client_call_next(call, &message, &size), 1);
    assert_int_equal(grpc_client_call_next(call, &message, &size), 0);
    assert_result(call, GRPC_STATUS_INTERNAL, NULL);
}

static void test_header_bombs_end_the_connection(void **state)
{
    const char *fields[2 * (HTTP2_HEADER_FIELDS_MAX + 10) + 1] = {":status", "200"};
    struct pair *pair = *state;
    int r = 0;

    for (unsigned i = 2; i < ARRAY_SIZE(fields) - 1; i++)
        fields[i] = "x";
    for (unsigned i = 0; i < HTTP2_HEADER_BOMBS_MAX && r == 0; i++) {
        _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = start_alone(pair);

        h2_put_headers(&pair->wire, 0, (uint32_t)call->stream_id, fields);
        r = feed(pair);
        assert_result(call, GRPC_STATUS_RESOURCE_EXHAUSTED, NULL);
    }
    assert_int_equal(r, -EPROTO);
}

static void test_ping_floods_end_the_connection(void **state)
{
    struct pair *pair = *state;
    unsigned count = 0;

    while (count < 30000) {
        h2_put_frame(&pair->wire, NGHTTP2_PING, 0, 0, "12345678", 8);
        if (feed(pair) < 0)
            break;
        to_server(pair);
        count++;
    }
    assert_in_range(count, HTTP2_CONTROL_BURST / 2, HTTP2_CONTROL_BURST + 10);
}

static void test_push_is_refused(void **state)
{
    struct pair *pair = *state;
    _cleanup_(grpc_client_call_freep) struct grpc_client_call *call = start_alone(pair);

    h2_put_frame(&pair->wire, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    h2_put_frame(&pair->wire, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, "\0\0\0\2\x82", 5);
    (void)feed(pair);
    assert_int_equal(client_session_produce(pair->client, pair->now), 0);
    assert_false(http2_wants_input(&pair->client->http2)); /* GOAWAY is out */
}

static void test_garbage_ends_the_connection(void **state)
{
    struct pair *pair = *state;

    buffer_clear(&pair->wire);
    buffer_append_text(&pair->wire, "HTTP/1.1 400 Bad Request\r\n\r\n");
    (void)feed(pair);
    assert_int_equal(client_session_produce(pair->client, pair->now), 0);
    buffer_clear(&pair->client->http2.out);
    assert_false(pair->client->heard_settings);
}

#define on_pair(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define on_client(test) cmocka_unit_test_setup_teardown(test, set_up_alone, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_pair(test_unary_crosses),
        on_pair(test_error_and_metadata_cross),
        on_pair(test_call_refuses_bad_metadata),
        on_pair(test_deadline_is_kept_on_both_sides),
        on_pair(test_deadline_that_has_passed_sends_nothing),
        on_pair(test_cancel_closes_the_servers_call),
        on_pair(test_free_before_anything_was_sent),
        on_pair(test_more_calls_than_streams_wait_their_turn),
        on_pair(test_stream_follows_its_reader),
        on_pair(test_stream_crosses_small_windows_and_frames),
        on_pair(test_deadline_ends_a_stream_that_is_blocked),
        on_pair(test_answers_that_wait_are_bounded),
        on_pair(test_drain_ends_the_clients_channel),
        on_pair(test_free_makes_calls_unavailable),
        on_client(test_headers_are_judged),
        on_client(test_details_that_are_no_base64_are_dropped),
        on_client(test_messages_are_judged),
        on_client(test_resets_become_results),
        on_client(test_data_that_ends_the_stream_is_no_ok),
        on_client(test_header_bombs_end_the_connection),
        on_client(test_ping_floods_end_the_connection),
        on_client(test_push_is_refused),
        on_client(test_garbage_ends_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
