/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/leftovers.h"

#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "worker/registry.h"
#include "worker/removal.h"

/*
 * A job enters the registry before its cgroups are made, and leaves it behind them, so whatever
 * cgroup is found without a job in the registry is nobody's. Job ids are never used twice: it can't
 * become somebody's between the look and the removal.
 */

#define LOOK_INTERVAL (60 * USEC_PER_SEC)
#define ORPHAN_RETRY  (100 * USEC_PER_MSEC)
#define ORPHAN_PAUSE  (10 * USEC_PER_SEC) /* from the ORPHAN_QUICK-th refusal on */
#define ORPHAN_QUICK  100

/* Cgroups without a job, on their way out. */
struct orphan {
    struct orphan *prev, *next;
    struct worker *worker;
    struct spawner_group group;
    bool awaited; /* recovery waits for the first answer */
    unsigned refusals;
    sd_event_source *timer;
};

/* --- cgroups ------------------------------------------------------------------------------------
 */

static void ask_orphan(struct orphan *orphan);

static void orphan_free(struct orphan *orphan)
{
    DL_DELETE(orphan->worker->orphans, orphan);
    source_drop(&orphan->timer);
    free(orphan);
}

static int orphan_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct orphan *orphan = userdata;

    (void)source, (void)usec;
    source_drop(&orphan->timer);
    ask_orphan(orphan);
    return 0;
}

static void orphan_removed(const struct spawner_removed *removed, void *userdata)
{
    struct orphan *orphan = userdata;
    struct worker *worker = orphan->worker;
    bool awaited = orphan->awaited;
    usec_t pause = ++orphan->refusals < ORPHAN_QUICK ? ORPHAN_RETRY : ORPHAN_PAUSE;

    orphan->awaited = false;
    if (removed->code == -EBUSY)
        (void)sd_event_add_time_relative(worker->event, &orphan->timer, CLOCK_BOOTTIME, pause,
                                         USEC_PER_MSEC, orphan_again, orphan);
    else if (removed->code < 0 && removed->code != -ENOENT)
        worker_tell_trouble(worker, NULL, &removed->error);
    if (!orphan->timer)
        orphan_free(orphan);
    if (awaited)
        recovery_step(worker);
}

/* What can't be asked now is found by the next look. */
static void ask_orphan(struct orphan *orphan)
{
    if (spawner_remove(orphan->worker->spawner, &orphan->group.id, orphan->group.group,
                       orphan_removed, orphan) == 0)
        return;
    if (orphan->awaited)
        orphan->worker->recovering--;
    orphan_free(orphan);
}

static bool is_known(const struct worker *worker, const struct id *id)
{
    const struct orphan *orphan;
    struct job *job;

    HASH_FIND(hh, worker->jobs, id, sizeof(*id), job);
    if (job)
        return true;
    DL_FOREACH(worker->orphans, orphan)
    if (id_equal(&orphan->group.id, id))
        return true;
    return false;
}

static void remove_group(struct worker *worker, const struct spawner_group *group)
{
    struct orphan *orphan;

    if (is_known(worker, &group->id))
        return;
    orphan = calloc(1, sizeof(*orphan));
    if (!orphan)
        return; /* the next look finds it */
    *orphan = (struct orphan){
        .worker = worker,
        .group = *group,
        .awaited = worker->recovering > 0,
    };
    DL_APPEND(worker->orphans, orphan);
    if (orphan->awaited)
        worker->recovering++;
    ask_orphan(orphan);
}

static void groups_listed(const struct spawner_groups *groups, void *userdata)
{
    struct worker *worker = userdata;

    if (groups->code < 0)
        worker_tell_trouble(worker, NULL, &groups->error);
    else
        for (size_t i = 0; i < groups->count; i++)
            remove_group(worker, &groups->groups[i]);
    if (worker->recovering > 0)
        recovery_step(worker);
}

void leftovers_look(struct worker *worker)
{
    if (spawner_list(worker->spawner, groups_listed, worker) < 0 && worker->recovering > 0)
        recovery_step(worker);
}

uint32_t leftovers_count_cgroups(const struct worker *worker)
{
    const struct orphan *orphan;
    uint32_t count = 0;

    DL_FOREACH(worker->orphans, orphan)
    count++;
    for (const struct job *job = worker->jobs; job; job = job->hh.next)
        count += job->finished && !job->cgroups_gone;
    return count;
}

/* --- from time to time --------------------------------------------------------------------------
 */

static int look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker *worker = userdata;

    (void)usec;
    if (worker->recovered) {
        leftovers_look(worker);
        removal_try_again(worker);
    }
    (void)sd_event_source_set_time_relative(source, worker->look_interval);
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

int leftovers_begin(struct worker *worker)
{
    if (worker->look_interval == 0)
        worker->look_interval = LOOK_INTERVAL;
    return sd_event_add_time_relative(worker->event, &worker->look_source, CLOCK_BOOTTIME,
                                      worker->look_interval, USEC_PER_MSEC, look_again, worker);
}

void leftovers_forget(struct worker *worker)
{
    source_drop(&worker->look_source);
    while (worker->orphans)
        orphan_free(worker->orphans);
    removal_forget(worker);
}
