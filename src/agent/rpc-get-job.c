/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "agent/call.h"
#include "agent/request.h"
#include "agent/rpc.h"

void rpc_get_job(struct agent_call *call)
{
    const Hoist__V1__GetJobRequest *request =
        (const Hoist__V1__GetJobRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    int r;

    if (request_read_name(request->name, &call->error) < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_get(call->agent->worker, &caller, request->name,
                   (request->sample_usage ? (unsigned)WORKER_GET_SAMPLE : 0) |
                       (request->statistics ? (unsigned)WORKER_GET_STATISTICS : 0),
                   agent_call_done_job, call, &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
