/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "api/moment.h"
#include "api/reason.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/exit-code.h"
#include "cli/reconnect.h"
#include "cli/session.h"
#include "cli/show-job.h"

/* Waiting for one job, over as many connections as it takes. */
struct wait {
    struct session *session;
    struct reconnect reconnect;
    Hoist__V1__WaitJobRequest request;
    usec_t deadline; /* clock_boot(), by --timeout; USEC_INFINITY: none */
};

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

static bool wait_interrupted(void *userdata)
{
    (void)userdata;
    tell("interrupted; the job goes on");
    return true;
}

/* What is left of the time. When none is the agent tells at once how the job stands. */
static usec_t wait_time_left(const struct wait *wait)
{
    usec_t now = clock_boot();

    if (wait->deadline == USEC_INFINITY)
        return USEC_INFINITY;
    return wait->deadline > now ? wait->deadline - now : 1;
}

/* The connection was lost: another one, which has to bring an answer before it counts as good. */
static int wait_reconnect(struct wait *wait, const char *why)
{
    Hoist__V1__PingRequest request = HOIST__V1__PING_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__PingResponse *response = NULL;
    _cleanup_api_error_ struct api_error error = {.code = 0};
    ProtobufCMessage *answer = NULL;
    int r;

    wait->reconnect.patience = MIN(wait->reconnect.patience, wait_time_left(wait));
    r = reconnect_again(&wait->reconnect, why);
    if (r < 0)
        return r;
    r = session_call(wait->session, METHOD_AGENT("Ping"), &request.base,
                     &hoist__v1__ping_response__descriptor, &answer, &error);
    response = (Hoist__V1__PingResponse *)(void *)answer;
    if (r == 0)
        reconnect_proved(&wait->reconnect);
    return 0; /* what else became of it is seen by the next call */
}

static int wait_ask(struct wait *wait, Hoist__V1__Job **ret, struct api_error *error)
{
    usec_t left = wait_time_left(wait);
    ProtobufCMessage *answer = NULL;
    int r = left == USEC_INFINITY ? 0 : api_duration_set(&wait->request.timeout, left);

    if (r < 0)
        return api_error_set(error, HOIST__V1__REASON__REASON_UNSPECIFIED, "no memory");
    r = session_call(wait->session, METHOD_JOB("WaitJob"), &wait->request.base,
                     &hoist__v1__job__descriptor, &answer, error);
    if (r == 0)
        *ret = (Hoist__V1__Job *)(void *)answer;
    return r;
}

/* The job, which the caller frees; NULL: why not was told. */
static Hoist__V1__Job *wait_call(struct wait *wait)
{
    for (;;) {
        _cleanup_api_error_ struct api_error error = {.code = 0};
        Hoist__V1__Job *job = NULL;
        int r = wait_ask(wait, &job, &error);

        if (r == 0)
            return job;
        if (r == -EINTR) {
            (void)wait_interrupted(wait);
            return NULL;
        }
        if (!session_error_is_lost(&error)) {
            tell_error(&error);
            return NULL;
        }
        r = wait_reconnect(wait, error.text);
        if (r < 0) {
            if (r != -EINTR)
                tell("the job goes on; wait for it again: hoist wait %s", wait->request.name);
            return NULL;
        }
    }
}

static int wait_read_timeout(struct wait *wait)
{
    const char *text = wait->session->arguments.timeout;
    struct error err;
    usec_t timeout;

    wait->deadline = USEC_INFINITY;
    if (!text)
        return 0;
    if (quantity_parse_duration(text, &timeout, &err) < 0) {
        tell("--timeout: %s", err.text);
        return -EINVAL;
    }
    if (__builtin_add_overflow(clock_boot(), timeout, &wait->deadline))
        wait->deadline = USEC_INFINITY;
    return 0;
}

int cmd_wait(struct session *session)
{
    struct wait wait = {.session = session, .request = HOIST__V1__WAIT_JOB_REQUEST__INIT};
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;

    if (wait_read_timeout(&wait) < 0 ||
        reconnect_init(&wait.reconnect, session, wait_interrupted, NULL) < 0)
        return command_usage_exit(session->command);
    wait.request.name = session->arguments.words[0];
    job = wait_call(&wait);
    api_free(wait.request.timeout ? &wait.request.timeout->base : NULL);
    return job ? show_end(session, job) : EXIT_HOIST;
}
