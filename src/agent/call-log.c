/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/call-log.h"

#include <pthread.h>

#include "agent/call.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signal-name.h"
#include "worker/job-info.h"

void call_log(const struct agent_call *call, const struct grpc_call *grpc,
              const struct grpc_outcome *outcome)
{
    log_event(LOG_LEVEL_INFO, "call", LOG_TEXT("principal", call->identity.principal),
              LOG_TEXT("role", call->role[0] ? call->role : NULL),
              LOG_TEXT("rpc", call->method->name), LOG_TEXT("job", call->job[0] ? call->job : NULL),
              LOG_TEXT("outcome", grpc_status_name(outcome->status)),
              LOG_TEXT("reason", call->reason), LOG_TEXT("peer", grpc_call_peer(grpc)),
              LOG_USEC("duration", outcome->duration), LOG_NUMBER("sent", outcome->sent_bytes));
}

/*
 * What anybody on the network can trigger is limited: a window of one second, counted for all
 * connection threads together.
 */
static pthread_mutex_t window_lock = PTHREAD_MUTEX_INITIALIZER;
static usec_t window_start;    /* clock_boot(); under the lock, as the next */
static unsigned window_lines;  /* written in it */
static unsigned window_hidden; /* left out in it */

/* May a line be written now? *ret_hidden: how many were left out before it. */
static bool window_takes(unsigned *ret_hidden)
{
    usec_t now = clock_boot();
    bool takes;

    pthread_mutex_lock(&window_lock);
    *ret_hidden = 0;
    if (now - window_start >= USEC_PER_SEC) {
        *ret_hidden = window_hidden;
        window_start = now;
        window_lines = window_hidden = 0;
    }
    takes = window_lines < CALL_LOG_CONNECTIONS_MAX;
    if (takes)
        window_lines++;
    else
        window_hidden++;
    pthread_mutex_unlock(&window_lock);
    return takes;
}

void call_log_refused(const struct identity *identity, const char *peer, const char *path,
                      const struct grpc_outcome *outcome, void *arg)
{
    unsigned hidden;

    (void)arg;
    if (!window_takes(&hidden))
        return;
    log_event(LOG_LEVEL_INFO, "call refused",
              LOG_TEXT("principal", identity ? identity->principal : NULL), LOG_TEXT("rpc", path),
              LOG_TEXT("outcome", grpc_status_name(outcome->status)), LOG_TEXT("peer", peer),
              LOG_NUMBER("left_out", hidden));
}

void call_log_connection(const char *peer, const char *reason, void *arg)
{
    unsigned hidden;

    (void)arg;
    if (!window_takes(&hidden))
        return;
    log_event(LOG_LEVEL_INFO, "connection failed", LOG_TEXT("peer", peer),
              LOG_TEXT("reason", reason), LOG_NUMBER("left_out", hidden));
}

void call_log_ended(const struct job_info *job, void *userdata)
{
    char id[ID_TEXT_MAX];

    (void)userdata;
    log_event(
        LOG_LEVEL_INFO, "job ended", LOG_TEXT("job", id_format(&job->id, id)),
        LOG_TEXT("principal", job->created_by), LOG_TEXT("state", hoist_state_name(job->state)),
        LOG_TEXT("cause", hoist_cause_name(job->cause)),
        LOG_NUMBER("exit_code", job->has_exit_code ? job->exit_code : -1),
        LOG_TEXT("signal", job->signal ? signal_name(job->signal) : NULL),
        LOG_TEXT("stopped_by", job->stopped_by && job->stopped_by[0] ? job->stopped_by : NULL),
        LOG_TEXT("reason", job->reason ? hoist_reason_name(job->reason) : NULL),
        LOG_TEXT("error", job->error && job->error[0] ? job->error : NULL),
        LOG_NUMBER("output_bytes", job->output.end_offset), LOG_USEC("duration", job->run_time));
}
