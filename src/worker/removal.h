/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct id;
struct worker;

/*
 * Removes jobs' directories. What can't be removed is told, and tried again when leftovers are
 * looked for; the next start finds it, too.
 *
 * A file system may take a second to give back a gigabyte, so what may be large is removed by the
 * disk's thread.
 */

/* `worker->closing` may hold. */
typedef void removal_done_fn(struct worker *worker, void *userdata);

/*
 * Has it removed; then `done` (may be NULL) is called once, whatever came of it: from the event
 * loop, or, where the disk's thread can't be asked any more, before this returns.
 */
void removal_ask(struct worker *worker, const struct id *id, removal_done_fn *done, void *userdata);

/* Before this returns: of a job that hasn't been started, so that there is next to nothing of it.
 */
void removal_at_once(struct worker *worker, const struct id *id);

/* Asks again for all that couldn't be removed; that is not told twice. */
void removal_try_again(struct worker *worker);

/* Frees what is remembered. The disk's thread has ended before. */
void removal_forget(struct worker *worker);
