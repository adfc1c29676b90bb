/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "init/adoption.h"
#include "init/command.h"
#include "init/cpu-time.h"
#include "init/pump.h"
#include "init/report.h"
#include "init/stop.h"
#include "wire/plan.h"

/*
 * A running job, from the clone of its command to the exit record.
 *
 * One thread, one poll(2): requests and the ends of children come by a signalfd, time by one
 * timerfd, output by the pipes. Nothing here allocates memory or needs more than CAP_KILL.
 */

/* How the command ended: waitid(2). */
struct command_end {
    bool known;
    int code, status;
    usec_t wall, boot;
    uint32_t flags; /* enum state_exit_flags, as they were then */
};

struct supervisor {
    const struct plan_settings *settings; /* borrowed */
    struct report report;
    struct pump pump;
    struct stop stop;
    struct command command;
    int signal_fd, timer_fd; /* owned */
    bool started;            /* the exec has succeeded */
    bool start_failed;
    usec_t timeout_at; /* CLOCK_BOOTTIME; USEC_INFINITY: none */
    struct cpu_time cpu_time;
    struct adoption adoption;
    usec_t armed; /* what the timer is set to; USEC_INFINITY: off */
    struct command_end end;
    bool all_gone;      /* no process but PID 1 is left in the namespace */
    bool rest_killed;   /* SIGKILL to all after the command's end */
    usec_t drain_until; /* then the record is written although somebody is left (blocked in the
                           kernel) */
    bool give_up;       /* killed once more while output waits for the disk */
};

/* Opens signalfd and timerfd, while all signals are blocked. */
int supervisor_init(struct supervisor *supervisor, const struct plan_settings *settings,
                    struct error *err);

/* Returns when the last word is said: 0, or a negative errno when it couldn't be written. */
int supervise(struct supervisor *supervisor);
