/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "grpc/server.h"

/*
 * The event loop of one connection thread: descriptors, timers, letters, and tasks that have their
 * turn one after the other. It knows nothing of connections. The public half is in grpc/server.h.
 */

/* Something that wants to run at the end of the present turn; embedded in its owner. */
struct thread_task {
    TAILQ_ENTRY(thread_task) queue;
    void (*run)(struct thread_task *task);
    bool is_queued;
};

/* Makes the loop; it isn't running yet. NULL: no memory, no descriptor. */
struct grpc_thread *thread_new(unsigned index);
/* Not running. Closes the mailbox; frees what is watched. Returns NULL; NULL is fine. */
struct grpc_thread *thread_free(struct grpc_thread *thread);

/* Runs until thread_stop() was called from inside. */
void thread_run(struct grpc_thread *thread);
void thread_stop(struct grpc_thread *thread);

/* Queues the task; one that is queued already stays where it is. */
void thread_queue(struct grpc_thread *thread, struct thread_task *task);
void thread_dequeue(struct grpc_thread *thread, struct thread_task *task);

struct mailbox *thread_mailbox(struct grpc_thread *thread);

/* Scratch memory for one read, THREAD_READ_SIZE bytes; contents are gone after the callback. */
#define THREAD_READ_SIZE (64 * 1024)
uint8_t *thread_read_buffer(struct grpc_thread *thread);
