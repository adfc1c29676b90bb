/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct worker;

/*
 * Making room: when all jobs' files take more than they may, when the disk's reserve is touched, or
 * when a job waits for a full disk, jobs that have ended go, the one that ended first first, until
 * it is enough. Living ones never do. Who reads such an output reads on: its space comes back when
 * the last reader has gone.
 */

/* Looks from time to time. 0 or a negative errno. */
int reclaim_begin(struct worker *worker);

/* Looks soon: a job has ended, or waits for the disk. */
void reclaim_look_soon(struct worker *worker);

/* After the disk's thread and the store's have ended. */
void reclaim_forget(struct worker *worker);
