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
#include "base/id.h"
#include "cli/command.h"
#include "cli/exit-code.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/job-flags.h"
#include "cli/session.h"
#include "cli/show-job.h"
#include "cli/tell-job.h"

/* One run: a job, its output on the way, and how often the user has said stop. */
struct run {
    struct session *session;
    Hoist__V1__Job *job;
    struct output_stream stream;
    struct reconnect reconnect;
    struct grpc_client_call *stop; /* under way; only its failure would matter, and that shows */
    unsigned interrupts;
    bool is_lost; /* no connection for now */
};

static void run_done(struct run *run)
{
    run->stop = grpc_client_call_free(run->stop);
    output_stream_close(&run->stream);
    api_free(run->job ? &run->job->base : NULL);
}

/*
 * Asks for the stop and doesn't wait: the end of the output says that the job is over. Without a
 * connection it is asked for as soon as there is one.
 */
static void run_ask_stop(struct run *run)
{
    Hoist__V1__StopJobRequest request = HOIST__V1__STOP_JOB_REQUEST__INIT;
    _cleanup_buffer_ struct buffer bytes = {0};

    if (run->is_lost)
        return;
    request.name = run->job->name;
    if (run->interrupts > 1 && api_duration_set(&request.grace, 0) < 0)
        return;
    run->stop = grpc_client_call_free(run->stop);
    if (api_pack(&request.base, &bytes) < 0 ||
        grpc_client_call_new(run->session->channel, METHOD_JOB("StopJob"), buffer_bytes(&bytes),
                             buffer_size(&bytes), NULL, &run->stop) < 0)
        tell("the job can't be asked to stop; try hoist stop %s", job_id(run->job));
    api_free(request.grace ? &request.grace->base : NULL);
}

/* First ^C: stop with grace. Second: at once. Third: leave it. Returns whether to leave. */
static bool run_interrupted(void *userdata)
{
    struct run *run = userdata;
    const char *when = run->is_lost ? " as soon as the agent can be reached" : "";

    if (!run->job) {
        tell("left; hoist list tells whether the job was started");
        return true;
    }
    for (unsigned count = interrupt_take(run->session->interrupt_fd); count > 0; count--) {
        run->interrupts++;
        if (run->interrupts == 1) {
            tell("stopping the job%s; once more ends it at once", when);
        } else if (run->interrupts == 2) {
            tell("ending the job at once%s; once more leaves it",
                 run->is_lost ? " when the agent can be reached" : "");
        } else {
            tell("left; the job goes on as %s", job_id(run->job));
            return true;
        }
        run_ask_stop(run);
    }
    return false;
}

static void run_lost(void *userdata)
{
    struct run *run = userdata;

    run->stop = grpc_client_call_free(run->stop);
    run->is_lost = true;
}

/* A stop that was under way may have been lost with the connection; twice is as once. */
static void run_found(void *userdata)
{
    struct run *run = userdata;

    run->is_lost = false;
    if (run->interrupts > 0)
        run_ask_stop(run);
}

/*
 * One unary call that may be made twice, over as many connections as it takes. 0; -EREMOTEIO with
 * *error; -EINTR: left; what reconnect_again() returned, told.
 */
static int run_call(struct run *run, const char *method, const ProtobufCMessage *request,
                    ProtobufCMessage **ret, struct api_error *error)
{
    for (;;) {
        int r =
            session_call(run->session, method, request, &hoist__v1__job__descriptor, ret, error);

        if (r == -EINTR && run_interrupted(run))
            return r;
        if (r == -EREMOTEIO && session_error_is_lost(error)) {
            run_lost(run);
            r = reconnect_again(&run->reconnect, error->text);
            if (r < 0)
                return r;
            run_found(run);
        } else if (r != -EINTR) {
            return r;
        }
        api_error_done(error);
        *error = (struct api_error){.code = 0};
    }
}

/* The output is complete; the record of the end follows at once. */
static int run_wait(struct run *run)
{
    Hoist__V1__WaitJobRequest request = HOIST__V1__WAIT_JOB_REQUEST__INIT;
    _cleanup_api_error_ struct api_error error = {.code = 0};
    ProtobufCMessage *response = NULL;
    int r;

    request.name = run->job->name;
    r = run_call(run, METHOD_JOB("WaitJob"), &request.base, &response, &error);
    if (r == -EREMOTEIO)
        tell_error(&error);
    if (r < 0)
        return r;
    api_free(&run->job->base);
    run->job = (Hoist__V1__Job *)(void *)response;
    return 0;
}

static int run_finish(struct run *run)
{
    char text[JOB_END_TEXT_MAX];
    int code, r = run_wait(run);

    if (r < 0)
        return r == -EINTR ? EXIT_INTERRUPTED : EXIT_HOIST;
    code = exit_code_of_job(run->job);
    /* Whose exit code can't tell how it ended gets a word; a plain exit doesn't. */
    if (run->job->cause != HOIST__V1__CAUSE__CAUSE_EXITED || tell_job_is_wanted(run->session))
        tell("%s", job_end_text(run->job, text));
    return code;
}

/* Asking twice must not start two jobs. */
static int run_set_request_id(Hoist__V1__StartJobRequest *request)
{
    char text[ID_TEXT_MAX];
    struct id id;
    int r = id_new(&id);

    return r < 0 ? r : api_set_text(&request->request_id, id_format(&id, text));
}

static int run_start(struct run *run)
{
    _cleanup_api_message_ Hoist__V1__StartJobRequest *request = NULL;
    _cleanup_api_error_ struct api_error error = {.code = 0};
    ProtobufCMessage *response = NULL;
    struct error err;
    int r;

    if (job_flags_to_request(&run->session->arguments, &request, &err) < 0) {
        tell("%s", err.text);
        return EXIT_HOIST;
    }
    r = run_set_request_id(request);
    if (r < 0) {
        tell("the request can't be made: %s", strerror(-r));
        return EXIT_HOIST;
    }
    r = run_call(run, METHOD_JOB("StartJob"), &request->base, &response, &error);
    if (r == -EREMOTEIO) {
        tell_error(&error);
        return exit_code_of_refusal(&error);
    }
    if (r < 0)
        return r == -EINTR ? EXIT_INTERRUPTED : EXIT_HOIST;
    run->job = (Hoist__V1__Job *)(void *)response;
    if (tell_job_is_wanted(run->session))
        tell_job_start(run->job);
    return 0;
}

static int run_follow(struct run *run)
{
    const struct output_wish wish = {
        .job = run->job->name,
        .until = USEC_INFINITY,
        .follow = true,
    };
    struct follow follow = {
        .streams = &run->stream,
        .count = 1,
        .lost = run_lost,
        .found = run_found,
        .userdata = run,
    };
    int r;

    run->stream = output_stream_make(run->session, &wish);
    follow.reconnect = run->reconnect;
    r = follow_outputs(&follow);
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
    if (reconnect_init(&run.reconnect, session, run_interrupted, &run) < 0)
        return EXIT_HOIST;
    code = run_start(&run);
    if (run.job)
        code = run_follow(&run);
    run_done(&run);
    return code;
}
