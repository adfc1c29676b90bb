/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/moment.h"
#include "base/error.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/interval.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/show-job.h"
#include "cli/watch-job.h"

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

static int status_once(struct session *session)
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

/* On a terminal each look takes the place of the one before; elsewhere they follow each other. */
static int show_again(const struct session *session, const Hoist__V1__Job *job)
{
    if (session->format == OUTPUT_FORMAT_TABLE)
        interval_begin_page();
    return print_job(session, job) < 0 || print_flush() < 0 ? -1 : 0;
}

int cmd_status(struct session *session)
{
    usec_t interval;

    if (interval_read(session, &interval) < 0)
        return EXIT_USAGE;
    if (!session->arguments.watch)
        return status_once(session);
    return watch_job(session, session->arguments.words[0], interval, show_again) < 0 ? EXIT_FAILED
                                                                                     : EXIT_OK;
}
