/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP/2 as a peer may send it, behind an honest preface: the first byte says to which side (bit 0)
 * and in pieces of what size (the rest).
 */
#include "grpc/client-session.h"
#include "grpc/server-session.h"

#define NOW USEC_PER_SEC

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum grpc_pull pull(struct grpc_call *call, uint8_t *buffer, size_t room, size_t *ret_size,
                           void *arg)
{
    *ret_size = grpc_call_method(call); /* and what the buffer holds */
    return (*(unsigned *)arg)-- > 0 ? GRPC_PULL_MESSAGE : GRPC_PULL_END;
}

static void on_request(struct grpc_call *call, const void *message, size_t size, void *arg)
{
    static const struct grpc_source_ops source = {.pull = pull};

    if (grpc_call_method(call) == 0)
        grpc_call_reply(call, message, size);
    else
        grpc_call_set_source(call, &source, arg);
}

static void serve(const uint8_t *data, size_t size, size_t step)
{
    static const struct grpc_method methods[] = {{"/t/U", GRPC_KIND_UNARY, 0},
                                                 {"/t/S", GRPC_KIND_SERVER_STREAMING, 1}};
    static const struct server_session_ops ops = {.request = on_request};
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    unsigned messages = 10;
    struct server_session_options options = {
        .methods = methods, .method_count = 2, .ops = &ops, .arg = &messages};
    struct server_session *session;

    if (server_session_new(&options, NOW, &session) < 0)
        return;
    (void)server_session_receive(session, preface, sizeof(preface), NOW);
    for (; size > 0; data += step, size -= step) {
        step = MIN(step, size);
        (void)server_session_receive(session, data, step, NOW);
        (void)server_session_produce(session, NOW);
        buffer_clear(&session->http2.out);
    }
    server_session_tick(session, NOW + USEC_PER_SEC);
    server_session_free(session);
}

static void call(const uint8_t *data, size_t size, size_t step)
{
    struct client_session_options options = {.authority = "a", .user_agent = "b"};
    struct grpc_client_call *calls[2] = {NULL, NULL};
    struct client_session *session;
    const uint8_t *message;
    size_t length;

    if (client_session_new(&options, NOW, &session) < 0)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        (void)client_session_call(session, NULL, "/t/U", "x", 1, NULL, NOW, &calls[i]);
    for (; size > 0; data += step, size -= step) {
        step = MIN(step, size);
        (void)client_session_produce(session, NOW);
        buffer_clear(&session->http2.out);
        (void)client_session_receive(session, data, step, NOW);
        while (grpc_client_call_next(calls[0], &message, &length) == 1)
            ;
        (void)grpc_client_call_result(calls[0]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        grpc_client_call_free(calls[i]);
    client_session_free(session, "end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    (data[0] & 1 ? call : serve)(data + 1, size - 1, (size_t)(data[0] >> 1) * 16 + 1);
    return 0;
}
