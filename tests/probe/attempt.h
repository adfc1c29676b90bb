/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Ways out of a sandbox, tried one by one.
 *
 * attempt() tries the one that is named `what` ("mount", "unshare-user", …), or each with "all",
 * every one in a child of its own, and prints "WHAT: RESULT" to stdout:
 *
 *   ok                 it worked
 *   ENOENT             and the like: refused with this errno; ENODATA: it worked and showed nothing
 *   killed by SIGSYS   refused by the end of the process
 *   not tried          the environment doesn't tell what to aim at:
 *
 * TRY_HOST, TRY_JOB    the directories of a `plant` (below) on the host and in another job,
 *                      TRY_HOST_PORT, TRY_JOB_PORT its ports, TRY_HOST_PID, TRY_JOB_PID its pids
 * TRY_SETUID           a copy of this program that is setuid root
 * TRY_SECRET           a file that root alone may read, and TRY_STATE the agent's state directory
 *
 * What is done is harmless where it works: limits and priorities are set to what they are, files
 * are opened and not written to, the wrong magic reboots nothing.
 */
void attempt(const char *what);

/*
 * What others should not find: in the directory `where` a file, a FIFO and a socket that everybody
 * may use, and a file in /dev/shm; a socket with an abstract name and one on the loopback, whose
 * port is printed ("planted PID PORT"). They are there for as long as the process.
 */
void plant(const char *where);

/* Shared memory, semaphores and queues, System V's and POSIX's, that everybody may use. */
void plant_ipc(const char *unused);

/* The exit code for attempt()'s setuid program: 0 when it has become root, else EPERM. */
void escalate(const char *unused) __attribute__((noreturn));

/* --- between attempt.c, attempt-act.c and plant.c */

struct act {
    const char *name;
    long (*run)(void); /* negative: refused, with errno */
};

extern const struct act acts[];
extern const size_t act_count;

#define ATTEMPT_NOT_TRIED 255 /* exit code of an act that lacks its aim */

/* "/dev/shm/probe-…" and the abstract name that belong to the directory `where`. */
#define PLANT_NAME_MAX 100
void plant_shm_name(const char *where, char name[PLANT_NAME_MAX]);
void plant_abstract_name(const char *where, char name[PLANT_NAME_MAX]);

#define PLANT_KEY   0x70726f62
#define PLANT_QUEUE "/probe-planted"
