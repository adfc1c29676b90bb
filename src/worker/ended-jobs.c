/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ended-jobs.h"

#include <stdlib.h>

#include "worker/registry.h"

#define COUNT_MAX  64
#define RECORD_MAX ((size_t)8 * 1024) /* of its two blobs: arguments may be megabytes */

/* In the order of use: uthash goes through its entries in the order of their adding. */
struct ended_job {
    UT_hash_handle hh;
    struct id id;
    struct job_info *info; /* counted */
};

static struct ended_job *find(struct worker *worker, const struct id *id)
{
    struct ended_job *ended;

    HASH_FIND(hh, worker->ended_jobs, id, sizeof(*id), ended);
    return ended;
}

static void drop(struct worker *worker, struct ended_job *ended)
{
    HASH_DEL(worker->ended_jobs, ended);
    job_info_free(ended->info);
    free(ended);
}

struct job_info *ended_jobs_find(struct worker *worker, const struct id *id)
{
    struct ended_job *ended = find(worker, id);

    if (!ended)
        return NULL;
    HASH_DEL(worker->ended_jobs, ended);
    HASH_ADD(hh, worker->ended_jobs, id, sizeof(ended->id), ended);
    return job_info_ref(ended->info);
}

void ended_jobs_keep(struct worker *worker, const struct store_record *record,
                     struct job_info *info)
{
    struct ended_job *ended;

    if (!job_info_has_ended(info) || record->spec_size + record->outcome_size > RECORD_MAX ||
        find(worker, &info->id))
        return;
    ended = calloc(1, sizeof(*ended));
    if (!ended)
        return;
    ended->id = info->id;
    ended->info = job_info_ref(info);
    HASH_ADD(hh, worker->ended_jobs, id, sizeof(ended->id), ended);
    if (HASH_COUNT(worker->ended_jobs) > COUNT_MAX)
        drop(worker, worker->ended_jobs);
}

void ended_jobs_forget(struct worker *worker, const struct id *id)
{
    struct ended_job *ended = find(worker, id);

    if (ended)
        drop(worker, ended);
}

void ended_jobs_clear(struct worker *worker)
{
    while (worker->ended_jobs)
        drop(worker, worker->ended_jobs);
}
