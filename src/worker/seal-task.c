/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/seal-task.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "output/index.h"
#include "output/seal.h"
#include "output/totals.h"
#include "worker/disk-thread.h"
#include "worker/job-dir.h"
#include "worker/registry.h"

struct seal_task {
    struct disk_task task;
    struct job *job; /* the owner's thread's alone */

    int jobs_fd; /* the worker's, which outlives the disk's thread */
    struct id id;
    bool merged;
    bool rebooted;
    usec_t created;

    int code;
    struct error error;
    struct output_totals totals;
    struct output_header header;
};

static void seal(struct disk_task *base)
{
    struct seal_task *task = (struct seal_task *)(void *)base;
    _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;
    struct error *err = &task->error;

    if (task->rebooted)
        task->code = job_dir_restore(task->jobs_fd, &task->id, err);
    if (task->code == 0)
        task->code = job_dir_open_for_sealing(task->jobs_fd, &task->id, &files, err);
    if (task->code == 0)
        task->code =
            output_files_restore_header(&files, &task->id, task->merged, task->created, err);
    if (task->code == 0)
        task->code = output_seal(&files, clock_wall(), err);
    if (task->code == 0)
        task->code = output_totals_update(files.index, &task->totals, err);
    if (task->code == 0)
        task->code = output_index_header(files.index, false, &task->header, err);
}

static void sealed(struct disk_task *base)
{
    _cleanup_free_ struct seal_task *task = (struct seal_task *)(void *)base;
    struct job *job = task->job;
    struct worker *worker = job->worker;

    job->pending--;
    if (worker->closing)
        return;
    job->seal = task->code < 0 ? SEAL_FAILED : SEAL_DONE;
    job->totals = task->totals;
    job->gap = task->header.gap;
    if (task->code < 0)
        worker_tell_trouble(worker, job, &task->error);
    job_advance(job);
    if (!worker->recovered)
        recovery_step(worker);
}

bool job_seal(struct job *job)
{
    struct worker *worker = job->worker;
    struct seal_task *task;

    if (job->seal != SEAL_NOT_ASKED)
        return job->seal == SEAL_UNDER_WAY;
    task = malloc(sizeof(*task));
    if (!task) {
        const struct error err = {-ENOMEM, "no memory to end the output"};

        job->seal = SEAL_FAILED;
        worker_tell_trouble(worker, job, &err);
        return false;
    }
    *task = (struct seal_task){
        .task = {.run = seal, .done = sealed},
        .job = job,
        .jobs_fd = worker->dir.jobs,
        .id = job->specification.id,
        .merged = job->specification.spec.merged,
        .rebooted = job->rebooted,
        .created = job->specification.create_time,
    };
    job->seal = SEAL_UNDER_WAY;
    job->pending++;
    if (!worker->recovered) /* what was found is told when its state is certain */
        worker->recovering++;
    disk_thread_ask(worker->disk, &task->task);
    return true;
}
