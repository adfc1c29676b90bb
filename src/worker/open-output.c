/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "worker/disk-thread.h"
#include "worker/job-dir.h"
#include "worker/operation.h"
#include "worker/state-dir.h"

/*
 * Opens a job's output for a reader. What the kernel knows by heart is opened at once; the way to
 * files of a job that nobody has looked at for long leads over the disk, which may be dead, so the
 * disk's thread goes it first: it opens them and lets them go, and then they are known.
 */

struct open_task {
    struct disk_task task;
    struct worker_operation *op; /* the owner's thread's alone */
    int jobs_fd;                 /* the worker's, which outlives the disk's thread */
    struct id id;
};

static int open_output(const struct worker_operation *op, struct worker_output **ret,
                       struct error *err)
{
    _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;
    struct worker *worker = op->worker;
    const struct job *job = registry_find(worker, &op->id);
    struct worker_output *output;
    int r = job_dir_open_output(worker->dir.jobs, &op->id, &files, err);

    if (r < 0)
        return r;
    output = calloc(1, sizeof(*output));
    if (!output)
        return error_set(err, -ENOMEM, "no memory to open the output");
    *output = (struct worker_output){
        .id = op->id,
        .data = TAKE_FD(files.data),
        .index = TAKE_FD(files.index),
        .index_path = job_dir_index_path(&worker->dir, &op->id),
        .state = job_dir_open_state(worker->dir.jobs, &op->id),
        .merged = op->flag,
        .ended = !job || job->finished,
    };
    if (!output->index_path) {
        worker_output_free(output);
        return error_set(err, -ENOMEM, "no memory to open the output");
    }
    *ret = output;
    return 0;
}

static void answer_output(struct worker_operation *op)
{
    struct failure failure = {.reason = HOIST_REASON_OUTPUT_FAILED};
    int r = open_output(op, &op->reply.output, &failure.error);

    if (r == -ENOENT) {
        failure.reason = HOIST_REASON_OUTPUT_DAMAGED;
        error_set(&failure.error, r, "the job's output is gone: its files are not there any more");
    }
    if (r < 0)
        operation_fail(op, &failure);
    else
        operation_answer(op);
}

/* What can't be opened is left to who asked, who will find out and say so. */
static void go_there(struct disk_task *base)
{
    const struct open_task *task = (struct open_task *)(void *)base;
    _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;
    _cleanup_close_ int state = job_dir_open_state(task->jobs_fd, &task->id);

    (void)job_dir_open_output(task->jobs_fd, &task->id, &files, NULL);
}

static void been_there(struct disk_task *base)
{
    _cleanup_free_ struct open_task *task = (struct open_task *)(void *)base;

    if (operation_resumed(task->op))
        answer_output(task->op);
}

static void find_output(struct worker_operation *op, const struct specification *specification)
{
    struct open_task *task;

    op->id = specification->id;
    op->flag = specification->spec.merged;
    if (job_dir_is_known(op->worker->dir.jobs, &op->id))
        return answer_output(op);
    task = malloc(sizeof(*task));
    if (!task)
        return operation_fail_with(op, -ENOMEM, HOIST_REASON_OUTPUT_FAILED,
                                   "no memory to open the output");
    *task = (struct open_task){
        .task = {.run = go_there, .done = been_there},
        .op = op,
        .jobs_fd = op->worker->dir.jobs,
        .id = op->id,
    };
    op->pending++;
    disk_thread_ask(op->worker->disk, &task->task);
}

static void output_found(struct worker_operation *op, struct job *job, struct store_record **record)
{
    struct failure failure = {.reason = HOIST_REASON_OUTPUT_FAILED};
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};

    if (job)
        return find_output(op, &job->specification);
    if (specification_decode((*record)->spec, (*record)->spec_size, &specification,
                             &failure.error) < 0)
        return operation_fail(op, &failure);
    find_output(op, &specification);
}

int worker_open_output(struct worker *worker, const struct worker_caller *caller, const char *name,
                       worker_done_fn *done, void *userdata, struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, name, done, userdata);

    return op ? operation_begin(op, output_found, ret) : -ENOMEM;
}
