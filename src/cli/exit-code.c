/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exit-code.h"

#include "api/error.h"
#include "cli/command.h"

enum {
    EXIT_TIMED_OUT = 124,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL_BASE = 128,
};

static int exit_code_of_reason(Hoist__V1__Reason reason)
{
    if (reason == HOIST__V1__REASON__REASON_COMMAND_NOT_FOUND)
        return EXIT_NOT_FOUND;
    if (reason == HOIST__V1__REASON__REASON_COMMAND_NOT_EXECUTABLE)
        return EXIT_NOT_EXECUTABLE;
    return EXIT_HOIST;
}

int exit_code_of_job(const Hoist__V1__Job *job)
{
    if (job->cause == HOIST__V1__CAUSE__CAUSE_TIMED_OUT ||
        job->cause == HOIST__V1__CAUSE__CAUSE_CPU_TIME_LIMIT)
        return EXIT_TIMED_OUT;
    if (job->cause == HOIST__V1__CAUSE__CAUSE_START_FAILED)
        return exit_code_of_reason(job->reason);
    if (job->state == HOIST__V1__JOB_STATE__JOB_STATE_LOST)
        return EXIT_HOIST;
    if (job->signal > 0)
        return EXIT_SIGNAL_BASE + job->signal;
    if (job->has_exit_code)
        return job->exit_code & 0xff;
    return EXIT_HOIST;
}

int exit_code_of_refusal(const struct api_error *error)
{
    return exit_code_of_reason(error->reason);
}
