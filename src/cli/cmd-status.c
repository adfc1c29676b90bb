/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/utf8.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/show-job.h"

static int print_statistics(const Hoist__V1__Job *job)
{
    for (size_t i = 0; job->usage && i < job->usage->n_statistics; i++) {
        const Hoist__V1__Statistic *statistic = job->usage->statistics[i];
        _cleanup_free_ char *name = utf8_escape(statistic->name);
        _cleanup_free_ char *value = utf8_escape(statistic->value);

        printf("%s %s\n", name ? name : "", value ? value : "");
    }
    return EXIT_OK;
}

int cmd_status(struct session *session)
{
    Hoist__V1__GetJobRequest request = HOIST__V1__GET_JOB_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    bool stats = session->arguments.stats;

    request.name = session->arguments.words[0];
    request.sample_usage = !session->arguments.no_sample && !stats;
    request.statistics = stats;
    if (session_call_as(session, METHOD_JOB("GetJob"), &request, hoist__v1__job, &job) < 0)
        return EXIT_FAILED;
    if (stats && session->format == OUTPUT_FORMAT_TABLE)
        return print_statistics(job);
    return print_job(session, job) < 0 ? EXIT_FAILED : EXIT_OK;
}
