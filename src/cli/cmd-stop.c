/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/moment.h"
#include "api/reason.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/show-job.h"

static int stop_one(struct session *session, Hoist__V1__StopJobRequest *request)
{
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    char text[JOB_END_TEXT_MAX];

    if (session_call_as(session, METHOD_JOB("StopJob"), request, hoist__v1__job, &job) < 0)
        return EXIT_FAILED;
    if (session->format != OUTPUT_FORMAT_TABLE)
        return print_job(session, job) < 0 ? EXIT_FAILED : EXIT_OK;
    printf("%s %s: %s\n", job_id(job), api_job_state_name((int)job->state),
           job_end_text(job, text));
    if (job->state == HOIST__V1__JOB_STATE__JOB_STATE_STOPPING) {
        tell("%u of its processes can't be ended yet; hoist status %s goes on telling",
             job->processes_blocked, job_id(job));
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

int cmd_stop(struct session *session)
{
    Hoist__V1__StopJobRequest request = HOIST__V1__STOP_JOB_REQUEST__INIT;
    const struct arguments *arguments = &session->arguments;
    int result = EXIT_OK;
    struct error err;
    usec_t grace;

    if (arguments->grace) {
        if (quantity_parse_duration(arguments->grace, &grace, &err) < 0) {
            tell("--grace: %s", err.text);
            return EXIT_USAGE;
        }
        if (api_duration_set(&request.grace, grace) < 0)
            return EXIT_FAILED;
    }
    if (arguments->signal)
        request.signal = (char *)arguments->signal;
    for (size_t i = 0; i < arguments->word_count; i++) {
        request.name = arguments->words[i];
        result = MAX(result, stop_one(session, &request));
    }
    api_free(request.grace ? &request.grace->base : NULL);
    return result;
}
