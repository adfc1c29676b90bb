/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/moment.h"
#include "api/reason.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/exit-code.h"
#include "cli/session.h"
#include "cli/show-job.h"

static int show_end(const struct session *session, const Hoist__V1__Job *job)
{
    char text[JOB_END_TEXT_MAX];

    if (session->format != OUTPUT_FORMAT_TABLE) {
        if (print_job(session, job) < 0)
            return EXIT_HOIST;
    } else {
        printf("%s %s: %s\n", job_id(job), api_job_state_name((int)job->state),
               job_end_text(job, text));
    }
    if (job->state >= HOIST__V1__JOB_STATE__JOB_STATE_SUCCEEDED)
        return exit_code_of_job(job);
    tell("it goes on; this was the timeout of hoist wait");
    return EXIT_HOIST;
}

int cmd_wait(struct session *session)
{
    Hoist__V1__WaitJobRequest request = HOIST__V1__WAIT_JOB_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    const char *timeout = session->arguments.timeout;
    struct error err;
    usec_t duration;
    int r;

    request.name = session->arguments.words[0];
    if (timeout) {
        if (quantity_parse_duration(timeout, &duration, &err) < 0) {
            tell("--timeout: %s", err.text);
            return command_usage_exit(session->command);
        }
        if (api_duration_set(&request.timeout, duration) < 0)
            return EXIT_HOIST;
    }
    r = session_call_as(session, METHOD_JOB("WaitJob"), &request, hoist__v1__job, &job);
    api_free(request.timeout ? &request.timeout->base : NULL);
    return r < 0 ? EXIT_HOIST : show_end(session, job);
}
