/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "agent/call.h"
#include "agent/request.h"
#include "agent/rpc.h"
#include "worker/job-spec.h"

void rpc_stop_job(struct agent_call *call)
{
    const Hoist__V1__StopJobRequest *request =
        (const Hoist__V1__StopJobRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    usec_t grace;
    int signal, r;

    if (request_read_name(request->name, &call->error) < 0 ||
        request_read_signal("signal", request->signal, 0, &signal, &call->error) < 0 ||
        request_read_duration("grace", request->grace, USEC_INFINITY, JOB_GRACE_MAX, &grace,
                              &call->error) < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_stop(call->agent->worker, &caller, request->name, signal, grace, agent_call_done_job,
                    call, &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
