/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/session.h"
#include "cli/show-job.h"

int cmd_kill(struct session *session)
{
    Hoist__V1__SignalJobRequest request = HOIST__V1__SIGNAL_JOB_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    const char *signal = session->arguments.signal;

    request.name = session->arguments.words[0];
    request.signal = (char *)(signal ? signal : "TERM");
    if (session_call_as(session, METHOD_JOB("SignalJob"), &request, hoist__v1__job, &job) < 0)
        return EXIT_FAILED;
    if (session->format == OUTPUT_FORMAT_TABLE)
        return EXIT_OK;
    return print_job(session, job) < 0 ? EXIT_FAILED : EXIT_OK;
}
