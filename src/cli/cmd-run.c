/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/moment.h"
#include "api/reason.h"
#include "base/error.h"
#include "base/fd.h"
#include "cli/command.h"
#include "cli/exit-code.h"
#include "cli/interrupt.h"
#include "cli/job-flags.h"
#include "cli/output-stream.h"
#include "cli/session.h"
#include "cli/show-job.h"

#define EXIT_INTERRUPTED 130 /* as a shell says of a program that ^C ended */

/* One run: a job, its output on the way, and how often the user has said stop. */
struct run {
    struct session *session;
    Hoist__V1__Job *job;
    struct output_stream stream;
    struct grpc_client_call
        *stop; /* the StopJob under way; its answer only matters when it fails */
    unsigned interrupts;
};

static void run_done(struct run *run)
{
    run->stop = grpc_client_call_free(run->stop);
    output_stream_close(&run->stream);
    api_free(run->job ? &run->job->base : NULL);
}

static bool run_talks(const struct run *run)
{
    return isatty(STDERR_FILENO) && !run->session->arguments.quiet;
}

/* Asks for the stop and doesn't wait: the end of the output says that the job is over. */
static void run_ask_stop(struct run *run, bool at_once)
{
    Hoist__V1__StopJobRequest request = HOIST__V1__STOP_JOB_REQUEST__INIT;
    _cleanup_buffer_ struct buffer bytes = {0};

    request.name = run->job->name;
    if (at_once && api_duration_set(&request.grace, 0) < 0)
        return;
    run->stop = grpc_client_call_free(run->stop);
    if (api_pack(&request.base, &bytes) < 0 ||
        grpc_client_call_new(run->session->channel, METHOD_JOB("StopJob"), buffer_bytes(&bytes),
                             buffer_size(&bytes), NULL, &run->stop) < 0)
        tell("the job can't be asked to stop; try hoist stop %s", job_id(run->job));
    api_free(request.grace ? &request.grace->base : NULL);
}

/* First ^C: stop with grace. Second: at once. Third: leave it. Returns whether to leave. */
static bool run_interrupted(struct run *run)
{
    unsigned count = interrupt_take(run->session->interrupt_fd);

    for (; count > 0; count--) {
        run->interrupts++;
        if (run->interrupts == 1) {
            tell("stopping the job; once more ends it at once");
            run_ask_stop(run, false);
        } else if (run->interrupts == 2) {
            tell("ending the job at once; once more leaves it");
            run_ask_stop(run, true);
        } else {
            tell("left; the job goes on as %s", job_id(run->job));
            return true;
        }
    }
    return false;
}

static int run_show_output(struct run *run)
{
    for (;;) {
        int r = output_stream_show(&run->stream);

        if (r != -EINTR)
            return r;
        if (run_interrupted(run))
            return -EINTR;
    }
}

/* The output is complete; the record of the end follows at once. */
static int run_wait(struct run *run)
{
    Hoist__V1__WaitJobRequest request = HOIST__V1__WAIT_JOB_REQUEST__INIT;
    Hoist__V1__Job *job = NULL;
    int r;

    request.name = run->job->name;
    r = session_call_as(run->session, METHOD_JOB("WaitJob"), &request, hoist__v1__job, &job);
    if (r < 0)
        return r;
    api_free(&run->job->base);
    run->job = job;
    return 0;
}

static int run_finish(struct run *run)
{
    char text[JOB_END_TEXT_MAX];
    int code;

    if (run_wait(run) < 0)
        return EXIT_HOIST;
    code = exit_code_of_job(run->job);
    /* Whose exit code can't tell how it ended gets a word; a plain exit doesn't. */
    if (run->job->cause != HOIST__V1__CAUSE__CAUSE_EXITED || run_talks(run))
        tell("%s", job_end_text(run->job, text));
    return code;
}

static int run_start(struct run *run)
{
    _cleanup_api_message_ Hoist__V1__StartJobRequest *request = NULL;
    _cleanup_api_error_ struct api_error error = {.code = 0};
    ProtobufCMessage *response = NULL;
    struct error err;

    if (job_flags_to_request(&run->session->arguments, &request, &err) < 0) {
        tell("%s", err.text);
        return EXIT_HOIST;
    }
    if (session_call(run->session, METHOD_JOB("StartJob"), &request->base,
                     &hoist__v1__job__descriptor, &response, &error) < 0) {
        tell_error(&error);
        return exit_code_of_refusal(&error);
    }
    run->job = (Hoist__V1__Job *)(void *)response;
    if (run_talks(run))
        tell("job %s started", job_id(run->job));
    return 0;
}

static int run_follow(struct run *run)
{
    int r;

    if (output_stream_open(run->session, run->job->name, 0, true, OUTPUT_BOTH, &run->stream) < 0)
        return EXIT_HOIST;
    r = run_show_output(run);
    if (r == -EINTR)
        return EXIT_INTERRUPTED;
    if (r < 0) {
        tell("the job goes on as %s", job_id(run->job));
        return EXIT_HOIST;
    }
    return run_finish(run);
}

int cmd_run(struct session *session)
{
    struct run run = {.session = session};
    int code;

    if (session->arguments.detach)
        return cmd_start(session);
    code = run_start(&run);
    if (run.job)
        code = run_follow(&run);
    run_done(&run);
    return code;
}
