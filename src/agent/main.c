/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/call-log.h"
#include "agent/call.h"
#include "agent/cold-reads.h"
#include "agent/confine.h"
#include "agent/core.h"
#include "agent/doctor.h"
#include "agent/reload.h"
#include "agent/startup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "grpc/server.h"
#include "grpc/tls.h"
#include "wire/launcher-client.h"
#include "worker/spawner-launcher.h"
#include "worker/worker.h"

/*
 * hoistd from its first to its last breath. The core thread does all of this; what it starts are
 * the store's thread (in the worker), the connection threads (in the gRPC server) and
 * the one that reads what is cold.
 *
 *   configuration → launcher: Hello, Listen → confined → worker (finds its jobs again) → server
 *   → Ready
 *
 * A mistake in the configuration ends it with EX_CONFIG, which tells the launcher not to try again;
 * any other failure with 1, after which it does.
 */

#define DRAIN_PATIENCE (5 * USEC_PER_SEC) /* calls under way may end until then */

/* From the drain to the end, in seconds. Whatever hangs then keeps lock and port from the next
 * hoistd, and where the launcher has died nobody else would end it. */
#define SHUTDOWN_PATIENCE 20

/* What main() holds beside the agent itself. */
struct program {
    struct agent agent;
    int argc; /* the command line: it is read again with the file */
    char **argv;
    struct launcher_client *client;
    struct spawner *spawner;
    struct spawner *worker_spawner; /* the same, once it is the worker's; NULL before */
    struct tls_context *tls;
    int listen_fd;
    int cgroups; /* the jobs' cgroup root until the spawner has it */
    uint16_t port;
    sd_event_source *drained;
    bool stopping_jobs; /* they were asked to stop, and not all have ended */
    bool unusable;      /* as it is configured, with the launcher as that is */
    int exit_status;
};

/* ---- going down ---- */

static int program_drained(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct program *program = userdata;

    (void)source;
    (void)fd;
    (void)events;
    return sd_event_exit(program->agent.event, program->exit_status);
}

/* Takes no new calls; those under way may end; then the loop ends. */
static int program_drain(sd_event_source *source, void *userdata)
{
    struct program *program = userdata;
    struct agent *agent = &program->agent;

    (void)source;
    if (program->drained)
        return 0;
    if (!agent->server ||
        sd_event_add_io(agent->event, &program->drained, grpc_server_drained_fd(agent->server),
                        EPOLLIN, program_drained, program) < 0)
        return sd_event_exit(agent->event, program->exit_status);
    grpc_server_drain(agent->server, clock_boot() + DRAIN_PATIENCE);
    return 0;
}

/* A signal handler: nothing here waits for a thread. What was committed is safe. */
static _Noreturn void program_overdue(int signal)
{
    static const char words[] = "hoistd: the shutdown hangs: ended without it\n";

    (void)signal;
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    _exit(EXIT_FAILURE);
}

/* Once the core has nothing else to do: what calls wait for may be known already. */
static void program_begin_drain(struct program *program)
{
    struct agent *agent = &program->agent;
    sd_event_source *source = NULL;
    int r;

    (void)signal(SIGALRM, program_overdue);
    (void)alarm(SHUTDOWN_PATIENCE);
    r = sd_event_add_defer(agent->event, &source, program_drain, program);
    if (r >= 0)
        r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    if (r < 0)
        (void)program_drain(NULL, program);
}

static void program_jobs_stopped(struct worker_reply *reply, void *userdata)
{
    struct program *program = userdata;

    (void)reply; /* also those that couldn't be ended in time were killed */
    program->stopping_jobs = false;
    program_begin_drain(program);
}

/* Each with its own grace. Meanwhile calls are answered and output is followed to its end. */
static void program_stop_jobs(struct program *program)
{
    struct agent *agent = &program->agent;

    program->stopping_jobs =
        agent->worker &&
        worker_stop_all(agent->worker, USEC_INFINITY, program_jobs_stopped, program, NULL) == 0;
}

static void program_shut_down(struct program *program, const char *why, bool stops_jobs,
                              int exit_status)
{
    if (atomic_exchange(&program->agent.shutting_down, true))
        return;
    log_info("shutting down: %s; %s", why, stops_jobs ? "jobs are stopped" : "jobs run on");
    program->exit_status = exit_status;
    if (stops_jobs)
        program_stop_jobs(program);
    if (!program->stopping_jobs)
        program_begin_drain(program);
}

static int program_signalled(sd_event_source *source, const struct signalfd_siginfo *info,
                             void *userdata)
{
    (void)source;
    (void)info;
    program_shut_down(userdata, "asked to by a signal", false, EXIT_SUCCESS);
    return 0;
}

/* The agent as a whole was asked to end. A hoistd alone that is asked to is started again. */
static void program_launcher_stopping(void *owner)
{
    struct program *program = owner;

    program_shut_down(program, "hoist-launcher is stopping",
                      program->agent.config.on_agent_exit == CONFIG_AGENT_EXIT_STOP, EXIT_SUCCESS);
}

/* launcher.conf or the host's mounts are others. After the first SIGHUP follows, by which classes
 * are held against the profiles. */
static void program_launcher_reloaded(const struct launcher_hello *hello, void *owner)
{
    struct program *program = owner;

    program->agent.launcher = *hello;
    if (program->worker_spawner && spawner_launcher_renew(program->worker_spawner, hello) < 0)
        log_error("no memory for what launcher.conf says: reload once more");
}

/* It has died: without it no job can be started, and whoever starts it gets a new hoistd. */
static void program_launcher_gone(const struct error *err, void *owner)
{
    struct program *program = owner;

    log_error("hoist-launcher: %s", err->text);
    program_shut_down(program, "hoist-launcher is gone", false, EXIT_FAILURE);
}

/* Until then jobs can be started and stopped; what they use can't be told. */
static void program_shut_out(void *owner)
{
    program_shut_down(owner,
                      "the jobs' cgroups were made anew, and Landlock lets only a new hoistd read "
                      "them",
                      false, EXIT_SUCCESS);
}

/* ---- reload ---- */

static struct worker_rules program_rules(const struct config *config)
{
    return (struct worker_rules){
        .adopt_wait = config_adopt_wait(config),
        .output = config_output_rules(&config->output),
        .room = {config->output.total, config->output.reserve},
        .retain = config->output.retain,
        .jobs_max = config->jobs_max,
    };
}

static void program_put_into_force(struct program *program, struct reload *reload)
{
    struct agent *agent = &program->agent;
    const struct config old = agent->config;
    struct worker_rules rules;

    agent->config = reload->config;
    reload->config = old;
    rules = program_rules(&agent->config);
    log_set((enum log_format)agent->config.log_format, (enum log_level)agent->config.log_level);
    if (worker_set_rules(agent->worker, &rules) < 0)
        log_error("no memory for output.retain: it stays as it was; reload once more");
    tls_context_unref(program->tls);
    program->tls = TAKE_PTR(reload->tls);
    if (agent->server && grpc_server_set_tls(agent->server, program->tls) < 0)
        log_error("no memory to judge open connections by the new certificates: reload once more");
}

/* SIGHUP: configuration, certificates, CAs and revocation lists anew; where anything in them isn't
 * in order all of the old stays in force. */
static int program_reload(sd_event_source *source, const struct signalfd_siginfo *info,
                          void *userdata)
{
    _cleanup_reload_ struct reload reload = RELOAD_NULL;
    struct program *program = userdata;
    struct error err;

    (void)source;
    (void)info;
    if (reload_read(program->argc, program->argv, &program->agent, &reload, &err) < 0) {
        log_error("configuration and certificates were not reloaded, the old ones stay in force: "
                  "%s",
                  err.text);
        return 0;
    }
    program_put_into_force(program, &reload);
    if (reload.kept[0])
        log_event(LOG_LEVEL_WARNING, "what has changed needs a restart of hoistd",
                  LOG_TEXT("keys", reload.kept));
    log_info("configuration and certificates reloaded");
    return 0;
}

/* ---- serving ---- */

static void program_ready_told(const struct error *err, void *owner)
{
    (void)owner;
    if (err)
        log_error("hoist-launcher doesn't take the ready message: %s", err->text);
}

static int program_serve(struct program *program, struct error *err)
{
    struct agent *agent = &program->agent;
    const struct grpc_server_options options = {
        .listen_fd = program->listen_fd,
        .threads = (unsigned)agent->config.threads,
        .tls = program->tls,
        .methods = method_table(),
        .method_count = methods_count,
        .handlers = &agent_handlers,
        .arg = agent,
        .limits =
            {
                .connections = (unsigned)agent->config.peers_connections,
                .connections_per_address = (unsigned)agent->config.peers_per_address,
                .connections_per_principal = (unsigned)agent->config.peers_per_principal,
                .streams_per_principal = (unsigned)agent->config.peers_streams_per_principal,
            },
    };
    char address[LAUNCHER_ADDRESS_MAX];
    _cleanup_close_ int hold = FD_NONE, watch = FD_NONE;
    int r = worker_open_lifeline(agent->worker, &hold, &watch, err);

    if (r == 0)
        r = cold_reads_new(&agent->cold_reads, err);
    if (r == 0)
        r = grpc_server_new(&options, &agent->server, err);
    if (r == 0)
        r = confine_threads(err);
    if (r < 0)
        return r;
    snprintf(address, sizeof(address), strchr(agent->config.listen.host, ':') ? "[%s]:%u" : "%s:%u",
             agent->config.listen.host, (unsigned)program->port);
    log_event(LOG_LEVEL_INFO, "ready", LOG_TEXT("address", address),
              LOG_TEXT("version", HOIST_VERSION),
              LOG_TEXT("cgroup_root", agent->launcher.cgroup_root));
    return launcher_client_ready(program->client, address, &(struct launcher_lifeline){hold, watch},
                                 program_ready_told, program, err);
}

/* The worker has found its jobs again. */
static void program_worker_ready(struct worker_reply *reply, void *userdata)
{
    struct program *program = userdata;
    struct error err;

    if (reply->failure) {
        log_error("the jobs can't be found again: %s", reply->failure->error.text);
        (void)sd_event_exit(program->agent.event, EXIT_FAILURE);
    } else if (program_serve(program, &err) < 0) {
        log_error("can't serve: %s", err.text);
        (void)sd_event_exit(program->agent.event, EXIT_FAILURE);
    }
}

static void program_trouble(const struct id *job, const struct error *err, void *userdata)
{
    char id[ID_TEXT_MAX];

    (void)userdata;
    log_event(LOG_LEVEL_WARNING, err->text, LOG_TEXT("job", job ? id_format(job, id) : NULL));
}

static int program_open_worker(struct program *program, struct error *err)
{
    const struct agent *agent = &program->agent;
    const bool rootless = agent->launcher.rootless;
    const struct worker_options options = {
        .state_dir = agent->config.state_dir,
        .boot_id = &agent->launcher.boot_id,
        .event = agent->event,
        .spawner = program->spawner,
        .uid_low = rootless ? 0 : agent->launcher.job_uid_min,
        .uid_high = rootless ? 0 : agent->launcher.job_uid_max,
        .uid_fixed = agent->launcher.agent_uid,
        .rules = program_rules(&agent->config),
        .ready = program_worker_ready,
        .ended = call_log_ended,
        .trouble = program_trouble,
        .userdata = program,
    };
    int r = worker_open(&options, &program->agent.worker, err);

    if (r == 0)
        program->worker_spawner = TAKE_PTR(program->spawner);
    return r;
}

/* ---- start ---- */

static int program_catch(struct program *program, int signal, sd_event_signal_handler_t handler,
                         struct error *err)
{
    sd_event_source *source = NULL;
    int r = sd_event_add_signal(program->agent.event, &source, signal, handler, program);

    /* The launcher says that it is stopping, then sends SIGTERM: its word is to be heard first. */
    if (r >= 0)
        r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return r < 0 ? error_set(err, r, "can't catch a signal: %s", strerror(-r)) : 0;
}

/* Signals are blocked before there is any thread, so that all of them inherit it. */
static int program_make_loop(struct program *program, struct error *err)
{
    sigset_t set;
    int r;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    r = sd_event_new(&program->agent.event);
    if (r < 0)
        return error_set(err, r, "can't make an event loop: %s", strerror(-r));
    r = program_catch(program, SIGTERM, program_signalled, err);
    if (r == 0)
        r = program_catch(program, SIGINT, program_signalled, err);
    if (r == 0)
        r = program_catch(program, SIGHUP, program_reload, err);
    return r < 0 ? r : core_new(program->agent.event, &program->agent.core, err);
}

static int program_meet_launcher(struct program *program, struct error *err)
{
    const struct launcher_notices notices = {program_launcher_stopping, program_launcher_reloaded};
    _cleanup_close_ int fd = FD_NONE;
    int r = launcher_client_fd_from_env(&fd, err);

    if (r < 0)
        return r;
    r = launcher_client_new(fd, &notices, program, &program->client, err);
    if (r < 0)
        return r;
    fd = FD_NONE; /* taken */
    r = startup_hello(program->client, &program->agent.launcher, &program->cgroups, err);
    if (r < 0)
        return r;
    r = startup_check_profiles(&program->agent.config.classes, &program->agent.launcher, err);
    program->unusable = r < 0;
    if (r == 0)
        r = startup_listen(program->client, &program->agent.config.listen, &program->listen_fd,
                           &program->port, err);
    return r;
}

static int program_start(struct program *program, struct error *err)
{
    const struct spawner_launcher_events events = {
        .gone = program_launcher_gone,
        .shut_out = program_shut_out,
        .userdata = program,
    };
    int r = program_make_loop(program, err);

    if (r == 0)
        r = program_meet_launcher(program, err);
    if (r == 0)
        doctor_at_start(&program->agent.config, &program->agent.launcher);
    if (r == 0)
        r = confine_to_serving(&program->agent.config, program->cgroups, &program->agent.own_root,
                               err);
    if (r == 0)
        r = spawner_launcher_new(program->agent.event, program->client, &program->agent.launcher,
                                 program->cgroups, &events, &program->spawner, err);
    if (r < 0)
        return r;
    program->cgroups = FD_NONE; /* taken */
    return program_open_worker(program, err);
}

static void program_done(struct program *program)
{
    struct agent *agent = &program->agent;

    sd_event_source_unref(program->drained);
    /* First the threads that make calls, then what answers them. */
    agent->server = grpc_server_free(agent->server);
    agent->cold_reads = cold_reads_free(agent->cold_reads);
    agent->worker = worker_close(agent->worker);
    agent->core = core_free(agent->core);
    spawner_free(program->spawner);
    launcher_client_free(program->client);
    fd_close(program->listen_fd);
    fd_close(program->cgroups);
    tls_context_unref(program->tls);
    sd_event_unref(agent->event);
    config_done(&agent->config);
}

/* --help and the like: what they ask for goes to stdout. */
static int program_print(const struct config *config, enum config_request request)
{
    _cleanup_buffer_ struct buffer out = {0};
    int r;

    if (request == CONFIG_HELP)
        r = config_print_help(&out);
    else if (request == CONFIG_VERSION)
        r = buffer_append_text(&out, "hoistd " HOIST_VERSION "\n");
    else
        r = config_print(config, &out);
    if (r == 0)
        r = fd_write_full(STDOUT_FILENO, buffer_bytes(&out), buffer_size(&out));
    if (r < 0)
        fprintf(stderr, "hoistd: the answer can't be written: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int program_tell(const struct config *config, enum config_request request)
{
    static const enum doctor_format formats[] = {
        [CONFIG_DOCTOR] = DOCTOR_TEXT,
        [CONFIG_DOCTOR_JSON] = DOCTOR_JSON,
        [CONFIG_DOCTOR_YAML] = DOCTOR_YAML,
    };

    if (request == CONFIG_DOCTOR || request == CONFIG_DOCTOR_JSON || request == CONFIG_DOCTOR_YAML)
        return doctor_main(config, formats[request]);
    return program_print(config, request);
}

/* What a wrong configuration, key or certificate is: trying again would not mend it. */
static int program_configure(struct program *program, struct error *err)
{
    int r = config_check(&program->agent.config, err);

    return r < 0 ? r : reload_certificates(&program->agent.config, false, &program->tls, err);
}

int main(int argc, char **argv)
{
    struct program program = {.argc = argc, .argv = argv, .listen_fd = FD_NONE, .cgroups = FD_NONE};
    enum config_request request;
    struct error err;
    int status;

    if (config_load(argc, argv, &program.agent.config, &request, &err) < 0) {
        fprintf(stderr, "hoistd: %s\n", err.text);
        return error_exit_status(&err);
    }
    if (request != CONFIG_SERVE) {
        status = program_tell(&program.agent.config, request);
        config_done(&program.agent.config);
        return status;
    }
    log_init("hoistd", (enum log_format)program.agent.config.log_format,
             (enum log_level)program.agent.config.log_level);
    if (confine_self(&err) < 0 || program_configure(&program, &err) < 0) {
        log_error("%s", err.text);
        program_done(&program);
        return error_exit_status(&err);
    }
    program.agent.start_time = clock_wall();
    if (gethostname(program.agent.host, sizeof(program.agent.host) - 1) < 0)
        program.agent.host[0] = 0;
    if (program_start(&program, &err) < 0) {
        log_error("%s", err.text);
        status = program.unusable ? error_exit_status(&err) : EXIT_FAILURE;
    } else {
        status = sd_event_loop(program.agent.event);
    }
    program_done(&program);
    log_info("ended");
    return status < 0 ? EXIT_FAILURE : status;
}
