/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/reason.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/message-emit.h"
#include "cli/session.h"
#include "cli/show-job.h"

#define LIST_DEFAULT  50
#define LIST_PAGE_MAX 500

static int put_states(const struct arguments *arguments, Hoist__V1__ListJobsRequest *request)
{
    size_t count = 0;

    while (arguments->states && arguments->states[count])
        count++;
    request->states = calloc(count + 1, sizeof(*request->states));
    if (!request->states)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int state = api_job_state_from_name(arguments->states[i]);

        if (state < 0) {
            tell("--state %s: no such state; choose STARTING, RUNNING, STOPPING, SUCCEEDED, "
                 "FAILED, STOPPED or LOST",
                 arguments->states[i]);
            return -EINVAL;
        }
        request->states[request->n_states++] = (Hoist__V1__JobState)state;
    }
    return 0;
}

/* "key" alone asks for the label whatever its value. */
static int put_labels(const struct arguments *arguments, Hoist__V1__ListJobsRequest *request)
{
    for (char **text = arguments->labels; text && *text; text++) {
        size_t length = strcspn(*text, "=");
        char *key = strndup(*text, length);
        int r = key ? api_append_entry(&hoist__v1__list_jobs_request__labels_entry__descriptor,
                                       &request->n_labels, &request->labels, key,
                                       (*text)[length] ? *text + length + 1 : "")
                    : -ENOMEM;

        free(key);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_limit(const struct arguments *arguments, uint64_t *ret)
{
    struct error err;

    *ret = LIST_DEFAULT;
    if (!arguments->limit)
        return 0;
    if (quantity_parse_unsigned(arguments->limit, UINT32_MAX, ret, &err) < 0) {
        tell("--limit: %s", err.text);
        return -EINVAL;
    }
    if (*ret == 0)
        *ret = UINT64_MAX;
    return 0;
}

/* Fetches page after page; all is collected in `all`, so that -o gives one document. */
static int fetch(struct session *session, Hoist__V1__ListJobsRequest *request, uint64_t limit,
                 Hoist__V1__ListJobsResponse *all)
{
    for (;;) {
        _cleanup_api_message_ Hoist__V1__ListJobsResponse *page = NULL;
        uint64_t left = limit - all->n_jobs;

        request->page_size = (uint32_t)MIN(left, (uint64_t)LIST_PAGE_MAX);
        if (session_call_as(session, METHOD_JOB("ListJobs"), request, hoist__v1__list_jobs_response,
                            &page) < 0)
            return -EREMOTEIO;
        for (size_t i = 0; i < page->n_jobs; i++) {
            if (api_append_take(&all->n_jobs, &all->jobs, page->jobs[i]) < 0) {
                /* What was taken is no longer the page's. */
                page->n_jobs -= i;
                memmove(page->jobs, page->jobs + i, page->n_jobs * sizeof(Hoist__V1__Job *));
                return -ENOMEM;
            }
        }
        page->n_jobs = 0;
        if (api_set_text(&all->next_page_token, page->next_page_token) < 0)
            return -ENOMEM;
        if (all->next_page_token[0] == 0 || all->n_jobs >= limit)
            return 0;
        request->page_token = all->next_page_token;
    }
}

static int show(const struct session *session, const Hoist__V1__ListJobsResponse *all)
{
    if (session->format != OUTPUT_FORMAT_TABLE)
        return message_print(session, &all->base) < 0 ? EXIT_FAILED : EXIT_OK;
    show_job_heading();
    for (size_t i = 0; i < all->n_jobs; i++)
        show_job_line(all->jobs[i]);
    if (all->next_page_token && all->next_page_token[0])
        tell("there are more; hoist list --limit 0 shows all");
    return EXIT_OK;
}

static void list_request_done(Hoist__V1__ListJobsRequest *request)
{
    for (size_t i = 0; i < request->n_labels; i++)
        api_free(&request->labels[i]->base);
    free(request->labels);
    free(request->states);
}

int cmd_list(struct session *session)
{
    Hoist__V1__ListJobsRequest request = HOIST__V1__LIST_JOBS_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__ListJobsResponse *all = api_new(hoist__v1__list_jobs_response);
    uint64_t limit;
    int result = EXIT_FAILED;

    if (!all)
        return EXIT_FAILED;
    if (session->arguments.owner)
        request.owner = (char *)session->arguments.owner;
    if (put_states(&session->arguments, &request) < 0 || put_limit(&session->arguments, &limit) < 0)
        result = EXIT_USAGE;
    else if (put_labels(&session->arguments, &request) == 0 &&
             fetch(session, &request, limit, all) == 0)
        result = show(session, all);
    list_request_done(&request);
    return result;
}
