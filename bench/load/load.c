/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/message.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "grpc/status.h"
#include "grpc/tls.h"
#include "measure.h"

static const char *setting(const char *variable)
{
    const char *value = getenv(variable);

    if (!value)
        measure_usage("HOIST_HOST, HOIST_PORT, HOIST_CA, HOIST_CERT and HOIST_KEY must be set");
    return value;
}

static void check(int r, const struct error *err)
{
    if (r < 0)
        measure_usage(err->text);
}

struct grpc_channel *load_connect(void)
{
    const struct tls_client_options tls = {
        .cert = setting("HOIST_CERT"),
        .key = setting("HOIST_KEY"),
        .ca = setting("HOIST_CA"),
    };
    struct grpc_channel_options options = {
        .host = setting("HOIST_HOST"),
        .port = (uint16_t)measure_number(setting("HOIST_PORT"), 1),
    };
    struct grpc_channel *channel = NULL;
    struct error err;

    check(tls_context_new_client(&tls, &options.tls, &err), &err);
    check(grpc_channel_connect(&options, FD_NONE, &channel, &err), &err);
    tls_context_unref(options.tls); /* the channel has its own reference */
    return channel;
}

struct grpc_client_call *load_stream(struct grpc_channel *channel, const char *job, bool follow)
{
    Hoist__V1__StreamOutputRequest request = HOIST__V1__STREAM_OUTPUT_REQUEST__INIT;
    _cleanup_buffer_ struct buffer bytes = {0};
    struct grpc_client_call *call = NULL;

    request.name = (char *)(uintptr_t)job; /* packing only reads */
    request.follow = follow;
    if (api_pack(&request.base, &bytes) < 0 ||
        grpc_client_call_new(channel, "/hoist.v1.JobService/StreamOutput", buffer_bytes(&bytes),
                             buffer_size(&bytes), NULL, &call) < 0)
        measure_usage("the stream can't be asked for");
    return call;
}

void load_call(struct grpc_channel *channel, const char *method, const ProtobufCMessage *request,
               struct buffer *response)
{
    _cleanup_buffer_ struct buffer bytes = {0}, unused = {0};
    struct grpc_result result = {0};

    if (api_pack(request, &bytes) < 0 ||
        grpc_channel_unary(channel, method, buffer_bytes(&bytes), buffer_size(&bytes), NULL,
                           FD_NONE, response ? response : &unused, &result) < 0)
        measure_usage("a call can't be made");
    load_check(&result);
    grpc_result_done(&result);
}

void load_check(const struct grpc_result *result)
{
    if (result->status == GRPC_STATUS_OK)
        return;
    (void)fprintf(stderr, "status %d: ", (int)result->status);
    measure_usage(result->message ? result->message : "a call failed");
}

bool load_next(struct grpc_client_call *call, const uint8_t **ret_message, size_t *ret_size)
{
    if (grpc_client_call_read(call, FD_NONE, ret_message, ret_size) == 1)
        return true;
    load_check(grpc_client_call_result(call));
    return false;
}
