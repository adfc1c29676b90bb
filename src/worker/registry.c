/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/registry.h"

#include <errno.h>
#include <stdio.h>
#include <systemd/sd-event.h>

#include "base/strv.h"
#include "worker/job-outcome.h"
#include "worker/operation.h"

#define TIMER_ACCURACY USEC_PER_MSEC /* 0 would mean sd-event's default, a quarter of a second */

struct job *registry_find(struct worker *worker, const struct id *id)
{
    struct job *job;

    HASH_FIND(hh, worker->jobs, id, sizeof(*id), job);
    return job && !job->deleted && !job->dropped ? job : NULL;
}

static bool is_owners(const struct job *job, const char *owner)
{
    return !job->deleted && !job->dropped && text_equal(job->specification.created_by, owner);
}

struct job *registry_find_name(struct worker *worker, const char *owner, const char *display_name)
{
    for (struct job *job = worker->jobs; job; job = job->hh.next)
        if (is_owners(job, owner) && text_equal(job->specification.spec.display_name, display_name))
            return job;
    return NULL;
}

struct job *registry_find_request(struct worker *worker, const char *owner, const char *request_id)
{
    for (struct job *job = worker->jobs; job; job = job->hh.next)
        if (is_owners(job, owner) && text_equal(job->specification.request_id, request_id))
            return job;
    return NULL;
}

void worker_tell_trouble_of(struct worker *worker, const struct id *job, const struct error *err)
{
    if (worker->trouble && !worker->closing)
        worker->trouble(job, err, worker->userdata);
}

void worker_tell_trouble(struct worker *worker, const struct job *job, const struct error *err)
{
    worker_tell_trouble_of(worker, job ? &job->specification.id : NULL, err);
}

void source_drop(sd_event_source **source)
{
    *source = sd_event_source_disable_unref(*source);
}

int job_arm(struct job *job, sd_event_source **source, usec_t deadline, job_timer_fn *fn)
{
    source_drop(source);
    return sd_event_add_time(job->worker->event, source, CLOCK_BOOTTIME, deadline, TIMER_ACCURACY,
                             fn, job);
}

struct job *job_new(struct worker *worker, struct specification *specification)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    *job = (struct job){
        .worker = worker,
        .specification = *specification,
        .init = PIDREF_NULL,
        .state_fd = FD_NONE,
        .index_fd = FD_NONE,
    };
    *specification = (struct specification){.spec = JOB_SPEC_NULL};
    state_init(&job->machine, job_state_rules, HOIST_STATE_COUNT, HOIST_STATE_STARTING, NULL, job);
    job->outcome.state = HOIST_STATE_STARTING;
    job->outcome.limits = job->specification.spec.limits;
    job->outcome.boot_id = worker->boot_id;
    snprintf(job->group, sizeof(job->group), "p-%s", job->specification.created_by);
    HASH_ADD(hh, worker->jobs, specification.id, sizeof(struct id), job);
    worker->living++;
    return job;
}

void job_free(struct job *job)
{
    struct worker *worker = job->worker;

    HASH_DEL(worker->jobs, job);
    if (!job->finished)
        worker->living--;
    job_unwatch(job);
    source_drop(&job->patience_timer);
    source_drop(&job->kill_timer);
    source_drop(&job->remove_timer);
    source_drop(&job->record_timer);
    pidref_done(&job->init);
    job->state_fd = fd_close(job->state_fd);
    job->index_fd = fd_close(job->index_fd);
    specification_done(&job->specification);
    outcome_done(&job->outcome);
    free(job);
}

static void state_recorded(struct store_reply *reply, void *userdata)
{
    struct job *job = userdata;

    job->pending--;
    if (reply->code < 0)
        worker_tell_trouble(job->worker, job, &reply->error);
    job_advance(job);
}

void job_record_state(struct job *job)
{
    if (job->recorded)
        (void)job_record_update(job, state_recorded); /* without memory the next one tells */
}

/*
 * Final states are recorded by job_end(), which waits for it; for the others the record follows
 * when it can: what counts after a crash is what hoist-init says in the state file.
 */
void job_set_state(struct job *job, enum hoist_state state)
{
    if (state_move(&job->machine, state) < 0)
        return;
    job->outcome.state = state;
    if (state_is_final(&job->machine)) {
        job->finished = true;
        job->worker->living--;
        return;
    }
    job_record_state(job);
    job_wake(job, OPERATION_WAITS_FOR_CHANGE);
}
