/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A call as its user sees it: messages, the result, the end.
 */
#include <errno.h>
#include <stdlib.h>

#include "grpc/client-session.h"
#include "grpc/frame.h"

struct grpc_client_call *grpc_client_call_free(struct grpc_client_call *call)
{
    if (!call)
        return NULL;
    if (call->session)
        client_call_end(call, GRPC_STATUS_CANCELLED, NULL, NGHTTP2_CANCEL);
    buffer_done(&call->request);
    buffer_done(&call->received);
    metadata_done(&call->headers);
    grpc_result_done(&call->result);
    free(call);
    return NULL;
}

void grpc_client_call_cancel(struct grpc_client_call *call)
{
    client_call_end(call, GRPC_STATUS_CANCELLED, "the call was cancelled here", NGHTTP2_CANCEL);
}

/* The message that was handed out is done with. */
static void drop_taken(struct grpc_client_call *call)
{
    size_t back = MIN(call->taken, call->unconsumed);

    buffer_consume(&call->received, call->taken);
    call->taken = 0;
    call->unconsumed -= back;
    if (back > 0 && call->session)
        (void)nghttp2_session_consume_stream(call->session->http2.session, call->stream_id, back);
}

/* Replaces the server's word where its messages belie it. */
static void end_badly(struct grpc_client_call *call, enum grpc_status status, const char *text)
{
    buffer_clear(&call->received);
    if (!call->is_over)
        client_call_end(call, status, text, NGHTTP2_PROTOCOL_ERROR);
    else if (call->result.status == GRPC_STATUS_OK)
        (void)grpc_result_set(&call->result, status, text);
}

/* As frame_parse(), with what can't be parsed turned into the call's result: 1 or 0. */
static int parse_next(struct grpc_client_call *call, const uint8_t **ret_message, size_t *ret_size)
{
    size_t size = buffer_size(&call->received) - call->taken;
    int r = 0;

    if (size > 0)
        r = frame_parse(buffer_bytes(&call->received) + call->taken, size, call->message_max,
                        ret_message, ret_size);
    if (r >= 0)
        return r;
    call->taken = 0;
    if (r == -EMSGSIZE)
        end_badly(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "a message of the server is too large");
    else
        end_badly(call, GRPC_STATUS_INTERNAL, "a message of the server has an unknown flag");
    return 0;
}

int grpc_client_call_next(struct grpc_client_call *call, const uint8_t **ret_message,
                          size_t *ret_size)
{
    drop_taken(call);
    if (parse_next(call, ret_message, ret_size) == 0)
        return 0;
    call->taken = FRAME_HEAD_SIZE + *ret_size;
    return 1;
}

const struct grpc_result *grpc_client_call_result(struct grpc_client_call *call)
{
    const uint8_t *message;
    size_t size;

    if (parse_next(call, &message, &size) == 1 || !call->is_over)
        return NULL;
    if (buffer_size(&call->received) > call->taken)
        end_badly(call, GRPC_STATUS_INTERNAL, "the last message of the server is cut off");
    return &call->result;
}
