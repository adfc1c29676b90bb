/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "worker/operation.h"

/*
 * Which tasks keep a job from ending. What a task is called and how it is doing only somebody with
 * a /proc can tell, the spawner; whoever wants to know waits for its answer, together with all who
 * have asked meanwhile.
 */

static_assert(HOIST_TASK_NAME_SIZE == SPAWN_TASK_NAME_MAX, "a name fits, and is all of it");

bool job_is_past_its_deadline(const struct job *job)
{
    return !job->finished && job->outcome.state == HOIST_STATE_STOPPING &&
           job->kill_deadline != 0 && clock_boot() >= job->kill_deadline;
}

static void tasks_told(const struct spawner_tasks *tasks, void *userdata)
{
    struct job *job = userdata;

    job->blocked.asked = false;
    job->blocked.count = tasks->code < 0 ? 0 : tasks->count;
    memcpy(job->blocked.list, tasks->list, sizeof(job->blocked.list));
    job->pending--;
    job_wake(job, OPERATION_WAITS_FOR_TASKS);
    job_advance(job);
}

bool job_ask_for_tasks(struct job *job)
{
    if (job->blocked.asked)
        return true;
    if (spawner_tasks(job->worker->spawner, &job->specification.id, job->group, tasks_told, job) <
        0)
        return false;
    job->blocked.asked = true;
    job->pending++;
    return true;
}
