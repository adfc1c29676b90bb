/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/queue.h>

#include "base/cleanup.h"

struct error;

/*
 * A thread for what waits for the disk and is no record: sealing an output, removing a job's
 * files, measuring what all of them take, finding the way to an output. One task after the other,
 * in the order in which they were asked for.
 *
 * All functions are for one thread, the owner's, and so is a task's `done`, which comes from
 * disk_thread_dispatch() and never inside the call that asked.
 */

struct disk_thread;

/* The first member of what a task needs and gives; its memory is the owner's until `done`. */
struct disk_task {
    void (*run)(struct disk_task *task);  /* on the disk's thread; shares nothing with others */
    void (*done)(struct disk_task *task); /* may free it, and ask for more */
    STAILQ_ENTRY(disk_task) queue;        /* the thread's */
};

int disk_thread_new(struct disk_thread **ret, struct error *err);

/* Readable when tasks are done; for any event loop; stays ours. */
int disk_thread_fd(const struct disk_thread *thread);

/* Calls `done` of those that are. Never blocks. */
void disk_thread_dispatch(struct disk_thread *thread);

/* Exactly one `done` follows. */
void disk_thread_ask(struct disk_thread *thread, struct disk_task *task);

/* Waits until all that was asked for is done, and delivers it. Accepts NULL. */
void disk_thread_free(struct disk_thread *thread);
DEFINE_CLEANUP(struct disk_thread *, disk_thread_free);
