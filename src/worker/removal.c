/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/removal.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/error.h"
#include "worker/disk-thread.h"
#include "worker/job-dir.h"
#include "worker/registry.h"

/* A directory that could not be removed. */
struct unremoved {
    struct unremoved *prev, *next;
    struct id id;
};

struct removal_task {
    struct disk_task task;
    struct worker *worker; /* the owner's thread's alone */
    removal_done_fn *done;
    void *userdata;
    bool was_told; /* that it couldn't be removed */

    int jobs_fd; /* the worker's, which outlives the disk's thread */
    struct id id;
    int code;
    struct error error;
};

static void keep_for_later(struct worker *worker, const struct id *id)
{
    struct unremoved *unremoved = malloc(sizeof(*unremoved));

    if (!unremoved)
        return; /* the next start finds it */
    *unremoved = (struct unremoved){.id = *id};
    DL_APPEND(worker->unremoved, unremoved);
}

void removal_at_once(struct worker *worker, const struct id *id)
{
    struct error err;

    if (job_dir_remove(worker->dir.jobs, id, &err) == 0)
        return;
    worker_tell_trouble(worker, NULL, &err);
    keep_for_later(worker, id);
}

static void run(struct disk_task *base)
{
    struct removal_task *task = (struct removal_task *)(void *)base;

    task->code = job_dir_remove(task->jobs_fd, &task->id, &task->error);
}

static void finished(struct disk_task *base)
{
    _cleanup_free_ struct removal_task *task = (struct removal_task *)(void *)base;
    struct worker *worker = task->worker;

    if (task->code < 0) {
        if (!task->was_told)
            worker_tell_trouble(worker, NULL, &task->error);
        keep_for_later(worker, &task->id);
    }
    if (task->done)
        task->done(worker, task->userdata);
}

/* Once the worker is being closed there is no disk's thread any more. */
static struct removal_task *task_new(struct worker *worker, const struct id *id)
{
    struct removal_task *task = worker->closing ? NULL : malloc(sizeof(*task));

    if (task)
        *task = (struct removal_task){
            .task = {.run = run, .done = finished},
            .worker = worker,
            .jobs_fd = worker->dir.jobs,
            .id = *id,
        };
    return task;
}

void removal_ask(struct worker *worker, const struct id *id, removal_done_fn *done, void *userdata)
{
    struct removal_task *task = task_new(worker, id);

    if (task) {
        task->done = done;
        task->userdata = userdata;
        disk_thread_ask(worker->disk, &task->task);
        return;
    }
    removal_at_once(worker, id);
    if (done)
        done(worker, userdata);
}

void removal_try_again(struct worker *worker)
{
    struct unremoved *unremoved, *next;

    DL_FOREACH_SAFE(worker->unremoved, unremoved, next)
    {
        struct removal_task *task = task_new(worker, &unremoved->id);

        if (!task)
            return;
        DL_DELETE(worker->unremoved, unremoved);
        free(unremoved);
        task->was_told = true;
        disk_thread_ask(worker->disk, &task->task);
    }
}

void removal_forget(struct worker *worker)
{
    struct unremoved *unremoved, *next;

    DL_FOREACH_SAFE(worker->unremoved, unremoved, next)
    free(unremoved);
    worker->unremoved = NULL;
}
