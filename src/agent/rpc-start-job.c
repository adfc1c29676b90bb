/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/access.h"
#include "agent/agent.h"
#include "agent/call.h"
#include "agent/job-request.h"
#include "agent/rpc.h"
#include "base/strv.h"

/* Other surroundings are for whom the class says. */
static int check_profile(struct agent_call *call, const struct job_spec *spec)
{
    const struct class *class = classes_find_const(&call->agent->config.classes, spec->job_class);

    if (text_is_empty(spec->profile) || (class && class->profile_for_all) ||
        role_scope(call->role, PERMISSION_PROFILE) != SCOPE_NOTHING)
        return 0;
    return access_refuse(call->identity.principal, call->role, PERMISSION_PROFILE, &call->error);
}

void rpc_start_job(struct agent_call *call)
{
    const Hoist__V1__StartJobRequest *request =
        (const Hoist__V1__StartJobRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    _cleanup_job_spec_ struct job_spec spec = JOB_SPEC_NULL;
    int r;

    if (atomic_load(&call->agent->shutting_down)) {
        api_error_set(&call->error, HOIST__V1__REASON__REASON_SHUTTING_DOWN,
                      "the agent is going down and starts no more jobs; try again");
        agent_call_finish_error(call);
        return;
    }
    if (job_spec_from_request(call->agent, request, &spec, &call->error) < 0 ||
        check_profile(call, &spec) < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_start(call->agent->worker, &caller, &spec, request->request_id, agent_call_done_job,
                     call, &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
