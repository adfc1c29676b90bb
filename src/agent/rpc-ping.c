/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/call.h"
#include "agent/request.h"
#include "agent/rpc.h"
#include "api/moment.h"

#define PING_PAYLOAD_MAX 1024

void rpc_ping_here(struct agent_call *call, struct grpc_call *grpc)
{
    const Hoist__V1__PingRequest *request = (const Hoist__V1__PingRequest *)(void *)call->request;
    Hoist__V1__PingResponse response = HOIST__V1__PING_RESPONSE__INIT;
    char version[] = HOIST_VERSION;

    if (request->payload.len > PING_PAYLOAD_MAX) {
        request_refuse("payload", "is longer than 1 KiB", &call->error);
        agent_call_refuse(call, grpc, &call->error);
        return;
    }
    response.payload = request->payload;
    response.version = version;
    response.principal = call->identity.principal;
    response.role = (char *)call->role;
    (void)api_timestamp_set(&response.server_time, clock_wall()); /* without memory it is absent */
    agent_call_answer(call, grpc, &response.base);
    api_free(response.server_time ? &response.server_time->base : NULL);
}
