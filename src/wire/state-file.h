/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "wire/spawn-spec.h"

/*
 * The state file: what hoist-init says about its job, and the only way in which it says it.
 *
 * Exactly STATE_FILE_SIZE bytes, written full by its creator (so that no later write can meet
 * ENOSPC), in slots of 512 bytes, each written by one aligned pwrite(2) and ending with a checksum:
 * a reader that meets a write half done, or a machine that lost power, sees a slot that doesn't
 * check and never a wrong value. Identity and exit record are written once; progress alternates
 * between two slots under a rising sequence number, so that one of them always checks.
 *
 *   offset  slot       writer      when
 *        0  identity   creator     once, with the file
 *      512  process    creator     once, when the spawner has answered: who hoist-init is on the
 * host 1024  progress A hoist-init  each change, in turn 1536  progress B hoist-init 2048  exit
 * hoist-init  once, its last write; fdatasync(2) follows data and index 2560  unused, zeros
 *
 * Writers and readers share no lock; watch the file by inotify (IN_MODIFY) and read it again.
 * Nothing here allocates memory.
 */

#define STATE_FILE_SIZE    4096
#define STATE_SENTENCE_MAX 224

enum state_phase {
    STATE_PHASE_CREATED,      /* nothing was said yet: hoist-init sets up, or never ran */
    STATE_PHASE_STARTED,      /* the command was executed (its execve(2) succeeded) */
    STATE_PHASE_START_FAILED, /* final: `failure`, `error` say why; there is no exit record */
    STATE_PHASE_STOPPING,     /* the stop signal was sent; `stop_*` say why */
    STATE_PHASE_DRAINING,     /* the command has ended; the rest is killed, output is written */
    _STATE_PHASE_MAX,
};

const char *state_phase_name(enum state_phase phase); /* "started" */

enum state_stop_reason {
    STATE_STOP_NONE,
    /* The plan's cpu_time is used up. */
    STATE_STOP_CPU_TIME,
    STATE_STOP_REQUEST, /* CONTROL_STOP or CONTROL_KILL (wire/control.h) */
    STATE_STOP_TIMEOUT, /* the plan's timeout */
    STATE_STOP_OUTPUT,  /* output can't be written (not for a full disk, which it waits for): rather
                           than to go on unseen the job is killed */
    STATE_STOP_CAP,     /* output went beyond the plan's cap, at which the job is to be stopped */
    STATE_STOP_ORPHANED, /* the agent was gone for the plan's adopt_wait (since version 2) */
    _STATE_STOP_REASON_MAX,
};

enum state_flags {
    STATE_WAITING_FOR_DISK = 1 << 0, /* output can't be written (ENOSPC, EDQUOT, EIO: `error_code`);
                                        the job's pipes fill and it waits; nothing is lost */
    STATE_THROTTLED = 1 << 1,        /* output is held to the plan's rate */
    STATE_AGENT_GONE = 1 << 2,       /* the plan's adopt_wait runs (since version 2) */
    _STATE_FLAGS_ALL = (1 << 3) - 1,
};

struct state_progress {
    uint64_t sequence; /* set by state_file_write_progress(); 0: never written */
    enum state_phase phase;
    uint32_t flags; /* enum state_flags */
    /* from STARTED on */
    pid_t command_pid; /* inside the job's PID namespace */
    usec_t started_wall;
    usec_t started_boot;
    /* from STOPPING on */
    enum state_stop_reason stop_reason;
    int stop_signal;
    usec_t stop_wall;
    usec_t kill_boot; /* when SIGKILL follows or followed (CLOCK_BOOTTIME) */
    bool killed;      /* it was sent */
    /* START_FAILED */
    enum spawn_failure failure;
    int error_code; /* negative errno: of the failure, or of STATE_WAITING_FOR_DISK; 0: none */
    char sentence[STATE_SENTENCE_MAX]; /* "the command \"nginx\" was not found in PATH"; may hold
                                          any byte but NUL */
    /* Output, as of this write; src/output's index is always newer. */
    uint64_t totals[2]; /* bytes of stdout and stderr */
    uint64_t gap_start; /* data[gap_start .. gap_end) was dropped by the cap; equal: nothing was */
    uint64_t gap_end;
};

enum state_exit_flags {
    /* By request or timeout: the signal (or SIGKILL) was sent before the command ended. */
    STATE_EXIT_STOPPED = 1 << 0,
    /* And the first reason was the timeout. */
    STATE_EXIT_TIMED_OUT = 1 << 1,
    /* Grace was over (or CONTROL_KILL): SIGKILL was sent before the command ended. */
    STATE_EXIT_KILLED = 1 << 2,
    /* Output could not be written to its end: `output_error`. With STATE_STOP_OUTPUT the job was
     * killed for it, and none of the flags above is set, since nobody had asked for that. */
    STATE_EXIT_OUTPUT_LOST = 1 << 3,
    /* The plan stops the job at its cap of output, and more came than that, which was thrown away;
     * also when the command had ended by then. */
    STATE_EXIT_BEYOND_CAP = 1 << 4,
    _STATE_EXIT_FLAGS_ALL = (1 << 5) - 1,
};

struct state_exit {
    uint32_t flags;   /* enum state_exit_flags */
    int code;         /* waitid(2)'s si_code: CLD_EXITED, CLD_KILLED, CLD_DUMPED */
    int status;       /* its si_status: exit code or signal */
    int output_error; /* negative errno; 0: output is complete */
    enum state_stop_reason stop_reason;
    int stop_signal;
    usec_t started_wall, ended_wall; /* for people */
    usec_t started_boot, ended_boot; /* for durations */
    uint64_t totals[2];              /* bytes of stdout and stderr */
    uint64_t output_end;             /* end offset of the data */
    usec_t cpu_user, cpu_system;     /* of all processes of the job that were waited for */
    uint64_t max_rss;                /* bytes, of the largest of them */
};

/* All of it, as read. */
struct state_file {
    struct id job;
    struct id boot; /* of the host when the file was made */
    usec_t created_wall;
    bool has_process;
    pid_t pid;           /* of hoist-init on the host */
    uint64_t start_time; /* clock ticks since boot: struct pidref */
    struct state_progress progress;
    bool has_exit;
    struct state_exit exit;
};

/*
 * Creator: writes all STATE_FILE_SIZE bytes of the empty file `fd`; its blocks are there for good.
 * Returns 0 or a negative errno with a sentence.
 */
int state_file_create(int fd, const struct id *job, const struct id *boot, struct error *err);

/* The creator didn't get as far as writing it: it is too short, or its blocks are there and empty.
 */
bool state_file_is_unwritten(int fd);

/* Creator: says who hoist-init is, for a recovery after a restart of the agent. */
int state_file_write_process(int fd, pid_t pid, uint64_t start_time);

/* hoist-init: raises progress->sequence and writes it. Negative errno: nothing changed on disk. */
int state_file_write_progress(int fd, struct state_progress *progress);

/* hoist-init: the exit record; the caller calls fdatasync(2). */
int state_file_write_exit(int fd, const struct state_exit *exit);

/*
 * Reads and checks everything; a slot that is just being written is read again. -EPROTO with a
 * sentence when the file is not a state file of this version or what it says makes no sense; a torn
 * process, progress or exit slot counts as not written.
 */
int state_file_read(int fd, struct state_file *ret, struct error *err);

/* The same from STATE_FILE_SIZE bytes in memory. */
int state_file_parse(const void *data, struct state_file *ret, struct error *err);
