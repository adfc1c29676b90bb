/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "store/store.h"

/*
 * A store with a thread of its own, so that nobody else waits for a disk.
 *
 * Requests are carried out in the order in which they came. All that wait are committed together:
 * one fsync for many. Reads go the same way (one connection, one order): a read sees every write
 * that was asked for before it. When a group can't be committed its requests are tried one by one,
 * so that each gets the answer that is its own.
 *
 * All functions are for one thread, the owner's; completions come on it, from
 * store_thread_dispatch(), in the order of the requests and never inside the call that asked.
 */

struct store_thread;

struct store_reply {
    int code;                    /* 0 or a negative errno, as the call in store.h gives it */
    struct error error;          /* when code < 0 */
    struct store_record *record; /* get…: take it with TAKE_PTR, or it is freed */
    struct store_list list;      /* find_range, list: take it by copying and emptying it */
};

typedef void store_done_fn(struct store_reply *reply, void *userdata);

/* New work that may wait at once: beyond it store_thread_put() and reads are refused. */
#define STORE_THREAD_QUEUE_MAX 1024

/* Takes the store on success and starts the thread, with all signals blocked. */
int store_thread_new(struct store *store, struct store_thread **ret, struct error *err);

/* Readable when completions wait; for any event loop; stays ours. */
int store_thread_fd(const struct store_thread *thread);

/* Delivers the completions that wait. Never blocks. */
void store_thread_dispatch(struct store_thread *thread);

/*
 * Ask for what the function of the same name in store.h does. Arguments are copied. `done` may be
 * NULL. Returns 0 (then `done` is called exactly once), -ENOMEM, -ESHUTDOWN after
 * store_thread_stop(), and for put and reads -ENOBUFS when the queue is full. Updates and removals
 * are always let in: their number is bounded by the jobs that exist, and they must not be lost.
 */
int store_thread_put(struct store_thread *thread, const struct store_record *record,
                     store_done_fn *done, void *userdata);
int store_thread_update(struct store_thread *thread, const struct store_record *record,
                        store_done_fn *done, void *userdata);
int store_thread_remove(struct store_thread *thread, const struct id *id, store_done_fn *done,
                        void *userdata);
int store_thread_get(struct store_thread *thread, const struct id *id, store_done_fn *done,
                     void *userdata);
int store_thread_get_by_name(struct store_thread *thread, const char *owner,
                             const char *display_name, store_done_fn *done, void *userdata);
int store_thread_get_by_request(struct store_thread *thread, const char *owner,
                                const char *request_id, store_done_fn *done, void *userdata);
int store_thread_find_range(struct store_thread *thread, const char *owner, const struct id *low,
                            const struct id *high, size_t limit, store_done_fn *done,
                            void *userdata);
int store_thread_list(struct store_thread *thread, const struct store_filter *filter,
                      store_done_fn *done, void *userdata);

/*
 * Lets no more in, waits until all that was asked for is done, ends the thread and delivers every
 * completion before it returns. Blocks for the disk. Not from inside a completion.
 */
void store_thread_stop(struct store_thread *thread);

/* Stops (see above), closes the store and frees. Accepts NULL. */
void store_thread_free(struct store_thread *thread);
DEFINE_CLEANUP(struct store_thread *, store_thread_free);
