/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/reclaim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/quantity.h"
#include "worker/disk-thread.h"
#include "worker/job-dir.h"
#include "worker/registry.h"
#include "worker/removal.h"

/*
 * One pass at a time: everything is measured (on the disk's thread), then jobs are removed one by
 * one, each counted with what its files took. The next pass measures afresh, so nothing is summed
 * up over time that could drift.
 */

#define LOOK_INTERVAL (60 * USEC_PER_SEC)
#define LOOK_SOON     (1 * USEC_PER_SEC) /* passes that are asked for come no closer */

/* What a job that waits for a full disk is given at least, so that it doesn't wait again at once.
 */
#define WAITING_ROOM (UINT64_C(16) << 20)

#define PAGE 64
#define ENDED_STATES                                                                               \
    (UINT64_C(1) << HOIST_STATE_SUCCEEDED | UINT64_C(1) << HOIST_STATE_FAILED |                    \
     UINT64_C(1) << HOIST_STATE_STOPPED | UINT64_C(1) << HOIST_STATE_LOST)

struct reclaim {
    struct disk_task task; /* measures */
    struct worker *worker;
    bool under_way;
    usec_t last; /* pass, CLOCK_BOOTTIME */

    int jobs_fd; /* the worker's */
    int code;    /* of measuring */
    struct error error;
    uint64_t used;       /* by all jobs' files */
    uint64_t free, size; /* of the file system */

    uint64_t lacking; /* what is still to be freed */
    struct store_list oldest;
    size_t at;        /* the next one of them */
    size_t gone_here; /* of them */
    uint64_t freeing; /* by the removal that is under way */
    size_t removed;
};

/* --- measuring ----------------------------------------------------------------------------------
 */

static int add_directory(const struct id *id, void *userdata)
{
    struct reclaim *reclaim = userdata;

    reclaim->used += job_dir_usage(reclaim->jobs_fd, id);
    return 0;
}

static void measure(struct disk_task *task)
{
    struct reclaim *reclaim = (struct reclaim *)(void *)task;
    struct statvfs disk;

    reclaim->used = 0;
    reclaim->code = job_dir_list(reclaim->jobs_fd, add_directory, reclaim, &reclaim->error);
    if (reclaim->code < 0)
        return;
    if (fstatvfs(reclaim->jobs_fd, &disk) < 0) {
        reclaim->code = error_set(&reclaim->error, -errno, "can't measure the disk of jobs: %s",
                                  strerrordesc_np(errno));
        return;
    }
    reclaim->free = (uint64_t)disk.f_bavail * disk.f_frsize;
    reclaim->size = (uint64_t)disk.f_blocks * disk.f_frsize;
}

static uint64_t share_of(const struct disk_share *share, uint64_t size)
{
    return share->percent > 0 ? size / 100 * share->percent : share->bytes;
}

static bool somebody_waits(const struct worker *worker)
{
    for (const struct job *job = worker->jobs; job; job = job->hh.next)
        if (!job->finished && job->said.progress.flags & STATE_WAITING_FOR_DISK)
            return true;
    return false;
}

/* 0: there is room enough. */
static uint64_t count_lacking(const struct reclaim *reclaim)
{
    const struct worker *worker = reclaim->worker;
    uint64_t total = share_of(&worker->rules.room.total, reclaim->size);
    uint64_t reserve = share_of(&worker->rules.room.reserve, reclaim->size);
    uint64_t over = total > 0 && reclaim->used > total ? reclaim->used - total : 0;

    if (somebody_waits(worker))
        reserve = MAX(reserve, MIN(WAITING_ROOM, reclaim->size / 4));
    return MAX(over, reserve > reclaim->free ? reserve - reclaim->free : 0);
}

/* --- removing -----------------------------------------------------------------------------------
 */

static void remove_next(struct reclaim *reclaim);

static void finish_pass(struct reclaim *reclaim)
{
    char used[QUANTITY_TEXT_MAX], free[QUANTITY_TEXT_MAX];
    struct error err;

    store_list_done(&reclaim->oldest);
    reclaim->under_way = false;
    if (reclaim->removed > 0) {
        error_set(&err, -ENOSPC,
                  "%zu jobs that had ended were removed before their time, to make room: jobs took "
                  "%s, and %s of the disk were free",
                  reclaim->removed, quantity_format_size(reclaim->used, used),
                  quantity_format_size(reclaim->free, free));
        worker_tell_trouble(reclaim->worker, NULL, &err);
    }
    if (somebody_waits(reclaim->worker))
        reclaim_look_soon(reclaim->worker);
}

static void files_gone(struct worker *worker, void *userdata)
{
    struct reclaim *reclaim = userdata;

    if (worker->closing)
        return;
    reclaim->lacking -= MIN(reclaim->lacking, reclaim->freeing);
    reclaim->removed++;
    remove_next(reclaim);
}

static void removed(struct store_reply *reply, void *userdata)
{
    struct reclaim *reclaim = userdata;
    struct worker *worker = reclaim->worker;
    const struct id *id;

    if (worker->closing)
        return;
    id = &reclaim->oldest.records[reclaim->at++]->id;
    reclaim->gone_here += reply->code == 0 || reply->code == -ENOENT;
    if (reply->code == 0) {
        record_removed(worker, id);
        removal_ask(worker, id, files_gone, reclaim);
        return;
    }
    if (reply->code != -ENOENT) /* the records' own disk: the next pass */
        reclaim->lacking = 0;
    remove_next(reclaim);
}

static void listed(struct store_reply *reply, void *userdata)
{
    struct reclaim *reclaim = userdata;

    if (reclaim->worker->closing)
        return;
    store_list_done(&reclaim->oldest);
    reclaim->at = reclaim->gone_here = 0;
    if (reply->code == 0) {
        reclaim->oldest = reply->list;
        reply->list = (struct store_list){.count = 0};
    }
    if (reclaim->oldest.count == 0)
        reclaim->lacking = 0;
    remove_next(reclaim);
}

static int list_oldest(struct reclaim *reclaim)
{
    const struct store_filter filter = {
        .states = ENDED_STATES,
        .first_ended_first = true,
        .limit = PAGE,
    };

    return store_thread_list(reclaim->worker->store, &filter, listed, reclaim);
}

/* The next page is another one only where some of this one have gone. */
static bool wants_page(const struct reclaim *reclaim)
{
    return reclaim->oldest.count == 0 || (reclaim->at == PAGE && reclaim->gone_here > 0);
}

static void remove_next(struct reclaim *reclaim)
{
    struct worker *worker = reclaim->worker;
    int r = -ENOENT;

    while (reclaim->lacking > 0 && reclaim->at < reclaim->oldest.count &&
           registry_find(worker, &reclaim->oldest.records[reclaim->at]->id))
        reclaim->at++; /* its cgroups are still there */
    if (reclaim->lacking > 0 && reclaim->at < reclaim->oldest.count) {
        const struct id *id = &reclaim->oldest.records[reclaim->at]->id;

        reclaim->freeing = job_dir_usage(worker->dir.jobs, id);
        r = store_thread_remove(worker->store, id, removed, reclaim);
    } else if (reclaim->lacking > 0 && wants_page(reclaim)) {
        r = list_oldest(reclaim);
    }
    if (r < 0)
        finish_pass(reclaim);
}

static void measured(struct disk_task *task)
{
    struct reclaim *reclaim = (struct reclaim *)(void *)task;

    if (reclaim->worker->closing)
        return;
    reclaim->removed = 0;
    reclaim->at = 0;
    if (reclaim->code < 0)
        worker_tell_trouble(reclaim->worker, NULL, &reclaim->error);
    reclaim->lacking = reclaim->code < 0 ? 0 : count_lacking(reclaim);
    remove_next(reclaim);
}

/* --- when ---------------------------------------------------------------------------------------
 */

static void look_in(struct worker *worker, usec_t delay)
{
    (void)sd_event_source_set_time_relative(worker->reclaim_source, delay);
    (void)sd_event_source_set_enabled(worker->reclaim_source, SD_EVENT_ONESHOT);
}

static int look(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker *worker = userdata;
    struct reclaim *reclaim = worker->reclaim;

    (void)source, (void)usec;
    look_in(worker, LOOK_INTERVAL);
    if (reclaim->under_way || !worker->recovered)
        return 0;
    reclaim->under_way = true;
    reclaim->last = clock_boot();
    reclaim->jobs_fd = worker->dir.jobs;
    disk_thread_ask(worker->disk, &reclaim->task);
    return 0;
}

void reclaim_look_soon(struct worker *worker)
{
    usec_t now = clock_boot(), earliest = worker->reclaim->last + LOOK_SOON;

    look_in(worker, earliest > now ? earliest - now : 0);
}

int reclaim_begin(struct worker *worker)
{
    worker->reclaim = calloc(1, sizeof(*worker->reclaim));
    if (!worker->reclaim)
        return -ENOMEM;
    *worker->reclaim = (struct reclaim){
        .task = {.run = measure, .done = measured},
        .worker = worker,
    };
    return sd_event_add_time_relative(worker->event, &worker->reclaim_source, CLOCK_BOOTTIME,
                                      LOOK_INTERVAL, USEC_PER_MSEC, look, worker);
}

void reclaim_forget(struct worker *worker)
{
    if (worker->reclaim)
        store_list_done(&worker->reclaim->oldest);
    free(worker->reclaim);
    worker->reclaim = NULL;
    source_drop(&worker->reclaim_source);
}
