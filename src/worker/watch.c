/* SPDX-License-Identifier: Apache-2.0 */
#include "output/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "worker/job-dir.h"
#include "worker/reclaim.h"
#include "worker/registry.h"

/*
 * Listening to a job: its state file by inotify, the end of hoist-init by its pidfd.
 *
 * Not sd_event_add_inotify_fd(): it goes by /proc, which hoistd doesn't have.
 * Not sd_event_add_child_pidfd(): that wants to reap, and hoist-init is the spawner's child, not
 * ours. A pidfd is readable from the moment when the process has ended.
 */

/*
 * The exit record is the last thing that hoist-init does, but as PID 1 it ends only when all of its
 * job have ended, and a task that waits for a disk or a dead server may not do so for hours. The
 * record is not held up for longer than this.
 */
#define EXIT_PATIENCE (1 * USEC_PER_SEC)

static int exit_is_overdue(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job *job = userdata;

    (void)source, (void)usec;
    source_drop(&job->exit_timer);
    job->process_ended = true;
    job_advance(job);
    return 0;
}

bool job_was_executed(const struct job *job)
{
    if (!job->has_said)
        return false;
    return job->said.has_exit || (job->said.progress.phase != STATE_PHASE_CREATED &&
                                  job->said.progress.phase != STATE_PHASE_START_FAILED);
}

void job_read_said(struct job *job)
{
    bool waited = job->said.progress.flags & STATE_WAITING_FOR_DISK;
    struct state_file said;

    /* A file that doesn't check is no news: the end decides what it is worth. */
    if (job->state_fd < 0 || state_file_read(job->state_fd, &said, NULL) < 0)
        return;
    job->said = said;
    job->has_said = true;
    if (!waited && said.progress.flags & STATE_WAITING_FOR_DISK)
        reclaim_look_soon(job->worker);
    if (said.progress.phase == STATE_PHASE_STOPPING)
        job_notice_stopping(job);
    if (said.has_exit && job->process_source && !job->exit_timer)
        (void)job_arm(job, &job->exit_timer, clock_boot() + EXIT_PATIENCE, exit_is_overdue);
}

static void said_more(void *userdata)
{
    struct job *job = userdata;

    job_read_said(job);
    job_advance(job);
}

static int init_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct job *job = userdata;

    (void)source, (void)fd, (void)events;
    source_drop(&job->process_source);
    job->process_ended = true;
    job_read_said(job);
    job_advance(job);
    return 0;
}

static int watch_said(struct job *job)
{
    _cleanup_free_ char *path =
        job->state_fd >= 0 ? job_dir_state_path(&job->worker->dir, &job->specification.id) : NULL;

    if (job->state_fd < 0)
        return 0;
    if (!path)
        return -ENOMEM;
    return output_watch_follow(job->worker->said, path, job->state_fd, said_more, job,
                               &job->said_follower);
}

int job_watch(struct job *job, struct error *err)
{
    int r = sd_event_add_io(job->worker->event, &job->process_source, job->init.fd, EPOLLIN,
                            init_ended, job);

    if (r >= 0)
        r = watch_said(job);
    if (r < 0)
        return error_set(err, r, "can't watch the job: %s", strerrordesc_np(-r));
    return 0;
}

void job_unwatch(struct job *job)
{
    source_drop(&job->process_source);
    job->said_follower = output_follower_leave(job->said_follower);
    source_drop(&job->exit_timer);
}

/* --- the watch itself ---------------------------------------------------------------------------
 */

static int files_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct worker *worker = userdata;

    (void)source, (void)fd, (void)events;
    (void)output_watch_dispatch(worker->said); /* what can't be read now is read at the next turn */
    return 0;
}

int watch_begin(struct worker *worker, struct error *err)
{
    int fds[OUTPUT_WATCH_FDS], r;

    r = output_watch_new(&worker->said, err);
    if (r < 0)
        return r;
    output_watch_fds(worker->said, fds);
    for (size_t i = 0; r >= 0 && i < OUTPUT_WATCH_FDS; i++)
        if (fds[i] >= 0)
            r = sd_event_add_io(worker->event, &worker->said_sources[i], fds[i], EPOLLIN,
                                files_changed, worker);
    return r < 0 ? error_set(err, r, "can't watch files: %s", strerrordesc_np(-r)) : 0;
}

void watch_end(struct worker *worker)
{
    for (size_t i = 0; i < OUTPUT_WATCH_FDS; i++)
        source_drop(&worker->said_sources[i]);
    worker->said = output_watch_free(worker->said);
}
