/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four different things end, in this order: the command (its status is taken at once, and is what
 * waitid(2) said), its tree (killed, or given its grace while a stop is under way), its output (the
 * pipes are drained and the index ends), and the record. Each is a fact of its own in the
 * supervisor.
 */
#include "init/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* For processes that SIGKILL doesn't end at once, since they are blocked in the kernel. */
#define DRAIN_MAX (5 * USEC_PER_SEC)

#define USEC_PER_TIMEVAL(tv) ((usec_t)(tv).tv_sec * USEC_PER_SEC + (usec_t)(tv).tv_usec)

int supervisor_init(struct supervisor *supervisor, const struct plan_settings *settings,
                    struct error *err)
{
    sigset_t set;
    int signal_fd, timer_fd;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    for (int op = 0; op < _CONTROL_OP_MAX; op++)
        sigaddset(&set, CONTROL_SIGNAL_FIRST + op);
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    supervisor->settings = settings;
    supervisor->cpu_time = CPU_TIME_NULL;
    supervisor->adoption = ADOPTION_NULL;
    supervisor->signal_fd = signal_fd;
    supervisor->timer_fd = timer_fd;
    supervisor->timeout_at = supervisor->armed = supervisor->drain_until = USEC_INFINITY;
    if (signal_fd < 0 || timer_fd < 0)
        return error_set(err, -errno, "no descriptor for signals or timers: %s", strerror(errno));
    return 0;
}

/* --- the command's start ------------------------------------------------------------------------
 */

static void note_started(struct supervisor *supervisor)
{
    usec_t timeout = supervisor->settings->timeout;

    supervisor->started = true;
    report_started(&supervisor->report, supervisor->command.pid);
    if (timeout > 0)
        supervisor->timeout_at = supervisor->report.progress.started_boot + timeout;
}

static void take_answer(struct supervisor *supervisor)
{
    struct command_answer answer = {SPAWN_FAILURE_SPAWN, -EPROTO, "the start's answer is cut"};
    int r;

    if (supervisor->command.answer_fd < 0)
        return;
    r = command_read_answer(supervisor->command.answer_fd, &answer);
    if (r == -EAGAIN)
        return;
    supervisor->command.answer_fd = fd_close(supervisor->command.answer_fd);
    if (r == 0) {
        note_started(supervisor);
        return;
    }
    supervisor->start_failed = true;
    (void)pump_finish(&supervisor->pump, clock_boot()); /* empty: nothing can be missing */
    report_start_failed(&supervisor->report, answer.failure, answer.code, answer.sentence);
}

/* --- stopping -----------------------------------------------------------------------------------
 */

/*
 * To the process group of the command; before it has one, to itself. A stopped process can act on
 * no other signal, so SIGCONT follows.
 */
static void signal_command(const struct supervisor *supervisor, int signal, bool wake)
{
    pid_t pid = supervisor->command.pid;

    if (kill(-pid, signal) < 0 && errno == ESRCH && !supervisor->end.known)
        (void)kill(pid, signal);
    if (wake)
        (void)kill(-pid, SIGCONT);
}

/* Everybody in the PID namespace but PID 1 itself: kill(2). */
static void kill_everybody(void)
{
    (void)kill(-1, SIGKILL);
}

static void act(struct supervisor *supervisor, enum stop_action action)
{
    if (action == STOP_NOTHING)
        return;
    if (action == STOP_SIGNAL)
        signal_command(supervisor, supervisor->stop.signal, true);
    else
        kill_everybody();
    report_stop(&supervisor->report, &supervisor->stop);
}

static void handle_request(struct supervisor *supervisor, const struct control_request *request,
                           usec_t now)
{
    struct stop *stop = &supervisor->stop;

    switch (request->op) {
    case CONTROL_STOP:
        act(supervisor,
            stop_request(stop, STATE_STOP_REQUEST, request->signal, request->grace, now));
        return;
    case CONTROL_SIGNAL:
        signal_command(supervisor, request->signal, false);
        return;
    case CONTROL_KILL:
        supervisor->give_up = supervisor->end.known && supervisor->pump.disk_full;
        act(supervisor, stop_kill(stop, STATE_STOP_REQUEST, now));
        return;
    case _CONTROL_OP_MAX:
        return;
    }
}

/* --- the ends of processes ----------------------------------------------------------------------
 */

/* Nobody asked for the end of a job for its output; what became of that is said by other flags. */
static uint32_t exit_flags(const struct stop *stop)
{
    uint32_t flags = 0;

    if (stop->reason == STATE_STOP_NONE || stop->reason == STATE_STOP_OUTPUT ||
        stop->reason == STATE_STOP_CAP)
        return flags;
    flags |= STATE_EXIT_STOPPED;
    if (stop->reason == STATE_STOP_TIMEOUT)
        flags |= STATE_EXIT_TIMED_OUT;
    if (stop->killed)
        flags |= STATE_EXIT_KILLED;
    return flags;
}

static void note_command_end(struct supervisor *supervisor, const siginfo_t *info)
{
    take_answer(supervisor); /* what it said before it ended */
    supervisor->end = (struct command_end){
        .known = true,
        .code = info->si_code,
        .status = info->si_status,
        .wall = clock_wall(),
        .boot = clock_boot(),
        .flags = exit_flags(&supervisor->stop),
    };
    supervisor->timeout_at = USEC_INFINITY;
    cpu_time_done(&supervisor->cpu_time);
    adoption_done(&supervisor->adoption);
    pump_lift_rate(&supervisor->pump);
}

/* SIGCHLD coalesces: one may stand for many. Orphans of the job are children of PID 1. */
static void reap(struct supervisor *supervisor)
{
    for (;;) {
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0) {
            supervisor->all_gone = errno == ECHILD;
            return;
        }
        if (info.si_pid == 0)
            return;
        if (info.si_pid == supervisor->command.pid && !supervisor->end.known)
            note_command_end(supervisor, &info);
    }
}

/*
 * From outside the PID namespace a sender has no number in it: requests are told from the job's own
 * signals by that. The kernel fills it in for kill(2); a queued signal says what its sender writes
 * there (rt_sigqueueinfo(2)), but nobody may queue one who may not signal us. Of a job that is so,
 * whose uid is another; a rootless one has our uid, can forge a request, and so spoil its own
 * record. SIGTERM is what a host that shuts down sends to everybody.
 */
static void handle_signal(struct supervisor *supervisor, const struct signalfd_siginfo *info,
                          usec_t now)
{
    const struct plan_settings *settings = supervisor->settings;
    struct control_request request = {CONTROL_STOP, settings->stop_signal, settings->grace};

    if (info->ssi_signo == SIGCHLD || info->ssi_pid != 0)
        return;
    if (info->ssi_signo == SIGTERM ||
        control_parse((int)info->ssi_signo, info->ssi_int, &request) >= 0)
        handle_request(supervisor, &request, now);
}

/* Before each request the ends so far are noted: a command that had ended was not stopped. */
static void take_signals(struct supervisor *supervisor, usec_t now)
{
    struct signalfd_siginfo info;

    while (read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        reap(supervisor);
        handle_signal(supervisor, &info, now);
    }
}

/* --- time and output ----------------------------------------------------------------------------
 */

/* By a limit of time, or for want of an agent; a stop that is under way already has its own reason.
 */
static void stop_for(struct supervisor *supervisor, enum state_stop_reason reason, usec_t now)
{
    const struct plan_settings *settings = supervisor->settings;

    if (supervisor->stop.reason == STATE_STOP_NONE)
        act(supervisor,
            stop_request(&supervisor->stop, reason, settings->stop_signal, settings->grace, now));
}

static void check_time(struct supervisor *supervisor, usec_t now)
{
    if (supervisor->timeout_at <= now) {
        supervisor->timeout_at = USEC_INFINITY;
        stop_for(supervisor, STATE_STOP_TIMEOUT, now);
    }
    if (cpu_time_is_over(&supervisor->cpu_time, now))
        stop_for(supervisor, STATE_STOP_CPU_TIME, now);
    if (adoption_is_over(&supervisor->adoption, now))
        stop_for(supervisor, STATE_STOP_ORPHANED, now);
    report_flag(&supervisor->report, STATE_AGENT_GONE, adoption_waits(&supervisor->adoption), 0);
    act(supervisor, stop_check(&supervisor->stop, now));
    pump_check(&supervisor->pump, now);
}

/* What became of the output, for the state file and, if it is beyond help or its cap, for the job.
 */
static void check_output(struct supervisor *supervisor, usec_t now)
{
    const struct plan_settings *settings = supervisor->settings;
    const struct pump *pump = &supervisor->pump;
    const struct output_gap *gap = &pump->writer.header.gap;

    report_gap(&supervisor->report, gap->start, gap->end);
    report_flag(&supervisor->report, STATE_WAITING_FOR_DISK, pump->disk_full, -ENOSPC);
    report_flag(&supervisor->report, STATE_THROTTLED, pump->slow_until > now, 0);
    if (pump->error < 0 && !supervisor->end.known && !supervisor->stop.killed)
        act(supervisor, stop_kill(&supervisor->stop, STATE_STOP_OUTPUT, now));
    if (pump->beyond_cap && !supervisor->end.known && supervisor->stop.reason == STATE_STOP_NONE)
        act(supervisor, stop_request(&supervisor->stop, STATE_STOP_CAP, settings->stop_signal,
                                     settings->grace, now));
}

/*
 * After the command's end, unless a stop gives the others their grace. Each time somebody has ended
 * it is said again, which costs nothing and needs no proof that a fork can't slip through.
 */
static void end_tree(struct supervisor *supervisor, usec_t now)
{
    if (!supervisor->end.known || supervisor->all_gone || stop_gives_grace(&supervisor->stop))
        return;
    kill_everybody();
    if (supervisor->rest_killed)
        return;
    supervisor->rest_killed = true;
    supervisor->drain_until = now + DRAIN_MAX;
    report_draining(&supervisor->report);
}

/* --- the loop -----------------------------------------------------------------------------------
 */

static usec_t next_event(const struct supervisor *supervisor)
{
    usec_t next = MIN(supervisor->timeout_at, supervisor->drain_until);

    next = MIN(next, stop_next(&supervisor->stop));
    next = MIN(next, cpu_time_next(&supervisor->cpu_time));
    next = MIN(next, adoption_next(&supervisor->adoption));
    return MIN(next, pump_next(&supervisor->pump));
}

static void arm_timer(struct supervisor *supervisor)
{
    usec_t next = next_event(supervisor);
    struct itimerspec when = {0};

    if (next == supervisor->armed)
        return;
    supervisor->armed = next;
    if (next != USEC_INFINITY) {
        next = MAX(next, (usec_t)1); /* 0 would switch it off */
        when.it_value.tv_sec = (time_t)(next / USEC_PER_SEC);
        when.it_value.tv_nsec = (long)(next % USEC_PER_SEC * NSEC_PER_USEC);
    }
    (void)timerfd_settime(supervisor->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void take_timer(struct supervisor *supervisor)
{
    uint64_t expirations;

    if (read(supervisor->timer_fd, &expirations, sizeof(expirations)) > 0)
        supervisor->armed = USEC_INFINITY;
}

enum source {
    SOURCE_SIGNALS,
    SOURCE_TIMER,
    SOURCE_ANSWER,
    SOURCE_LIFELINE,
    SOURCE_PIPE,
    _SOURCE_MAX = SOURCE_PIPE + PUMP_PIPES_MAX,
};

static void wait_and_handle(struct supervisor *supervisor)
{
    struct pollfd fds[_SOURCE_MAX] = {
        [SOURCE_SIGNALS] = {supervisor->signal_fd, POLLIN, 0},
        [SOURCE_TIMER] = {supervisor->timer_fd, POLLIN, 0},
        [SOURCE_ANSWER] = {supervisor->command.answer_fd, POLLIN, 0},
        [SOURCE_LIFELINE] = {adoption_poll_fd(&supervisor->adoption), 0, 0},
    };
    usec_t now;

    for (unsigned pipe = 0; pipe < PUMP_PIPES_MAX; pipe++)
        fds[SOURCE_PIPE + pipe] = (struct pollfd){pump_poll_fd(&supervisor->pump, pipe), POLLIN, 0};
    arm_timer(supervisor);
    if (poll(fds, _SOURCE_MAX, -1) < 0)
        return;
    now = clock_boot();
    if (fds[SOURCE_ANSWER].revents)
        take_answer(supervisor);
    if (fds[SOURCE_TIMER].revents)
        take_timer(supervisor);
    if (fds[SOURCE_SIGNALS].revents)
        take_signals(supervisor, now);
    if (fds[SOURCE_LIFELINE].revents)
        adoption_hung_up(&supervisor->adoption, now);
    check_time(supervisor, now);
    for (unsigned pipe = 0; pipe < PUMP_PIPES_MAX; pipe++)
        if (fds[SOURCE_PIPE + pipe].revents)
            pump_read(&supervisor->pump, pipe, now);
    check_output(supervisor, now);
    end_tree(supervisor, now);
}

static bool tree_is_over(const struct supervisor *supervisor)
{
    if (supervisor->start_failed)
        return true;
    return supervisor->end.known &&
           (supervisor->all_gone || supervisor->drain_until <= clock_boot());
}

/* 0: the output is complete; a negative errno: it will never be. */
static int end_output(struct supervisor *supervisor)
{
    struct pump *pump = &supervisor->pump;

    supervisor->drain_until =
        USEC_INFINITY; /* it has come, and would be a timer that always fires */
    for (;;) {
        usec_t now = clock_boot();
        int r = pump_drain(pump, now) ? pump_finish(pump, now) : OUTPUT_DISK_FULL;

        if (r != OUTPUT_DISK_FULL)
            return r;
        if (supervisor->give_up)
            return -ENOSPC;
        if (supervisor->report.progress.phase != STATE_PHASE_DRAINING)
            report_draining(&supervisor->report);
        check_output(supervisor, now);
        wait_and_handle(supervisor);
    }
}

static int write_exit_record(struct supervisor *supervisor, int output_error)
{
    const struct command_end *end = &supervisor->end;
    struct rusage usage = {0};
    struct state_exit exit = {
        .flags = end->flags | (output_error < 0 ? (uint32_t)STATE_EXIT_OUTPUT_LOST : 0) |
                 (supervisor->pump.beyond_cap ? (uint32_t)STATE_EXIT_BEYOND_CAP : 0),
        .code = end->code,
        .status = end->status,
        .output_error = output_error,
        .stop_reason = supervisor->stop.reason,
        .stop_signal = supervisor->stop.signal,
        .started_wall = supervisor->report.progress.started_wall,
        .ended_wall = end->wall,
        .started_boot = supervisor->report.progress.started_boot,
        .ended_boot = end->boot,
        .output_end = supervisor->pump.writer.end,
    };

    report_gap(&supervisor->report, supervisor->pump.writer.header.gap.start,
               supervisor->pump.writer.header.gap.end);
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    exit.cpu_user = USEC_PER_TIMEVAL(usage.ru_utime);
    exit.cpu_system = USEC_PER_TIMEVAL(usage.ru_stime);
    exit.max_rss = (uint64_t)usage.ru_maxrss * 1024; /* getrusage(2): kilobytes */
    pump_totals(&supervisor->pump, exit.totals);
    return report_exit(&supervisor->report, &exit);
}

int supervise(struct supervisor *supervisor)
{
    while (!tree_is_over(supervisor))
        wait_and_handle(supervisor);
    if (supervisor->start_failed)
        return 0;
    return write_exit_record(supervisor, end_output(supervisor));
}
