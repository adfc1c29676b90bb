/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/session.h"
#include "cli/show-job.h"

int cmd_status(struct session *session)
{
    Hoist__V1__GetJobRequest request = HOIST__V1__GET_JOB_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;

    request.name = session->arguments.words[0];
    request.sample_usage = !session->arguments.no_sample;
    if (session_call_as(session, METHOD_JOB("GetJob"), &request, hoist__v1__job, &job) < 0)
        return EXIT_FAILED;
    return print_job(session, job) < 0 ? EXIT_FAILED : EXIT_OK;
}
