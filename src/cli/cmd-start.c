/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/job-flags.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/show-job.h"
#include "cli/show-limits.h"

int cmd_start(struct session *session)
{
    _cleanup_api_message_ Hoist__V1__StartJobRequest *request = NULL;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    struct error err;

    if (job_flags_to_request(&session->arguments, &request, &err) < 0) {
        tell("%s", err.text);
        return command_usage_exit(session->command);
    }
    if (session_call_as(session, METHOD_JOB("StartJob"), request, hoist__v1__job, &job) < 0)
        return session->command->failure;
    if (session->format != OUTPUT_FORMAT_TABLE)
        return print_job(session, job) < 0 ? session->command->failure : EXIT_OK;
    printf("%s\n", job_id(job));
    if (print_flush() < 0)
        tell("the job has started: %s", job_id(job));
    for (size_t i = 0; i < job->n_limits && !session->arguments.quiet; i++)
        if (!job->limits[i]->enforced)
            tell("the limit \"%s\" is not in force: %s", limit_words(job->limits[i]->name),
                 job->limits[i]->detail);
    return EXIT_OK;
}
