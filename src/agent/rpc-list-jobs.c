/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/call.h"
#include "agent/job-message.h"
#include "agent/request.h"
#include "agent/rpc.h"
#include "api/start-job-check.h"

static int list_to_message(const struct agent_call *call, const struct worker_list *list,
                           Hoist__V1__ListJobsResponse *response)
{
    for (size_t i = 0; i < list->count; i++) {
        Hoist__V1__Job *job = job_to_message(list->jobs[i], call->agent->host);
        int r = job ? api_append_take(&response->n_jobs, &response->jobs, job) : -ENOMEM;

        if (r < 0) {
            api_free(job ? &job->base : NULL);
            return r;
        }
    }
    return api_set_text(&response->next_page_token, list->next_page_token);
}

static void list_done(struct worker_reply *reply, void *userdata)
{
    _cleanup_api_message_ Hoist__V1__ListJobsResponse *response = NULL;
    struct agent_call *call = userdata;

    if (reply->failure) {
        agent_call_finish_failure(call, reply->failure);
        return;
    }
    response = api_new(hoist__v1__list_jobs_response);
    if (response && list_to_message(call, reply->list, response) == 0)
        agent_call_finish(call, &response->base);
    else
        agent_call_finish_errno(call, -ENOMEM);
}

static int read_states(const Hoist__V1__ListJobsRequest *request, uint32_t *ret,
                       struct api_error *error)
{
    uint32_t states = 0;

    for (size_t i = 0; i < request->n_states; i++) {
        int state = (int)request->states[i];

        if (state <= HOIST_STATE_UNSPECIFIED || state >= HOIST_STATE_COUNT)
            return request_refuse("states", "holds a state that this agent doesn't know", error);
        states |= UINT32_C(1) << state;
    }
    *ret = states;
    return 0;
}

/* The labels stay the request's, which lives as long as the call. */
static int read_labels(const Hoist__V1__ListJobsRequest *request, struct job_label labels[],
                       struct api_error *error)
{
    if (request->n_labels > START_JOB_LABELS_MAX)
        return request_refuse("labels", "holds more labels than a job can have", error);
    for (size_t i = 0; i < request->n_labels; i++)
        labels[i] = (struct job_label){request->labels[i]->key, request->labels[i]->value};
    return 0;
}

void rpc_list_jobs(struct agent_call *call)
{
    const Hoist__V1__ListJobsRequest *request =
        (const Hoist__V1__ListJobsRequest *)(void *)call->request;
    struct worker_caller caller = agent_call_caller(call);
    struct job_label labels[START_JOB_LABELS_MAX];
    struct worker_filter filter = {
        .owner = request->owner,
        .labels = labels,
        .label_count = request->n_labels,
        .page_size = request->page_size,
        .page_token = request->page_token,
        .usage = request->usage,
    };
    int r;

    if (request->page_size > WORKER_PAGE_MAX)
        r = request_refuse("page_size", "is above 500", &call->error);
    else
        r = read_states(request, &filter.states, &call->error);
    if (r == 0)
        r = read_labels(request, labels, &call->error);
    if (r < 0) {
        agent_call_finish_error(call);
        return;
    }
    r = worker_list_jobs(call->agent->worker, &caller, &filter, list_done, call, &call->operation);
    if (r < 0)
        agent_call_finish_errno(call, r);
}
