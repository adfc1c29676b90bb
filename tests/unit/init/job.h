/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/fd.h"
#include "base/pidref.h"
#include "output/files.h"
#include "wire/control.h"
#include "wire/plan.h"
#include "wire/state-file.h"

/*
 * A job for tests: its files in a directory of its own, a plan that a test can change, and
 * hoist-init run on it in new namespaces, as the spawner does it, but with nothing of the spawner.
 * The binary is the one that HOIST_INIT names.
 */

#define JOB_UID   100001
#define AGENT_UID 65534

struct job {
    char directory[64];
    struct id id;
    struct output_files output;
    int state_fd;
    struct plan_settings settings;
    struct plan_builder *plan;
    int cgroup_fd;       /* FD_NONE, or what becomes PLAN_FD_CGROUP */
    int lifeline;        /* FD_NONE, or what becomes PLAN_FD_LIFELINE */
    uid_t rootless;      /* not 0: launched as this user in a user namespace */
    struct pidref init;  /* when it was launched */
    bool data_is_sealed; /* the data file refuses to grow */
    bool has_disk;
    int raw_status; /* waitpid(2)'s, after job_wait() */
};

/* Needs root; fails the test when something can't be made. */
void job_setup(struct job *job);
/* The same on a disk of its own of `size` ("1m"), which job_grow_disk() makes larger. */
void job_setup_on_disk(struct job *job, const char *size);
void job_grow_disk(struct job *job, const char *size);
void job_teardown(struct job *job);

/* A read-only clone of the host with its own /proc, and the usual settings. */
void job_plan_default(struct job *job);
/* `argv` ends with NULL; the environment is PATH and HOME. */
void job_plan_command(struct job *job, const char *const *argv);
/* The same for `sh -c script`. */
void job_plan_script(struct job *job, const char *script);

/*
 * The same for a part of actor.c, played by the test's own program: what has to wait for a signal
 * is no shell script, since a shell that is told to run a trap just before it blocks may block for
 * ever.
 */
void job_plan_actor(struct job *job, const char *part);
int actor_main(const char *part);

/* Launches hoist-init with the plan as it is. `hostile`: closed 0–2, ignored SIGCHLD, umask 0777 …
 */
void job_launch(struct job *job, bool hostile);

/* Sends a control request. */
void job_control(struct job *job, enum control_op op, int signal, usec_t grace);

/* Waits for hoist-init's end and returns the state file's last word. */
struct state_file job_wait(struct job *job);

/* Waits until the phase is reached (or a later one). */
void job_wait_phase(struct job *job, enum state_phase phase);

/* Waits until all of `flags` (enum state_flags) are set. */
void job_wait_flags(struct job *job, uint32_t flags);
/* Waits until none of them is. */
void job_wait_no_flags(struct job *job, uint32_t flags);

/* Waits until the job has written at least `size` bytes of output. */
void job_wait_output(struct job *job, size_t size);

/* All of the data file, NUL-terminated; the caller frees it. */
char *job_output(struct job *job, size_t *ret_size);
