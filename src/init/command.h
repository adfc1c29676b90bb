/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "wire/state-file.h"

struct plan;
struct error;

/*
 * The command: cloned, prepared and executed.
 *
 * What it runs through between clone and exec is command-child.c. Whether it got there is told by a
 * pipe that is close-on-exec: an end of file without an answer means that the exec succeeded.
 */

struct command_setup {
    const struct plan *plan; /* PLAN_FD_PLAN is overwritten in the child; the others are not 3 */
    int streams[3];          /* its 0, 1 and 2; borrowed, above 3 */
    int cgroup_fd;           /* of cmd/; FD_NONE: stays in hoist-init's cgroup */
    int proc_fd;             /* O_PATH of a /proc that shows this process as "self" */
};

/* What a command that could not be executed says. */
struct command_answer {
    enum spawn_failure failure;
    int code; /* negative errno */
    char sentence[STATE_SENTENCE_MAX];
};

struct command {
    pid_t pid;
    int answer_fd; /* non-blocking; owned by the caller */
};

/*
 * Clones into cmd/ and lets the child go its way. Must be called with all privileges. Doesn't wait:
 * an execve(2) may hang on a network file system, and a stop must still be possible.
 */
int command_start(const struct command_setup *setup, struct command *ret, struct error *err);

/* -EAGAIN: not yet. 0: executed. 1: it failed, *ret says why, and the process is about to end. */
int command_read_answer(int answer_fd, struct command_answer *ret);

/* The child's half: prepares and executes; never returns. On failure it writes to `answer_fd`. */
_Noreturn void command_child(const struct command_setup *setup, int answer_fd);
