/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "agent/call.h"
#include "agent/output-start.h"
#include "agent/request.h"
#include "agent/rpc.h"
#include "base/cleanup.h"

static void output_opened(struct worker_reply *reply, void *userdata)
{
    struct agent_call *call = userdata;

    if (reply->failure) {
        agent_call_finish_failure(call, reply->failure);
        return;
    }
    call->output = TAKE_PTR(reply->output);
    id_format(&call->output->id, call->answer_job);
    agent_call_finish_output(call);
}

void rpc_stream_output(struct agent_call *call)
{
    const Hoist__V1__StreamOutputRequest *request =
        (const Hoist__V1__StreamOutputRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    int r;

    if (request_read_name(request->name, &call->error) < 0 ||
        output_request_check(request, &call->error) < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_open_output(call->agent->worker, &caller, request->name, output_opened, call,
                           &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
