/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/strv.h"
#include "worker/registry.h"

/*
 * Stopping a job.
 *
 * hoist-init keeps the grace period and kills what is left, whoever of us lives. Should it not have
 * ended KILL_MARGIN after that, everything in the job's cmd/ is killed from outside too.
 */

#define KILL_MARGIN (1 * USEC_PER_SEC)

static void killed(int code, void *userdata)
{
    struct job *job = userdata;

    (void)code; /* gone, or without cgroups: hoist-init was told as well */
    job->pending--;
    job_advance(job);
}

static int kill_deadline_passed(sd_event_source *source, uint64_t usec, void *userdata)
{
    const struct control_request request = {.op = CONTROL_KILL};
    struct job *job = userdata;

    (void)source, (void)usec;
    source_drop(&job->kill_timer);
    (void)spawner_control(job->worker->spawner, &job->init, &request);
    if (spawner_kill(job->worker->spawner, &job->specification.id, job->group, killed, job) == 0)
        job->pending++;
    return 0;
}

/*
 * `kill`: when hoist-init kills what is left, or did: after a restart the deadline may have passed
 * long ago. Of several stops the earliest counts, as it does for hoist-init.
 */
static void arm_kill(struct job *job, usec_t kill)
{
    usec_t deadline = MIN(kill, USEC_INFINITY - KILL_MARGIN) + KILL_MARGIN;

    if (job->kill_deadline != 0 && job->kill_deadline <= deadline)
        return;
    job->kill_deadline = deadline;
    (void)job_arm(job, &job->kill_timer, deadline, kill_deadline_passed);
}

void job_send_stop(struct job *job)
{
    const struct control_request request = {
        .op = CONTROL_STOP,
        .signal = job->stop_signal,
        .grace = job->stop_grace,
    };

    job->stop_wanted = false;
    if (job->process_ended)
        return;
    arm_kill(job, clock_boot() + job->stop_grace);
    (void)spawner_control(job->worker->spawner, &job->init, &request); /* -ESRCH: the end comes */
    job_set_state(job, HOIST_STATE_STOPPING);
}

static void note_who(struct job *job, const char *by)
{
    if (job->outcome.state == HOIST_STATE_STOPPING || job->stop_wanted)
        return; /* the first one it was */
    if (text_is_empty(by)) {
        job->outcome.cause = HOIST_CAUSE_AGENT_SHUTDOWN;
    } else {
        free(job->outcome.stopped_by);
        job->outcome.stopped_by = strdup(by);
    }
}

void job_stop(struct job *job, const char *by, int signal, usec_t grace)
{
    usec_t wanted = grace == USEC_INFINITY ? job->specification.spec.grace : grace;

    if (job->finished)
        return;
    note_who(job, by);
    job->stop_grace = job->stop_wanted ? MIN(job->stop_grace, wanted) : wanted;
    job->stop_signal = signal ? signal : job->specification.spec.stop_signal;
    if (job->outcome.state == HOIST_STATE_STARTING || job->sought)
        job->stop_wanted = true;
    else
        job_send_stop(job);
}

void job_notice_stopping(struct job *job)
{
    if (job->outcome.state == HOIST_STATE_RUNNING)
        job_set_state(job, HOIST_STATE_STOPPING);
    if (job->outcome.state == HOIST_STATE_STOPPING) /* of an earlier agent's stop, too */
        arm_kill(job, job->said.progress.kill_boot);
}
