/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "launcher/answer.h"
#include "launcher/hoistd-process.h"
#include "launcher/notify.h"
#include "launcher/options.h"
#include "launcher/park.h"
#include "launcher/reload.h"
#include "launcher/setup.h"
#include "launcher/supervisor.h"
#include "spawn/spawn.h"

/*
 * hoist-launcher: the one program of the agent that is started, and the only one that stays root.
 *
 * One thread, one poll(2): signals, hoistd's socket, the host's mounts, one deadline. Whatever it
 * does for hoistd goes through the request table (request-table.c) and the ceilings (ceilings.c).
 */

#define PROGRAM "hoist-launcher"

/* --- the loop -------------------------------------------------------------------------------- */

/* hoist-init's of jobs are our children, too: their statuses are in their state files, the
 * processes only need to be waited for. __WALL: also those cloned with another exit signal. */
static void reap_children(struct supervisor *supervisor)
{
    int status;
    pid_t pid;

    /* Of the one that makes the jobs' root ahead the context tells what came of it. */
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
        if (!spawn_context_reaped(supervisor->launcher->spawn, pid))
            supervisor_reaped(supervisor, pid, status, clock_boot());
}

/* hoistd hears what there is now before the signal that makes it look at its own files. */
static void reload(struct supervisor *supervisor)
{
    struct error err;

    if (launcher_reload(supervisor->launcher, &err) < 0) {
        log_error("launcher.conf was not reloaded, the old one stays in force: %s", err.text);
    } else {
        log_info("launcher.conf reloaded");
        connection_tell_reloaded(&supervisor->connection, supervisor->launcher);
    }
    supervisor_signal(supervisor, SIGHUP);
}

static void handle_signal(struct supervisor *supervisor, uint32_t number)
{
    switch (number) {
    case SIGCHLD:
        reap_children(supervisor);
        break;
    case SIGHUP:
        reload(supervisor);
        break;
    case SIGTERM:
    case SIGINT:
        log_info("stopping");
        notify_manager("STOPPING=1");
        supervisor_stop(supervisor, clock_boot());
        break;
    default:
        break;
    }
}

static void handle_signals(struct supervisor *supervisor, int signalfd)
{
    struct signalfd_siginfo info;

    while (read(signalfd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        handle_signal(supervisor, info.ssi_signo);
}

static int milliseconds_until(usec_t deadline, usec_t now)
{
    usec_t rest;

    if (deadline == USEC_INFINITY)
        return -1;
    rest = deadline > now ? (deadline - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC : 0;
    return rest > INT32_MAX ? INT32_MAX : (int)rest;
}

/* When the service manager wants to hear of us next; USEC_INFINITY: never. */
static usec_t tell_watchdog(usec_t due, usec_t interval)
{
    usec_t now = clock_boot();

    if (interval == 0)
        return USEC_INFINITY;
    if (now < due)
        return due;
    notify_manager("WATCHDOG=1");
    return now + interval;
}

/* What can't be limited behind them has changed, perhaps: hoistd tells its clients. */
static void heed_mounts(struct supervisor *supervisor)
{
    struct launcher *launcher = supervisor->launcher;
    struct error err;
    int r = spawn_context_heed_mounts(launcher->spawn, &err);

    if (r > 0)
        r = launcher_facts(launcher, &err);
    else if (r == 0)
        return;
    if (r < 0)
        log_error("can't look at the host's mounts: %s", err.text);
    else
        connection_tell_reloaded(&supervisor->connection, launcher);
}

/* Jobs start as well, only later. */
static void log_failure(struct spawn_context *context)
{
    struct error why;

    if (spawn_context_failure(context, &why) < 0)
        log_event(LOG_LEVEL_WARNING, "no root can be made ahead: each job makes its own",
                  LOG_TEXT("error", why.text));
}

static int run_once(struct supervisor *supervisor, int signalfd, usec_t watchdog, struct error *err)
{
    struct pollfd waiting[] = {
        {.fd = signalfd, .events = POLLIN},
        {.fd = supervisor->connection.fd, .events = connection_events(&supervisor->connection)},
        spawn_context_waits(supervisor->launcher->spawn),
        spawn_context_mounts(supervisor->launcher->spawn),
    };
    usec_t until = MIN(supervisor_next(supervisor), watchdog);
    int r = poll(waiting, ARRAY_SIZE(waiting), milliseconds_until(until, clock_boot()));

    if (r < 0 && errno != EINTR)
        return error_set(err, -errno, "can't wait for events: %s", strerror(errno));
    /* The socket first: what hoistd said last, before it ended. */
    if (r > 0 && waiting[1].revents)
        supervisor_dispatch(supervisor, clock_boot());
    if (r > 0 && waiting[0].revents)
        handle_signals(supervisor, signalfd);
    if (r > 0 && waiting[2].revents)
        spawn_context_settle(supervisor->launcher->spawn);
    if (r > 0 && waiting[3].revents)
        heed_mounts(supervisor);
    log_failure(supervisor->launcher->spawn);
    supervisor_tick(supervisor, clock_boot());
    return 0;
}

static int run(struct launcher *launcher, int signalfd)
{
    struct supervisor supervisor;
    usec_t interval = notify_watchdog_interval(), watchdog = 0;
    struct error err;
    int r = 0;

    supervisor_init(&supervisor, launcher, clock_boot());
    supervisor_tick(&supervisor, clock_boot());
    while (supervisor.state != SUPERVISOR_ENDED && r >= 0) {
        watchdog = tell_watchdog(watchdog, interval);
        r = run_once(&supervisor, signalfd, watchdog, &err);
    }
    supervisor_done(&supervisor);
    if (r < 0) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    log_info("ended");
    return supervisor.exit_status;
}

/* --- the start ------------------------------------------------------------------------------- */

static void log_start(const struct launcher *launcher)
{
    log_event(LOG_LEVEL_INFO, PROGRAM " " HOIST_VERSION " starts",
              LOG_TEXT("cgroup_root", launcher->facts.cgroup_root),
              LOG_NUMBER("agent_uid", launcher->config->agent_uid),
              LOG_TEXT("rootless", launcher->facts.rootless ? "yes" : "no"));
    for (size_t i = 0; i < launcher->facts.lack_count; i++)
        log_event(LOG_LEVEL_WARNING, "this host lacks something",
                  LOG_TEXT("lack", launcher->facts.lacks[i]));
}

static int serve(struct launcher *launcher, int signalfd, struct error *err)
{
    int r, status;

    /* Without the right to, the host's lacks say so. */
    if (geteuid() == 0 && setup_oom_score() < 0)
        log_warning("the OOM killer may end hoist-launcher and hoistd as any other process");
    r = launcher_make_context(launcher->config, NULL, &launcher->spawn, err);
    if (r >= 0)
        r = launcher_facts(launcher, err);
    if (r < 0)
        return r;
    log_start(launcher);
    status = run(launcher, signalfd);
    listeners_done(&launcher->listeners);
    lifeline_done(&launcher->lifeline);
    return status;
}

static int print(int r, struct buffer *out)
{
    if (r >= 0)
        r = fd_write_full(STDOUT_FILENO, buffer_bytes(out), buffer_size(out));
    if (r < 0)
        dprintf(STDERR_FILENO, PROGRAM ": the answer can't be written: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Returns the exit status, or a negative errno. */
static int act(enum options_request request, struct launcher *launcher, int signalfd,
               struct error *err)
{
    _cleanup_buffer_ struct buffer out = {.limit = 0};
    struct launcher_config *config = launcher->config;
    int r;

    switch (request) {
    case OPTIONS_HELP:
        return print(options_help(&out), &out);
    case OPTIONS_VERSION:
        return print(buffer_append_text(&out, PROGRAM " " HOIST_VERSION "\n"), &out);
    case OPTIONS_PRINT_CONFIG:
        return print(config_print(config, &out), &out);
    case OPTIONS_PARK:
        log_init(PROGRAM, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
        return park(signalfd, err);
    case OPTIONS_RUN:
    default:
        log_init(PROGRAM, (enum log_format)config->log_format, (enum log_level)config->log_level);
        r = config_resolve(config, err);
        if (r < 0) {
            log_error("%s", err->text);
            return error_exit_status(err);
        }
        return serve(launcher, signalfd, err);
    }
}

static int start(struct launcher *launcher, struct error *err)
{
    _cleanup_close_ int signalfd = FD_NONE;
    enum options_request request = OPTIONS_RUN;
    int r = setup_descriptors(err);

    if (r >= 0)
        r = config_init(launcher->config, err);
    if (r >= 0)
        r = options_load(launcher->argc, launcher->argv, NULL, launcher->config, &request, err);
    if (r < 0) {
        /* Said to whoever typed it, not to the log. */
        dprintf(STDERR_FILENO, PROGRAM ": %s\n", err->text);
        return error_exit_status(err);
    }
    r = setup_process(err);
    if (r >= 0)
        r = setup_signals(&signalfd, err);
    return r < 0 ? r : act(request, launcher, signalfd, err);
}

int main(int argc, char **argv)
{
    struct launcher launcher = {.argc = argc, .argv = argv, .lifeline = LIFELINE_NULL};
    struct error err;
    int r;

    log_init(PROGRAM, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    launcher.config = calloc(1, sizeof(*launcher.config));
    r = launcher.config ? start(&launcher, &err) : error_set(&err, -ENOMEM, "no memory");
    if (r < 0)
        log_error("%s", err.text);
    spawn_context_free(launcher.spawn);
    config_free(launcher.config);
    return r < 0 ? EXIT_FAILURE : r;
}
