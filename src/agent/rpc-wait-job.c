/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "agent/call.h"
#include "agent/request.h"
#include "agent/rpc.h"
#include "api/moment.h"

void rpc_wait_job(struct agent_call *call)
{
    const Hoist__V1__WaitJobRequest *request =
        (const Hoist__V1__WaitJobRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    usec_t timeout;
    int r;

    if (request_read_name(request->name, &call->error) < 0 ||
        request_read_duration("timeout", request->timeout, USEC_INFINITY, API_DURATION_MAX,
                              &timeout, &call->error) < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_wait(call->agent->worker, &caller, request->name, timeout, agent_call_done_job, call,
                    &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
