/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "agent/call.h"
#include "agent/request.h"
#include "agent/rpc.h"

void rpc_signal_job(struct agent_call *call)
{
    const Hoist__V1__SignalJobRequest *request =
        (const Hoist__V1__SignalJobRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    int signal, r;

    if (request_read_name(request->name, &call->error) < 0 ||
        request_read_signal("signal", request->signal, 1, &signal, &call->error) < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_signal(call->agent->worker, &caller, request->name, signal, agent_call_done_job,
                      call, &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
