/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "agent/call.h"
#include "agent/request.h"
#include "agent/rpc.h"

static void delete_done(struct worker_reply *reply, void *userdata)
{
    Hoist__V1__DeleteJobResponse response = HOIST__V1__DELETE_JOB_RESPONSE__INIT;
    struct agent_call *call = userdata;

    if (reply->failure)
        agent_call_finish_failure(call, reply->failure);
    else
        agent_call_finish(call, &response.base);
}

void rpc_delete_job(struct agent_call *call)
{
    const Hoist__V1__DeleteJobRequest *request =
        (const Hoist__V1__DeleteJobRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    int r;

    if (request_read_name(request->name, &call->error) < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_delete(call->agent->worker, &caller, request->name, request->force, delete_done,
                      call, &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
