/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct cold_reads;
struct error;
struct grpc_call;
struct output_fetch;

/*
 * A thread that waits for the disk, so that connection threads don't: output that the page cache
 * doesn't hold is fetched there, in the order of asking.
 */

/* Starts the thread. 0 or a negative errno with a sentence. */
int cold_reads_new(struct cold_reads **ret, struct error *err);

/* Ends it; what nobody has fetched yet isn't. No calls may be left (free the server before). NULL
 * is fine; returns NULL. */
struct cold_reads *cold_reads_free(struct cold_reads *reads);

/*
 * Connection thread: has `fetch` (taken on success) fetched, then runs `fetched(call, NULL)` on the
 * call's thread; with a NULL call when that is over. Returns 0, or -ENOMEM: nothing will run.
 */
int cold_reads_fetch(struct cold_reads *reads, struct output_fetch *fetch, struct grpc_call *call,
                     void (*fetched)(struct grpc_call *call, void *unused));
