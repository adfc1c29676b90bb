/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fake-spawner.h"
#include "worker/worker.h"

struct store;

/*
 * A worker on a fake host with records in memory, its state directory in a temporary place, and its
 * event loop, which turns only while a test waits for something.
 */
struct fixture {
    char dir[64];
    sd_event *event;
    struct fake_host host;
    struct worker *worker;
    struct store *store; /* the memory store, for failures on demand; the worker's */
    struct id boot_id;
    bool ready;     /* the worker has said so since it was opened */
    unsigned ended; /* calls of the worker's `ended` */
    enum hoist_state ended_state;
    unsigned troubles;
    struct error trouble;          /* the last one */
    struct id trouble_of;          /* nil: the worker's own */
    struct worker_options options; /* what the next fixture_open() uses */
};

/* An answer that a test waits for. */
struct answer {
    bool come;
    struct worker_reply reply;
};

/* For cmocka's setup and teardown: *state is the fixture. */
int fixture_setup(void **state);
/* The same with records on disk, so that they survive fixture_reopen(). */
int fixture_setup_on_disk(void **state);
int fixture_teardown(void **state);

/* Closes the worker as a crash of the agent would, and opens it again on the same host. */
void fixture_close(struct fixture *fixture);
void fixture_open(struct fixture *fixture);
/* As fixture_open(), but recovery has only begun: fixture->ready says when it is through. */
void fixture_begin(struct fixture *fixture);
void fixture_wait_ready(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture);

/* For worker_…(…, answer_done, &answer, …). */
void answer_done(struct worker_reply *reply, void *userdata);

/* Turns the loop until the answer has come; fails the test after ten seconds. */
void fixture_wait(struct fixture *fixture, struct answer *answer);
/* Turns it until nothing more is due. */
void fixture_settle(struct fixture *fixture);
/* Turns it until `host.spawns` is that many. */
void fixture_wait_spawns(struct fixture *fixture, unsigned spawns);

void answer_clear(struct answer *answer);

extern const struct worker_caller alice, bob, admin;

/* A specification that runs /bin/true; argv and strings are static. */
struct job_spec spec_true(void);

/* Starts one job of alice's and has it RUNNING; *ret_id its id as text. */
struct fake_init *fixture_start(struct fixture *fixture, char ret_id[static ID_TEXT_MAX]);

/* WaitJob by alice until the end; the caller frees. */
struct job_info *fixture_wait_end(struct fixture *fixture, const char *name);
struct job_info *fixture_get(struct fixture *fixture, const char *name);
/* Once it is RUNNING: a job without a record is STARTING until it has one again. */
struct job_info *fixture_wait_running(struct fixture *fixture, const char *name);

/* Directories of jobs. */
unsigned fixture_directories(struct fixture *fixture);
