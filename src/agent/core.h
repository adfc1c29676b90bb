/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cleanup.h"

typedef struct sd_event sd_event;
struct error;

/*
 * The way to the core thread: connection threads post tasks, the core's event loop runs them in the
 * order of posting. A task is a member of what it is about, so posting never needs memory.
 */

struct core_task {
    struct core_task *next; /* the queue's */
    void (*run)(struct core_task *task);
};

struct core;

/* Tasks will run in `event`'s thread. */
int core_new(sd_event *event, struct core **ret, struct error *err);

/* Runs what is still posted, then frees. No thread may post any more. NULL is fine; returns NULL.
 */
struct core *core_free(struct core *core);
DEFINE_CLEANUP(struct core *, core_free);

/* Any thread. The task must stay where it is, and not be posted again, until it has run. */
void core_post(struct core *core, struct core_task *task);
