/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/arguments.h"

struct session;

/*
 * The table of commands: one row and one file (cmd-<name>.c) for each.
 */

/* Exit codes of hoist itself; `run` and `wait` return the job's (cli/exit-code.h). */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,        /* the agent said no, or could not be reached */
    EXIT_USAGE = 2,         /* the command line is wrong */
    EXIT_HOIST = 125,       /* run and wait: hoist itself failed, so no job's code can be given */
    EXIT_INTERRUPTED = 130, /* as a shell says of a program that ^C ended */
};

struct command {
    const char *name;
    const char *aliases[4];
    const char *words; /* "JOB", "-- COMMAND [ARG …]" */
    size_t words_min;
    size_t words_max;
    bool words_are_a_command; /* flags end at the first word */
    unsigned flags;           /* enum flag_group */
    bool connects;
    int failure; /* exit code when hoist itself fails */
    int (*run)(struct session *session);
    const char *summary; /* one line */
    const char *help;    /* some lines */
    const char *example;
};

extern const struct command commands[];
extern const size_t commands_count;

/* By name or alias; NULL when there is none. */
const struct command *command_find(const char *name);

/* The exit code for a wrong command line: run and wait have one of their own, as 2 may be a job's.
 */
int command_usage_exit(const struct command *command);

void command_print_help(const struct command *command);
void command_print_all(void);

int cmd_doctor(struct session *session);
int cmd_help(struct session *session);
int cmd_info(struct session *session);
int cmd_kill(struct session *session);
int cmd_list(struct session *session);
int cmd_logs(struct session *session);
int cmd_ping(struct session *session);
int cmd_rm(struct session *session);
int cmd_run(struct session *session);
int cmd_start(struct session *session);
int cmd_status(struct session *session);
int cmd_stop(struct session *session);
int cmd_top(struct session *session);
int cmd_version(struct session *session);
int cmd_wait(struct session *session);
