/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <hoist/hoist.h>

#include "wire/state-file.h"
#include "worker/spawner.h"

typedef struct sd_event sd_event;

/*
 * A host without processes: what a launcher and its hoist-inits would do is done by the test, by
 * hand. The host outlives its spawners, as a real one outlives a restart of the agent. A hoist-init
 * is a pipe: its "pidfd" is the reading end, which becomes readable when the test closes the
 * writing end.
 */

#define FAKE_INITS_MAX 64

struct fake_init {
    struct id id;
    char group[SPAWN_GROUP_MAX];
    pid_t pid;
    int life;     /* the writing end; FD_NONE: it has ended */
    int pidfd;    /* the reading end, of which spawners get duplicates */
    int state;    /* its state file */
    bool grouped; /* its cgroups are there */
    bool hidden;  /* looks for it fail for want of descriptors */
    char **argv, **env;
    struct spawn_spec spec; /* strings void but those above */
    unsigned controls;
    struct control_request control; /* the last one */
    unsigned kills;
};

struct fake_host {
    struct fake_init inits[FAKE_INITS_MAX];
    unsigned count;

    enum spawn_failure failure; /* of the next Spawn */
    int failure_code;
    bool hold_spawn;   /* no answer to Spawn until fake_answer() */
    unsigned busy;     /* so many Removes are answered BUSY */
    unsigned short_of; /* so many looks for a process fail for want of descriptors */
    struct cgroup_usage usage;
    struct spawn_task blocked; /* pid 0: none */
    struct spawn_room room;    /* of its next spawner */
    unsigned spawns;
};

void fake_host_done(struct fake_host *host);

/* A spawner for the host; freed by its worker. */
struct spawner *fake_spawner_new(struct fake_host *host, sd_event *event);

/* The latest one that was started. */
struct fake_init *fake_last(struct fake_host *host);

/* What hoist-init says and does. */
void fake_says_started(struct fake_init *init);
void fake_says_start_failed(struct fake_init *init, enum spawn_failure failure, int code,
                            const char *sentence);
/* `kill`: in so much time, or when it was (negative). */
void fake_says_stopping(struct fake_init *init, enum state_stop_reason reason, int64_t kill);
void fake_says_exit(struct fake_init *init, int code, int status, uint32_t flags);
void fake_dies(struct fake_init *init);

/* Started, then ended with this. */
void fake_runs(struct fake_init *init, int code, int status, uint32_t flags);
