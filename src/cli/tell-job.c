/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tell-job.h"

#include <unistd.h>

#include "api/moment.h"
#include "base/cleanup.h"
#include "cli/session.h"
#include "cli/show-job.h"

bool tell_job_is_wanted(const struct session *session)
{
    return isatty(STDERR_FILENO) && !session->arguments.quiet;
}

void tell_job_start(const Hoist__V1__Job *job)
{
    _cleanup_free_ char *command = job_command_text(job);
    char moment[CLOCK_TEXT_MAX];
    usec_t time = 0;

    (void)api_timestamp_read(job->start_time, &time, NULL); /* a wrong time is shown as 1970 */
    tell_harmless("job %s started %s: %s", job_id(job), clock_format_local(time, moment),
                  command ? command : "");
}

/* NULL: there is no answer, for whatever reason. */
static Hoist__V1__Job *ask(struct session *session, const char *method,
                           const ProtobufCMessage *request)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    ProtobufCMessage *response = NULL;

    if (session_call(session, method, request, &hoist__v1__job__descriptor, &response, &error) < 0)
        return NULL;
    return (Hoist__V1__Job *)(void *)response;
}

void tell_job_start_of(struct session *session, const char *name)
{
    Hoist__V1__GetJobRequest request = HOIST__V1__GET_JOB_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;

    request.name = (char *)(uintptr_t)name; /* packing only reads */
    job = ask(session, METHOD_JOB("GetJob"), &request.base);
    if (job && job->start_time)
        tell_job_start(job);
}

void tell_job_end_of(struct session *session, const char *name)
{
    Hoist__V1__WaitJobRequest request = HOIST__V1__WAIT_JOB_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    char text[JOB_END_TEXT_MAX];

    request.name = (char *)(uintptr_t)name; /* packing only reads */
    job = ask(session, METHOD_JOB("WaitJob"), &request.base);
    if (job)
        tell("job %s %s", job_id(job), job_end_text(job, text));
}
