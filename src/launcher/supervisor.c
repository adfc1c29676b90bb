/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/log.h"
#include "base/signal-name.h"
#include "launcher/answer.h"
#include "launcher/hoistd-process.h"
#include "wire/packet.h"

void supervisor_init(struct supervisor *supervisor, struct launcher *launcher, usec_t now)
{
    *supervisor = (struct supervisor){
        .launcher = launcher,
        .state = SUPERVISOR_WAITING,
        .hoistd = PIDREF_NULL,
        .connection = CONNECTION_NULL,
        .deadline = now,
        .backoff = SUPERVISOR_BACKOFF_MIN,
    };
}

void supervisor_done(struct supervisor *supervisor)
{
    connection_done(&supervisor->connection);
    pidref_done(&supervisor->hoistd);
}

static void supervisor_move(struct supervisor *supervisor, enum supervisor_state state,
                            usec_t deadline)
{
    supervisor->state = state;
    supervisor->deadline = deadline;
}

/* --- starting -------------------------------------------------------------------------------- */

static void supervisor_wait(struct supervisor *supervisor, usec_t now)
{
    if (supervisor->ready_since > 0 && now - supervisor->ready_since >= SUPERVISOR_GOOD_AFTER)
        supervisor->backoff = SUPERVISOR_BACKOFF_MIN;
    supervisor->ready_since = 0;
    supervisor_move(supervisor, SUPERVISOR_WAITING, now + supervisor->backoff);
    supervisor->backoff = MIN(2 * supervisor->backoff, SUPERVISOR_BACKOFF_MAX);
}

static int hoistd_start(struct supervisor *supervisor, struct error *err)
{
    _cleanup_close_ int ours = FD_NONE, theirs = FD_NONE;
    int ends[2];
    int r = packet_pair(LAUNCHER_REQUEST_MAX, ends, err);

    if (r < 0)
        return r;
    ours = ends[0];
    theirs = ends[1];
    r = hoistd_process_start(supervisor->launcher->config, theirs, &supervisor->hoistd, err);
    if (r < 0)
        return r;
    listeners_forget(&supervisor->launcher->listeners);
    connection_init(&supervisor->connection, TAKE_FD(ours));
    return 0;
}

static void supervisor_start(struct supervisor *supervisor, usec_t now)
{
    struct error err;

    if (hoistd_start(supervisor, &err) < 0) {
        log_event(LOG_LEVEL_ERROR, "can't start hoistd", LOG_TEXT("error", err.text));
        supervisor_wait(supervisor, now);
        return;
    }
    supervisor_move(supervisor, SUPERVISOR_RUNNING, USEC_INFINITY);
    log_event(LOG_LEVEL_INFO, "hoistd started", LOG_NUMBER("pid", supervisor->hoistd.pid),
              LOG_NUMBER("uid", supervisor->launcher->config->agent_uid));
}

/* --- ending ---------------------------------------------------------------------------------- */

static void hoistd_kill(struct supervisor *supervisor)
{
    int r = pidref_kill(&supervisor->hoistd, SIGKILL);

    if (r < 0 && r != -ESRCH)
        log_event(LOG_LEVEL_ERROR, "can't kill hoistd", LOG_TEXT("error", strerror(-r)));
}

usec_t supervisor_next(const struct supervisor *supervisor)
{
    return MIN(supervisor->deadline, refusal_log_due(&supervisor->launcher->refusals));
}

void supervisor_tick(struct supervisor *supervisor, usec_t now)
{
    refusal_log_tick(&supervisor->launcher->refusals, now);
    if (now < supervisor->deadline)
        return;
    switch (supervisor->state) {
    case SUPERVISOR_WAITING:
        supervisor_start(supervisor, now);
        break;
    case SUPERVISOR_LEAVING:
    case SUPERVISOR_STOPPING:
        log_warning("hoistd doesn't end: killing it");
        supervisor->deadline = USEC_INFINITY;
        hoistd_kill(supervisor);
        break;
    case SUPERVISOR_RUNNING:
    case SUPERVISOR_ENDED:
    case _SUPERVISOR_STATE_MAX:
    default:
        supervisor->deadline = USEC_INFINITY;
    }
}

/* Whoever has broken the protocol is not asked to leave; whoever has closed its socket is on its
 * way out, and its exit status will tell why. */
static void supervisor_disconnect(struct supervisor *supervisor, const struct error *why,
                                  usec_t now)
{
    connection_done(&supervisor->connection);
    if (why->code != -EPIPE) {
        log_event(LOG_LEVEL_ERROR,
                  why->code == -EPROTO ? "hoistd broke the protocol: killing it"
                                       : "the connection to hoistd failed: killing it",
                  LOG_TEXT("error", why->text));
        hoistd_kill(supervisor);
    }
    if (supervisor->state == SUPERVISOR_RUNNING)
        supervisor_move(supervisor, SUPERVISOR_LEAVING, now + SUPERVISOR_EXIT_GRACE);
}

void supervisor_dispatch(struct supervisor *supervisor, usec_t now)
{
    struct error err;

    if (connection_dispatch(&supervisor->connection, supervisor->launcher, &err) < 0)
        supervisor_disconnect(supervisor, &err, now);
    else if (supervisor->connection.state == CONNECTION_READY && supervisor->ready_since == 0)
        supervisor->ready_since = now;
}

/* "exited with 1", "was killed by SIGSEGV". */
static const char *status_text(int status, char *text, size_t room)
{
    if (WIFEXITED(status))
        snprintf(text, room, "exited with %d", WEXITSTATUS(status));
    else
        snprintf(text, room, "was killed by SIG%s", signal_name(WTERMSIG(status)));
    return text;
}

/*
 * One that was killed by something other than SIGKILL has crashed, or made a system call that it
 * never makes: then somebody else speaks for it.
 */
static void init_reaped(struct supervisor *supervisor, pid_t pid, int status, usec_t now)
{
    struct error why;
    char text[64];

    if (!WIFSIGNALED(status) || WTERMSIG(status) == SIGKILL)
        return;
    error_set(&why, -ECHILD, "pid %d %s", (int)pid, status_text(status, text, sizeof(text)));
    refusal_log_add(&supervisor->launcher->refusals, LOG_LEVEL_WARNING,
                    "a hoist-init has not ended by itself: its job is LOST", NULL, NULL, &why, now);
}

void supervisor_reaped(struct supervisor *supervisor, pid_t pid, int status, usec_t now)
{
    bool stopping = supervisor->state == SUPERVISOR_STOPPING;
    bool unusable = WIFEXITED(status) && WEXITSTATUS(status) == HOISTD_EXIT_CONFIG;
    char text[64];

    if (pid != supervisor->hoistd.pid || pid == 0)
        return init_reaped(supervisor, pid, status, now);
    pidref_done(&supervisor->hoistd);
    supervisor->hoistd = PIDREF_NULL;
    connection_done(&supervisor->connection);
    refusal_log_end(&supervisor->launcher->refusals);
    log_event(stopping ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "hoistd ended",
              LOG_TEXT("status", status_text(status, text, sizeof(text))));
    if (!stopping && !unusable) {
        supervisor_wait(supervisor, now);
        return;
    }
    if (unusable && !stopping)
        log_error("hoistd can't run as it is configured (its own message says why): not restarted");
    supervisor->exit_status = stopping ? EXIT_SUCCESS : HOISTD_EXIT_CONFIG;
    supervisor_move(supervisor, SUPERVISOR_ENDED, USEC_INFINITY);
}

void supervisor_signal(struct supervisor *supervisor, int signal_number)
{
    int r;

    if (supervisor->hoistd.pid == 0)
        return;
    r = pidref_kill(&supervisor->hoistd, signal_number);
    if (r < 0 && r != -ESRCH)
        log_event(LOG_LEVEL_WARNING, "can't signal hoistd", LOG_TEXT("error", strerror(-r)));
}

void supervisor_stop(struct supervisor *supervisor, usec_t now)
{
    switch (supervisor->state) {
    case SUPERVISOR_STOPPING:
        log_warning("asked to stop a second time: killing hoistd");
        hoistd_kill(supervisor);
        break;
    case SUPERVISOR_RUNNING:
    case SUPERVISOR_LEAVING:
        supervisor->launcher->stopping = true;
        connection_tell_stopping(&supervisor->connection, supervisor->launcher);
        supervisor_signal(supervisor, SIGTERM);
        supervisor_move(supervisor, SUPERVISOR_STOPPING,
                        now + supervisor->launcher->config->stop_timeout);
        break;
    case SUPERVISOR_WAITING:
        supervisor_move(supervisor, SUPERVISOR_ENDED, USEC_INFINITY);
        break;
    case SUPERVISOR_ENDED:
    case _SUPERVISOR_STATE_MAX:
    default:
        break;
    }
}
