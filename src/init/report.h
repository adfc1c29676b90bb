/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "init/stop.h"
#include "wire/state-file.h"

struct command_answer;

/*
 * hoist-init's hand on the state file: the phases of a job, each told once, in words of this
 * program.
 *
 * A write that fails (EIO) is not repeated: there is nobody else to tell, and the job goes on.
 */

struct report {
    int fd; /* borrowed */
    struct state_progress progress;
};

/* Checks that `fd` is a state file to which nothing was said yet; *ret_job says whose. */
int report_open(struct report *report, int fd, struct id *ret_job, struct error *err);

void report_started(struct report *report, pid_t command_pid);

/* Final: written and synced. `code` is a negative errno. */
void report_start_failed(struct report *report, enum spawn_failure failure, int code,
                         const char *sentence);

/* A stop is under way (also: its deadline came nearer, or SIGKILL was sent). */
void report_stop(struct report *report, const struct stop *stop);

void report_draining(struct report *report);

/* Sets or clears flags (enum state_flags); writes only what changes. */
void report_flag(struct report *report, enum state_flags flag, bool on, int code);

/* Data bytes [start, end) were dropped by the cap; writes only what changes. */
void report_gap(struct report *report, uint64_t start, uint64_t end);

/* The last word: written and synced. Returns 0 or a negative errno. */
int report_exit(struct report *report, const struct state_exit *exit);
