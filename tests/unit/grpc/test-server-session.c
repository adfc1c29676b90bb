/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The server's session against clients that are wrong, hostile or both (THREATS 2.1; the numbers in
 * the names are its rows).
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
#include "grpc/server-session.h"
#include "h2-wire.h"

#define START (1000 * USEC_PER_SEC)

static const struct grpc_method methods[] = {
    {"/test.Echo/Unary", GRPC_KIND_UNARY, 1},
    {"/test.Echo/Hang", GRPC_KIND_UNARY, 2},
    {"/test.Echo/Endless", GRPC_KIND_SERVER_STREAMING, 3},
};

/* A session, what was called, and what it sent, frame by frame. */
struct rig {
    struct server_session *session;
    struct h2_reader reader;
    struct buffer in; /* for the session */
    usec_t now;
    unsigned requests;
    unsigned closed;
    unsigned refused;
    enum grpc_status last_status;
    unsigned described;
    enum grpc_refusal last_refusal;
    unsigned drained;  /* calls that were told of it */
    bool ends_drained; /* and are ended by the handler */
    unsigned enters;   /* left */

    /* Of what it sent. */
    unsigned goaways;
    uint32_t goaway_code;
    unsigned resets;
    uint32_t reset_code;
    char headers[4096]; /* of the last HEADERS */
    bool ended;         /* with END_STREAM */
};

static enum grpc_pull pull_endless(struct grpc_call *call, uint8_t *buffer, size_t room,
                                   size_t *ret_size, void *arg)
{
    memset(buffer, 'x', room);
    *ret_size = room;
    return GRPC_PULL_MESSAGE;
}

static const struct grpc_source_ops endless = {.pull = pull_endless};

static void on_request(struct grpc_call *call, const void *message, size_t size, void *arg)
{
    struct rig *rig = arg;

    rig->requests++;
    if (grpc_call_method(call) == 1)
        grpc_call_reply(call, message, size);
    if (grpc_call_method(call) == 3)
        grpc_call_set_source(call, &endless, NULL);
}

static void on_closed(struct grpc_call *call, const struct grpc_outcome *outcome, void *arg)
{
    struct rig *rig = arg;

    rig->closed++;
    rig->last_status = outcome->status;
}

static void on_refused(struct server_session *session, const char *path,
                       const struct grpc_outcome *outcome, void *arg)
{
    struct rig *rig = arg;

    rig->refused++;
    rig->last_status = outcome->status;
}

static void on_describe(enum grpc_refusal refusal, const char *text, struct buffer *details,
                        void *arg)
{
    struct rig *rig = arg;

    rig->described++;
    rig->last_refusal = refusal;
    buffer_append_text(details, text);
}

static bool on_enter(void *arg)
{
    struct rig *rig = arg;

    if (rig->enters == 0)
        return false;
    rig->enters--;
    return true;
}

static void on_leave(void *arg)
{
    struct rig *rig = arg;

    rig->enters++;
}

static void on_draining(struct grpc_call *call, void *arg)
{
    struct rig *rig = arg;

    rig->drained++;
    if (rig->ends_drained)
        assert_int_equal(grpc_call_fail(call, GRPC_STATUS_ABORTED, "by the handler", NULL, 0), 0);
}

static const struct server_session_ops ops = {
    .request = on_request,
    .closed = on_closed,
    .draining = on_draining,
    .refused = on_refused,
    .describe = on_describe,
    .enter = on_enter,
    .leave = on_leave,
};

/* Reads what the session has to say. */
static void listen_to(struct rig *rig)
{
    struct h2_frame frame;
    uint32_t number;

    do {
        assert_int_equal(server_session_produce(rig->session, rig->now), 0);
        while (h2_reader_next(&rig->reader, &rig->session->http2.out, &frame)) {
            if (frame.type == NGHTTP2_GOAWAY) {
                memcpy(&number, frame.payload + 4, sizeof(number));
                rig->goaway_code = __builtin_bswap32(number);
                rig->goaways++;
            } else if (frame.type == NGHTTP2_RST_STREAM) {
                memcpy(&number, frame.payload, sizeof(number));
                rig->reset_code = __builtin_bswap32(number);
                rig->resets++;
            } else if (frame.type == NGHTTP2_HEADERS) {
                memcpy(rig->headers, rig->reader.headers, sizeof(rig->headers));
                rig->ended = frame.flags & NGHTTP2_FLAG_END_STREAM;
            }
        }
    } while (nghttp2_session_want_write(rig->session->http2.session) &&
             buffer_size(&rig->session->http2.out) > 0);
}

/* Hands over what was put into rig->in; the session's verdict. */
static int feed(struct rig *rig)
{
    int r = server_session_receive(rig->session, buffer_bytes(&rig->in), buffer_size(&rig->in),
                                   rig->now);

    buffer_clear(&rig->in);
    return r;
}

static int exchange(struct rig *rig)
{
    int r = feed(rig);

    listen_to(rig);
    return r;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct server_session_options options = {
        .methods = methods, .method_count = ARRAY_SIZE(methods), .ops = &ops, .arg = rig};

    rig->now = START;
    rig->enters = 1000;
    h2_reader_init(&rig->reader);
    assert_int_equal(server_session_new(&options, rig->now, &rig->session), 0);
    buffer_append_text(&rig->in, H2_PREFACE);
    h2_put_frame(&rig->in, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    h2_put_frame(&rig->in, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    assert_int_equal(exchange(rig), 0);
    assert_true(rig->session->heard_settings);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    server_session_free(rig->session);
    assert_int_equal(rig->enters, 1000); /* whoever came in has left */
    h2_reader_done(&rig->reader);
    buffer_done(&rig->in);
    free(rig);
    return 0;
}

/* The headers of a right request; `path` and one more pair may be chosen. */
static void put_request(struct rig *rig, uint8_t flags, uint32_t stream, const char *path,
                        const char *name, const char *value)
{
    const char *fields[] = {
        ":method",    "POST", ":scheme", "https",    ":path",        path,
        ":authority", "x",    "te",      "trailers", "content-type", "application/grpc",
        name,         value,  NULL,
    };

    h2_put_headers(&rig->in, flags, stream, fields);
}

static void put_unary(struct rig *rig, uint32_t stream)
{
    put_request(rig, 0, stream, "/test.Echo/Unary", NULL, NULL);
    h2_put_message(&rig->in, NGHTTP2_FLAG_END_STREAM, stream, "hello", 5);
}

static void assert_headers_hold(struct rig *rig, const char *text)
{
    if (!strstr(rig->headers, text))
        fail_msg("\"%s\" is not in \"%s\"", text, rig->headers);
}

static void assert_answer(struct rig *rig, enum grpc_status status)
{
    char text[32];

    snprintf(text, sizeof(text), "grpc-status: %d\n", (int)status);
    assert_headers_hold(rig, text);
    assert_true(rig->ended);
}

static void test_receive_hands_a_whole_request_to_its_handler(void **state)
{
    struct rig *rig = *state;

    put_unary(rig, 1);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->requests, 1);
    assert_answer(rig, GRPC_STATUS_OK);
    assert_int_equal(rig->closed, 1);
}

static void test_receive_takes_bytes_one_by_one(void **state)
{
    struct rig *rig = *state;
    _cleanup_buffer_ struct buffer bytes = {0};

    put_unary(rig, 1);
    buffer_append(&bytes, buffer_bytes(&rig->in), buffer_size(&rig->in));
    buffer_clear(&rig->in);
    for (size_t i = 0; i < buffer_size(&bytes); i++) {
        buffer_append(&rig->in, buffer_bytes(&bytes) + i, 1);
        assert_int_equal(feed(rig), 0);
    }
    listen_to(rig);
    assert_answer(rig, GRPC_STATUS_OK);
}

static void test_receive_never_starts_what_is_reset_at_once_n1(void **state)
{
    struct rig *rig = *state;

    put_unary(rig, 1);
    h2_put_frame(&rig->in, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x8", 4);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->requests, 0);
    assert_int_equal(rig->last_status, GRPC_STATUS_CANCELLED);
}

static void test_receive_ends_rapid_resets_n1(void **state)
{
    struct rig *rig = *state;
    uint32_t stream = 1;

    for (; rig->goaways == 0 && stream < 2000; stream += 2) {
        put_request(rig, 0, stream, "/test.Echo/Hang", NULL, NULL);
        h2_put_frame(&rig->in, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x8", 4);
        exchange(rig);
    }
    /* nghttp2 reads the clock itself: a slow run earns some more. */
    assert_in_range(stream / 2, HTTP2_RESET_BURST, 4 * HTTP2_RESET_BURST);
    assert_int_equal(rig->requests, 0);
}

static void test_receive_ends_resets_that_it_is_made_to_send_n2(void **state)
{
    struct rig *rig = *state;
    uint32_t stream = 1;

    for (; rig->goaways == 0 && stream < 2000; stream += 2) {
        put_request(rig, 0, stream, "/test.Echo/Hang", NULL, NULL);
        /* A window beyond 2^31 - 1 is a stream error: RFC 9113, 6.9.1. */
        h2_put_frame(&rig->in, NGHTTP2_WINDOW_UPDATE, 0, stream, "\x7f\xff\xff\xff", 4);
        exchange(rig);
    }
    assert_int_equal(rig->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_in_range(stream / 2, 10, HTTP2_RESET_BURST + 10);
}

static void test_receive_ends_a_flood_of_continuations_n3(void **state)
{
    struct rig *rig = *state;
    int r = 0;

    h2_put_frame(&rig->in, NGHTTP2_HEADERS, 0, 1, NULL, 0);
    for (int i = 0; i < 20; i++)
        h2_put_frame(&rig->in, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
    r = exchange(rig);
    assert_true(r < 0 || rig->goaways > 0);
    assert_false(http2_wants_input(&rig->session->http2));
}

static void put_bomb(struct rig *rig, uint32_t stream)
{
    const char *fields[2 * (HTTP2_HEADER_FIELDS_MAX + 10) + 1] = {
        ":method", "POST", ":scheme", "https", ":path", "/test.Echo/Unary", ":authority", "x"};

    for (unsigned i = 8; i < ARRAY_SIZE(fields) - 1; i += 2) {
        fields[i] = "x";
        fields[i + 1] = "y";
    }
    h2_put_headers(&rig->in, 0, stream, fields);
}

static void test_receive_resets_a_stream_of_too_many_fields_n4(void **state)
{
    struct rig *rig = *state;

    put_bomb(rig, 1);
    put_unary(rig, 3);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->resets, 1);
    assert_int_equal(rig->requests, 1); /* the connection lives on */
}

static void test_receive_gives_up_on_header_bombs_n4(void **state)
{
    struct rig *rig = *state;

    for (uint32_t i = 0; i < HTTP2_HEADER_BOMBS_MAX; i++)
        put_bomb(rig, 2 * i + 1);
    assert_int_equal(exchange(rig), -EPROTO);
    assert_int_equal(rig->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void test_receive_refuses_large_headers_n4(void **state)
{
    static char large[HTTP2_HEADER_BYTES_MAX - 500];
    struct rig *rig = *state;

    memset(large, 'v', sizeof(large) - 1);
    put_request(rig, 0, 1, "/test.Echo/Unary", "x", large);
    h2_put_message(&rig->in, NGHTTP2_FLAG_END_STREAM, 1, "", 0);
    assert_int_equal(exchange(rig), 0);
    assert_answer(rig, GRPC_STATUS_OK); /* just fits */
    put_request(rig, 0, 3, "/test.Echo/Unary",
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                large);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->resets, 1);
}

/* Sends one kind of frame until the session has enough; how many it took. */
static unsigned flood(struct rig *rig, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *payload, size_t size)
{
    unsigned count = 0;

    while (rig->goaways == 0 && count < 30000) {
        h2_put_frame(&rig->in, type, flags, stream, payload, size);
        exchange(rig); /* reads every answer: nghttp2 alone would go on for ever */
        count++;
    }
    return count;
}

static void test_receive_ends_floods_n5(void **state)
{
    static const struct {
        uint8_t type;
        uint8_t flags;
        uint32_t stream;
        const char *payload;
        size_t size;
    } floods[] = {
        {NGHTTP2_PING, 0, 0, "12345678", 8},
        {NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8},
        {NGHTTP2_SETTINGS, 0, 0, "", 0},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4},
        {NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4},
        {NGHTTP2_PRIORITY, 0, 5, "\0\0\0\0\1", 5},
        {NGHTTP2_DATA, 0, 1, "", 0},
        {0x42, 0, 0, "unknown", 7},
        {0x42, 0, 1, "", 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(floods); i++) {
        struct rig *rig = *state;

        put_request(rig, 0, 1, "/test.Echo/Hang", NULL, NULL);
        assert_int_equal(exchange(rig), 0);
        assert_in_range(flood(rig, floods[i].type, floods[i].flags, floods[i].stream,
                              floods[i].payload, floods[i].size),
                        HTTP2_CONTROL_BURST / 2, HTTP2_CONTROL_BURST + 2 * HTTP2_CONTROL_PER_CALL);
        assert_int_equal(rig->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
        assert_string_equal(rig->session->http2.failure, "a flood of control frames");
        tear_down(state);
        set_up(state);
    }
}

static void test_receive_forgives_what_time_has_paid_for_n5(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 5 * HTTP2_CONTROL_BURST; i++) {
        h2_put_frame(&rig->in, NGHTTP2_PING, 0, 0, "12345678", 8);
        assert_int_equal(exchange(rig), 0);
        rig->now += USEC_PER_SEC / HTTP2_CONTROL_PER_SECOND;
    }
}

static void test_wants_input_ends_with_a_peer_that_never_reads_n6(void **state)
{
    struct rig *rig = *state;
    unsigned count = 0;
    static char message[60000];

    while (http2_wants_input(&rig->session->http2) && count < 1000) {
        put_request(rig, 0, 2 * count + 1, "/test.Echo/Unary", NULL, NULL);
        for (unsigned i = 0; i < 4; i++)
            h2_put_frame(&rig->in, NGHTTP2_DATA, 0, 2 * count + 1, i ? message : "\0\0\0\x75\x30",
                         i ? 10000 : 5);
        h2_put_frame(&rig->in, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 2 * count + 1, "", 0);
        h2_put_frame(&rig->in, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\1\0\0", 4);
        assert_int_equal(feed(rig), 0);
        assert_int_equal(server_session_produce(rig->session, rig->now), 0);
        assert_in_range(buffer_size(&rig->session->http2.out), 0, HTTP2_OUTPUT_MAX + 70000);
        count++;
    }
    assert_in_range(count, 2, 999);
}

static void test_produce_is_bounded_whatever_the_windows_n6(void **state)
{
    static const uint8_t settings[] = {0,  NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7f, 255, 255,
                                       255};
    static const uint8_t more[] = {0x7f, 255, 0, 0};
    struct rig *rig = *state;

    h2_put_frame(&rig->in, NGHTTP2_SETTINGS, 0, 0, settings, sizeof(settings));
    h2_put_frame(&rig->in, NGHTTP2_WINDOW_UPDATE, 0, 0, more, sizeof(more));
    put_request(rig, 0, 1, "/test.Echo/Endless", NULL, NULL);
    h2_put_message(&rig->in, NGHTTP2_FLAG_END_STREAM, 1, "", 0);
    assert_int_equal(feed(rig), 0);
    for (unsigned turn = 0; turn < 3; turn++) {
        assert_int_equal(server_session_produce(rig->session, rig->now), 0);
        assert_in_range(buffer_size(&rig->session->http2.out), HTTP2_OUTPUT_MAX,
                        HTTP2_OUTPUT_MAX + 70000);
        buffer_clear(&rig->session->http2.out);
    }
}

static void test_tick_ends_a_request_that_does_not_arrive_n7(void **state)
{
    struct rig *rig = *state;

    put_request(rig, 0, 1, "/test.Echo/Unary", NULL, NULL);
    h2_put_frame(&rig->in, NGHTTP2_DATA, 0, 1, "\0\0\0\0\5he", 7);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->session->next_deadline, START + GRPC_REQUEST_TIME);
    rig->now += GRPC_REQUEST_TIME;
    server_session_tick(rig->session, rig->now);
    listen_to(rig);
    assert_answer(rig, GRPC_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(rig->reset_code, NGHTTP2_NO_ERROR);
}

static void test_receive_refuses_bodies_that_are_no_message_n8(void **state)
{
    static const struct {
        const char *body;
        size_t size;
        enum grpc_status status;
    } cases[] = {
        {"", 0, GRPC_STATUS_INTERNAL},                             /* none */
        {"\0\0\0", 3, GRPC_STATUS_INTERNAL},                       /* cut in its head */
        {"\0\0\0\0\5hel", 8, GRPC_STATUS_INTERNAL},                /* cut */
        {"\0\0\0\0\1x\0\0\0\0\1x", 12, GRPC_STATUS_INTERNAL},      /* two */
        {"\0\0\0\0\1xy", 7, GRPC_STATUS_INTERNAL},                 /* and a bit */
        {"\1\0\0\0\1x", 6, GRPC_STATUS_INTERNAL},                  /* compressed */
        {"\2\0\0\0\1x", 6, GRPC_STATUS_INTERNAL},                  /* unknown flag */
        {"\0\xff\xff\xff\xff", 5, GRPC_STATUS_RESOURCE_EXHAUSTED}, /* a lie */
        {"\0\0\x40\0\1", 5, GRPC_STATUS_RESOURCE_EXHAUSTED},       /* 4 MiB and 1 */
    };
    struct rig *rig = *state;

    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put_request(rig, 0, 2 * i + 1, "/test.Echo/Unary", NULL, NULL);
        h2_put_frame(&rig->in, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 2 * i + 1, cases[i].body,
                     cases[i].size);
        assert_int_equal(exchange(rig), 0);
        assert_answer(rig, cases[i].status);
    }
    assert_int_equal(rig->requests, 0);
    assert_int_equal(rig->refused, ARRAY_SIZE(cases));
    assert_int_equal(rig->session->request_bytes, 0);
}

static void test_receive_refuses_a_second_message_before_the_end_n8(void **state)
{
    struct rig *rig = *state;

    put_request(rig, 0, 1, "/test.Echo/Unary", NULL, NULL);
    h2_put_message(&rig->in, 0, 1, "a", 1);
    h2_put_message(&rig->in, 0, 1, "b", 1);
    assert_int_equal(exchange(rig), 0);
    assert_answer(rig, GRPC_STATUS_INTERNAL);
    assert_int_equal(rig->resets, 1);
    assert_int_equal(rig->reset_code, NGHTTP2_NO_ERROR);
}

static void test_receive_refuses_compression_n8(void **state)
{
    struct rig *rig = *state;

    put_request(rig, 0, 1, "/test.Echo/Unary", "grpc-encoding", "gzip");
    assert_int_equal(exchange(rig), 0);
    assert_answer(rig, GRPC_STATUS_UNIMPLEMENTED);
    assert_headers_hold(rig, "grpc-accept-encoding: identity\n");
}

static void test_receive_answers_other_http_n11(void **state)
{
    static const struct {
        const char *method;
        const char *type;
        const char *status;
    } cases[] = {
        {"GET", "application/grpc", ":status: 405\n"},
        {"PUT", "application/grpc", ":status: 405\n"},
        {"POST", "text/html", ":status: 415\n"},
        {"POST", "application/grpc-web", ":status: 415\n"},
        {"POST", "application/grpc+json", ":status: 415\n"},
    };
    struct rig *rig = *state;

    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *fields[] = {
            ":method", cases[i].method, ":scheme",     "https", ":path",    "/",  ":authority",
            "x",       "content-type",  cases[i].type, "te",    "trailers", NULL,
        };

        h2_put_headers(&rig->in, NGHTTP2_FLAG_END_STREAM, 2 * i + 1, fields);
        assert_int_equal(exchange(rig), 0);
        assert_headers_hold(rig, cases[i].status);
        assert_true(rig->ended);
    }
}

static void test_receive_matches_paths_exactly_n11(void **state)
{
    static const char *const paths[] = {
        "/test.Echo/unary", "/test.Echo/Unary/",   "//test.Echo/Unary",
        "/test.Echo/Unar",  "/test.Echo/Unary?x=", "/test.Echo%2FUnary",
    };
    struct rig *rig = *state;

    for (uint32_t i = 0; i < ARRAY_SIZE(paths); i++) {
        put_request(rig, 0, 2 * i + 1, paths[i], NULL, NULL);
        assert_int_equal(exchange(rig), 0); /* no END_STREAM: answered all the same */
        assert_answer(rig, GRPC_STATUS_UNIMPLEMENTED);
        assert_int_equal(rig->reset_code, NGHTTP2_NO_ERROR);
    }
    assert_int_equal(rig->requests, 0);
}

static void test_receive_wants_te_n11(void **state)
{
    const char *fields[] = {
        ":method",      "POST",
        ":scheme",      "https",
        ":path",        "/test.Echo/Unary",
        ":authority",   "x",
        "content-type", "application/grpc",
        NULL,
    };
    struct rig *rig = *state;

    h2_put_headers(&rig->in, 0, 1, fields);
    assert_int_equal(exchange(rig), 0);
    assert_answer(rig, GRPC_STATUS_INTERNAL);
}

static void test_receive_judges_timeouts_n12(void **state)
{
    static const struct {
        const char *timeout;
        enum grpc_status status;
    } cases[] = {
        {"0S", GRPC_STATUS_DEADLINE_EXCEEDED}, {"", GRPC_STATUS_INTERNAL},
        {"1", GRPC_STATUS_INTERNAL},           {"S", GRPC_STATUS_INTERNAL},
        {"-1S", GRPC_STATUS_INTERNAL},         {"123456789S", GRPC_STATUS_INTERNAL},
        {"1s", GRPC_STATUS_INTERNAL},
    };
    struct rig *rig = *state;

    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put_request(rig, 0, 2 * i + 1, "/test.Echo/Unary", "grpc-timeout", cases[i].timeout);
        assert_int_equal(exchange(rig), 0);
        assert_answer(rig, cases[i].status);
    }
    put_request(rig, 0, 101, "/test.Echo/Unary", "grpc-timeout", "99999999H");
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->session->call_count, 1);
}

static void test_tick_enforces_deadlines_n12(void **state)
{
    struct rig *rig = *state;

    put_request(rig, 0, 1, "/test.Echo/Hang", "grpc-timeout", "50m");
    h2_put_message(&rig->in, NGHTTP2_FLAG_END_STREAM, 1, "", 0);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->requests, 1);
    rig->now += 49 * USEC_PER_MSEC;
    server_session_tick(rig->session, rig->now);
    listen_to(rig);
    assert_int_equal(rig->closed, 0);
    rig->now += USEC_PER_MSEC;
    server_session_tick(rig->session, rig->now);
    listen_to(rig);
    assert_answer(rig, GRPC_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(rig->closed, 1);
}

static void test_receive_refuses_streams_beyond_a_principals_share_n13(void **state)
{
    struct rig *rig = *state;

    rig->enters = 0;
    put_unary(rig, 1);
    assert_int_equal(exchange(rig), 0);
    rig->enters = 1000;
    assert_answer(rig, GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(rig->requests, 0);
    assert_int_equal(rig->refused, 1);
    assert_int_equal(rig->described, 1);
    assert_int_equal(rig->last_refusal, GRPC_REFUSAL_TOO_MANY);
    assert_non_null(strstr(rig->headers, "grpc-status-details-bin"));
}

static void test_receive_refuses_more_streams_than_advertised_n13(void **state)
{
    struct rig *rig = *state;

    for (uint32_t i = 0; i < HTTP2_STREAMS_MAX + 20; i++)
        put_request(rig, 0, 2 * i + 1, "/test.Echo/Hang", NULL, NULL);
    exchange(rig);
    assert_in_range(rig->session->call_count, 0, HTTP2_STREAMS_MAX);
}

static void test_receive_bounds_incomplete_requests_n13(void **state)
{
    static char part[16000];
    struct rig *rig = *state;
    size_t most = 0;

    part[1] = 0x00; /* claims almost 4 MiB */
    part[2] = 0x3f;
    for (uint32_t stream = 1; stream < 2 * HTTP2_STREAMS_MAX; stream += 2) {
        put_request(rig, 0, stream, "/test.Echo/Unary", NULL, NULL);
        for (unsigned i = 0; i < 15; i++)
            h2_put_frame(&rig->in, NGHTTP2_DATA, 0, stream, part, sizeof(part));
        assert_int_equal(exchange(rig), 0);
        most = MAX(most, rig->session->request_bytes);
    }
    assert_in_range(most, HTTP2_REQUEST_BYTES_MAX / 2, HTTP2_REQUEST_BYTES_MAX);
    assert_int_equal(rig->last_status, GRPC_STATUS_RESOURCE_EXHAUSTED);
}

static void test_receive_refuses_other_protocols(void **state)
{
    struct rig *rig = *state;

    tear_down(state);
    rig = calloc(1, sizeof(*rig));
    struct server_session_options options = {
        .methods = methods, .method_count = ARRAY_SIZE(methods), .ops = &ops, .arg = rig};

    rig->now = START;
    rig->enters = 1000;
    h2_reader_init(&rig->reader);
    assert_int_equal(server_session_new(&options, START, &rig->session), 0);
    buffer_append_text(&rig->in, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(feed(rig), -EPROTO);
    assert_string_equal(rig->session->http2.failure, "the peer doesn't speak HTTP/2");
    *state = rig;
}

static void test_drain_refuses_what_comes_after(void **state)
{
    struct rig *rig = *state;

    put_request(rig, 0, 1, "/test.Echo/Hang", NULL, NULL);
    assert_int_equal(exchange(rig), 0);
    server_session_drain_begin(rig->session);
    listen_to(rig);
    assert_int_equal(rig->goaways, 1);
    put_unary(rig, 3); /* on its way when the GOAWAY was: still served */
    assert_int_equal(exchange(rig), 0);
    assert_answer(rig, GRPC_STATUS_OK);
    h2_put_frame(&rig->in, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->goaways, 2);
    put_unary(rig, 5);
    assert_int_equal(exchange(rig), 0);
    assert_int_equal(rig->requests, 1);
    assert_false(http2_is_done(&rig->session->http2));
    h2_put_frame(&rig->in, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x8", 4);
    assert_int_equal(exchange(rig), 0);
    assert_true(http2_is_done(&rig->session->http2));
}

static void hang(struct rig *rig, uint32_t stream)
{
    put_request(rig, 0, stream, "/test.Echo/Hang", NULL, NULL);
    h2_put_message(&rig->in, NGHTTP2_FLAG_END_STREAM, stream, "", 0);
    assert_int_equal(exchange(rig), 0);
}

static void test_drain_lets_handlers_end_what_has_no_end(void **state)
{
    struct rig *rig = *state;

    rig->ends_drained = true;
    hang(rig, 1);
    server_session_drain_begin(rig->session);
    listen_to(rig);
    assert_int_equal(rig->drained, 1);
    assert_answer(rig, GRPC_STATUS_ABORTED);
    hang(rig, 3); /* on its way when the GOAWAY was */
    assert_int_equal(rig->drained, 2);
    assert_answer(rig, GRPC_STATUS_ABORTED);
}

static void test_drain_ends_all_at_its_end(void **state)
{
    struct rig *rig = *state;

    hang(rig, 1);
    put_request(rig, 0, 3, "/test.Echo/Hang", NULL, NULL); /* no handler has it */
    assert_int_equal(exchange(rig), 0);
    server_session_drain_begin(rig->session);
    listen_to(rig);
    assert_int_equal(rig->drained, 1);
    assert_int_equal(rig->described, 0);
    server_session_drain_end(rig->session, START);
    listen_to(rig);
    assert_int_equal(rig->described, 1); /* for all of them */
    assert_int_equal(rig->last_refusal, GRPC_REFUSAL_DRAINED);
    assert_answer(rig, GRPC_STATUS_UNAVAILABLE);
    assert_int_equal(rig->goaways, 2);
    assert_true(http2_is_done(&rig->session->http2));
}

static void test_free_tells_of_every_call(void **state)
{
    struct rig *rig = *state;

    for (uint32_t stream = 1; stream < 20; stream += 2) {
        put_request(rig, 0, stream, "/test.Echo/Hang", NULL, NULL);
        h2_put_message(&rig->in, NGHTTP2_FLAG_END_STREAM, stream, "", 0);
    }
    assert_int_equal(exchange(rig), 0);
    rig->session = server_session_free(rig->session);
    assert_int_equal(rig->closed, 10);
    assert_int_equal(rig->last_status, GRPC_STATUS_CANCELLED);
}

#define on_rig(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_rig(test_receive_hands_a_whole_request_to_its_handler),
        on_rig(test_receive_takes_bytes_one_by_one),
        on_rig(test_receive_never_starts_what_is_reset_at_once_n1),
        on_rig(test_receive_ends_rapid_resets_n1),
        on_rig(test_receive_ends_resets_that_it_is_made_to_send_n2),
        on_rig(test_receive_ends_a_flood_of_continuations_n3),
        on_rig(test_receive_resets_a_stream_of_too_many_fields_n4),
        on_rig(test_receive_gives_up_on_header_bombs_n4),
        on_rig(test_receive_refuses_large_headers_n4),
        on_rig(test_receive_ends_floods_n5),
        on_rig(test_receive_forgives_what_time_has_paid_for_n5),
        on_rig(test_wants_input_ends_with_a_peer_that_never_reads_n6),
        on_rig(test_produce_is_bounded_whatever_the_windows_n6),
        on_rig(test_tick_ends_a_request_that_does_not_arrive_n7),
        on_rig(test_receive_refuses_bodies_that_are_no_message_n8),
        on_rig(test_receive_refuses_a_second_message_before_the_end_n8),
        on_rig(test_receive_refuses_compression_n8),
        on_rig(test_receive_answers_other_http_n11),
        on_rig(test_receive_matches_paths_exactly_n11),
        on_rig(test_receive_wants_te_n11),
        on_rig(test_receive_judges_timeouts_n12),
        on_rig(test_tick_enforces_deadlines_n12),
        on_rig(test_receive_refuses_streams_beyond_a_principals_share_n13),
        on_rig(test_receive_refuses_more_streams_than_advertised_n13),
        on_rig(test_receive_bounds_incomplete_requests_n13),
        on_rig(test_receive_refuses_other_protocols),
        on_rig(test_drain_refuses_what_comes_after),
        on_rig(test_drain_lets_handlers_end_what_has_no_end),
        on_rig(test_drain_ends_all_at_its_end),
        on_rig(test_free_tells_of_every_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
