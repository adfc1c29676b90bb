/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/id.h"

struct job_info;
struct store_record;
struct worker;

/*
 * What was last read of jobs that have ended. Their records don't change any more until they are
 * removed, and whoever waited for a job tends to ask for it again: so the store need not be asked,
 * nor the record decoded, each time. Bounded by count and by the size of a record; the one that
 * wasn't asked for the longest goes first.
 */

/* A reference of the caller's own; NULL: not among them. */
struct job_info *ended_jobs_find(struct worker *worker, const struct id *id);

/* Keeps what was made of `record`; no more than a try: without memory it isn't kept. */
void ended_jobs_keep(struct worker *worker, const struct store_record *record,
                     struct job_info *info);

/* Its record is gone. */
void ended_jobs_forget(struct worker *worker, const struct id *id);

void ended_jobs_clear(struct worker *worker);
