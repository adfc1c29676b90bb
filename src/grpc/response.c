/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void end(struct grpc_client_call *call, enum grpc_status status, const char *text)
{
    client_call_end(call, status, text, NGHTTP2_PROTOCOL_ERROR);
}

/* The server's words, decoded; an empty text without them or without memory. */
static char *decode_message(const char *encoded)
{
    _cleanup_buffer_ struct buffer text = {0};

    if (encoded && grpc_message_decode(&text, encoded, strlen(encoded)) < 0)
        return NULL;
    return buffer_take_text(&text);
}

/* Details that are no base64 are dropped: the status is worth more than they are. */
static void set_details(struct grpc_result *result, const char *encoded)
{
    _cleanup_buffer_ struct buffer details = {0};

    if (!encoded || grpc_base64_decode(&details, encoded, strlen(encoded)) < 0 ||
        buffer_size(&details) == 0)
        return;
    result->details_size = buffer_size(&details);
    result->details = (uint8_t *)buffer_take_text(&details);
    if (!result->details)
        result->details_size = 0;
}

static void end_by_trailers(struct grpc_client_call *call)
{
    const char *status_text = metadata_get(&call->headers, "grpc-status");
    _cleanup_free_ char *message = decode_message(metadata_get(&call->headers, "grpc-message"));
    enum grpc_status status;

    if (!status_text || metadata_count(&call->headers, "grpc-status") > 1) {
        end(call, GRPC_STATUS_INTERNAL, "the server ended the call without saying how");
        return;
    }
    status = grpc_status_parse(status_text, strlen(status_text));
    if (status == _GRPC_STATUS_INVALID)
        status = GRPC_STATUS_UNKNOWN; /* the protocol's rule for numbers that it doesn't know */
    client_call_end(call, status, message, NGHTTP2_NO_ERROR);
    set_details(&call->result, metadata_get(&call->headers, "grpc-status-details-bin"));
}

static bool is_grpc_content(const char *type)
{
    static const char grpc[] = "application/grpc";

    return type && strncmp(type, grpc, sizeof(grpc) - 1) == 0 &&
           strchr("+;", type[sizeof(grpc) - 1]) != NULL;
}

/* The first block; true when the call may go on. */
static bool check_response(struct grpc_client_call *call, unsigned http_status)
{
    const char *encoding = metadata_get(&call->headers, "grpc-encoding");

    if (http_status != 200 && !metadata_get(&call->headers, "grpc-status")) {
        char text[64];

        snprintf(text, sizeof(text), "the server answered with HTTP status %u", http_status);
        end(call, grpc_status_from_http(http_status), text);
        return false;
    }
    if (!is_grpc_content(metadata_get(&call->headers, "content-type"))) {
        end(call, GRPC_STATUS_UNKNOWN, "the server's answer is no gRPC");
        return false;
    }
    if (encoding && strcmp(encoding, "identity") != 0) {
        end(call, GRPC_STATUS_INTERNAL, "the server compresses, which nobody asked for");
        return false;
    }
    return true;
}

void response_check_headers(struct grpc_client_call *call, bool is_last)
{
    if (!call->has_response) {
        const char *status = metadata_get(&call->headers, ":status");
        unsigned http_status = status ? (unsigned)strtoul(status, NULL, 10) : 0;

        if (http_status >= 100 && http_status < 200) { /* informational: the answer follows */
            metadata_done(&call->headers);
            return;
        }
        if (!check_response(call, http_status))
            return;
        call->has_response = true;
    }
    if (is_last)
        end_by_trailers(call);
    metadata_done(&call->headers);
}

void response_check_close(struct grpc_client_call *call, uint32_t error_code)
{
    static const struct {
        uint32_t error_code;
        enum grpc_status status;
        const char *text;
    } meanings[] = {
        {NGHTTP2_REFUSED_STREAM, GRPC_STATUS_UNAVAILABLE,
         "the server refused the call before it began"},
        {NGHTTP2_CANCEL, GRPC_STATUS_CANCELLED, "the server cancelled the call"},
        {NGHTTP2_ENHANCE_YOUR_CALM, GRPC_STATUS_RESOURCE_EXHAUSTED,
         "the server finds that it gets too much"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (meanings[i].error_code == error_code)
            client_call_end(call, meanings[i].status, meanings[i].text, NGHTTP2_NO_ERROR);
    client_call_end(call, GRPC_STATUS_INTERNAL, "the server ended the call without saying how",
                    NGHTTP2_NO_ERROR);
}
