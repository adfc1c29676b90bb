/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/request.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "grpc/frame.h"
#include "grpc/server-answer.h"
#include "grpc/server-session.h"
#include "grpc/timeout.h"

/* application/grpc, with "+proto" or nothing behind it, and perhaps parameters. */
static bool is_grpc_content(const char *type)
{
    static const char grpc[] = "application/grpc", proto[] = "+proto";

    if (!type || strncmp(type, grpc, sizeof(grpc) - 1) != 0)
        return false;
    type += sizeof(grpc) - 1;
    if (strncmp(type, proto, sizeof(proto) - 1) == 0)
        type += sizeof(proto) - 1;
    return *type == 0 || *type == ';';
}

static const struct grpc_method *find_method(const struct server_session *session, const char *path)
{
    for (size_t i = 0; i < session->method_count; i++)
        if (strcmp(session->methods[i].path, path) == 0)
            return &session->methods[i];
    return NULL;
}

static void fail(struct grpc_call *call, enum grpc_status status, const char *text)
{
    call_end(call, status, text, NULL, 0);
}

/* As fail(), with what the handlers have to say of it. */
static void refuse(struct grpc_call *call, enum grpc_refusal refusal, enum grpc_status status,
                   const char *text)
{
    const struct server_session *session = call->session;
    _cleanup_buffer_ struct buffer details = {0};

    if (session->ops->describe)
        session->ops->describe(refusal, text, &details, session->arg);
    call_end(call, status, text, buffer_bytes(&details), buffer_size(&details));
}

/* nghttp2 has seen to it that :method and :path are there once. True: it was answered. */
static bool refuse_other_http(struct grpc_call *call)
{
    const char *method = metadata_get(&call->headers, ":method");

    if (!method || strcmp(method, "POST") != 0) {
        call_end_http(call, "405");
        return true;
    }
    if (metadata_count(&call->headers, "content-type") != 1 ||
        !is_grpc_content(metadata_get(&call->headers, "content-type"))) {
        call_end_http(call, "415");
        return true;
    }
    return false;
}

static bool refuse_headers(struct grpc_call *call)
{
    const char *encoding = metadata_get(&call->headers, "grpc-encoding");
    const char *te = metadata_get(&call->headers, "te");

    if (!te || strcmp(te, "trailers") != 0)
        fail(call, GRPC_STATUS_INTERNAL, "the header \"te: trailers\" is missing");
    else if (encoding && strcmp(encoding, "identity") != 0)
        fail(call, GRPC_STATUS_UNIMPLEMENTED, "compressed messages are not supported");
    else if (metadata_count(&call->headers, "grpc-timeout") > 1)
        fail(call, GRPC_STATUS_INTERNAL, "two headers grpc-timeout");
    return call_is(call, CALL_ANSWERED);
}

static void set_deadline(struct grpc_call *call)
{
    const char *text = metadata_get(&call->headers, "grpc-timeout");
    usec_t timeout;

    if (!text)
        return;
    if (grpc_timeout_parse(text, strlen(text), &timeout) < 0)
        fail(call, GRPC_STATUS_INTERNAL, "the header grpc-timeout is malformed");
    else if (timeout == 0)
        fail(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the deadline had passed on arrival");
    else
        call->deadline = call->started + timeout;
}

void request_check_headers(struct grpc_call *call, const struct server_session *session)
{
    const char *path = metadata_get(&call->headers, ":path");

    if (refuse_other_http(call) || refuse_headers(call))
        return;
    call->method = path ? find_method(session, path) : NULL;
    if (session->refusal != GRPC_STATUS_OK)
        refuse(call,
               session->refusal == GRPC_STATUS_UNAUTHENTICATED ? GRPC_REFUSAL_NOBODY
                                                               : GRPC_REFUSAL_TOO_MANY,
               session->refusal, session->refusal_text);
    else if (!call->is_admitted)
        refuse(call, GRPC_REFUSAL_TOO_MANY, GRPC_STATUS_RESOURCE_EXHAUSTED,
               "too many calls at a time; end some, or try again");
    else if (!call->method)
        refuse(call, GRPC_REFUSAL_UNKNOWN_METHOD, GRPC_STATUS_UNIMPLEMENTED,
               "no such method on this server");
    else
        set_deadline(call);
}

void request_check_body(struct grpc_call *call, size_t message_max)
{
    const uint8_t *message;
    size_t have = buffer_size(&call->request), size = 0;
    int r =
        frame_parse(have ? buffer_bytes(&call->request) : NULL, have, message_max, &message, &size);

    if (r == -EMSGSIZE)
        refuse(call, GRPC_REFUSAL_TOO_LARGE, GRPC_STATUS_RESOURCE_EXHAUSTED,
               "the request message is too large");
    else if (r == -EOPNOTSUPP)
        fail(call, GRPC_STATUS_INTERNAL,
             "a message is flagged as compressed, without grpc-encoding");
    else if (r < 0)
        fail(call, GRPC_STATUS_INTERNAL, "a message has an unknown flag");
    else if (r > 0 && have > FRAME_HEAD_SIZE + size)
        fail(call, GRPC_STATUS_INTERNAL, "more than one request message in a call that takes one");
    else if (r > 0 && call->request_ended)
        call_move(call, CALL_READY);
    else if (call->request_ended)
        fail(call, GRPC_STATUS_INTERNAL,
             have > 0 ? "the request message is cut off" : "the request message is missing");
}
