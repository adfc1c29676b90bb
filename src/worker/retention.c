/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "worker/operation.h"
#include "worker/removal.h"

/*
 * Retention by age: jobs that ended longer ago than worker->rules.retain go, record first: a crash
 * in between leaves a directory without a record, which recovery enters again as what its state
 * file says, for another sweep. The records are walked in pages, and only as far as they are old
 * enough.
 */

#define SWEEP_INTERVAL_MAX (60 * USEC_PER_SEC)
#define SWEEP_INTERVAL_MIN (1 * USEC_PER_SEC)
#define SWEEP_PAGE         64
#define ENDED_STATES                                                                               \
    (UINT64_C(1) << HOIST_STATE_SUCCEEDED | UINT64_C(1) << HOIST_STATE_FAILED |                    \
     UINT64_C(1) << HOIST_STATE_STOPPED | UINT64_C(1) << HOIST_STATE_LOST)

struct expiry {
    struct worker *worker;
    struct id id;
};

static void expired(struct store_reply *reply, void *userdata)
{
    _cleanup_free_ struct expiry *expiry = userdata;
    struct worker *worker = expiry->worker;

    if (reply->code < 0)
        return; /* the next sweep finds it again */
    record_removed(worker, &expiry->id);
    removal_ask(worker, &expiry->id, NULL, NULL);
}

static void expire(struct worker *worker, const struct id *id)
{
    struct expiry *expiry;

    if (registry_find(worker, id))
        return; /* its cgroups are still there */
    expiry = malloc(sizeof(*expiry));
    if (!expiry)
        return;
    *expiry = (struct expiry){.worker = worker, .id = *id};
    if (store_thread_remove(worker->store, id, expired, expiry) < 0)
        free(expiry);
}

static int sweep_from(struct worker *worker, const struct store_cursor *after);

static void swept(struct store_reply *reply, void *userdata)
{
    struct worker *worker = userdata;
    usec_t now = clock_wall();

    if (worker->closing || worker->rules.retain == USEC_INFINITY || reply->code < 0 ||
        reply->list.count == 0)
        return;
    for (size_t i = 0; i < reply->list.count; i++) {
        const struct store_record *record = reply->list.records[i];

        if (record->ended + worker->rules.retain <= now)
            expire(worker, &record->id);
    }
    if (reply->list.count == SWEEP_PAGE) {
        const struct store_record *last = reply->list.records[SWEEP_PAGE - 1];

        (void)sweep_from(worker, &(struct store_cursor){last->created, last->id});
    }
}

static int sweep_from(struct worker *worker, const struct store_cursor *after)
{
    const struct store_filter filter = {
        .states = ENDED_STATES,
        .after = after,
        .limit = SWEEP_PAGE,
    };

    return store_thread_list(worker->store, &filter, swept, worker);
}

static usec_t sweep_interval(const struct worker *worker)
{
    return MAX(MIN(worker->rules.retain / 10, SWEEP_INTERVAL_MAX), SWEEP_INTERVAL_MIN);
}

/* What was created after now - retain can't have ended before it. */
static int sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct worker *worker = userdata;
    usec_t now = clock_wall();
    struct store_cursor oldest = {.created =
                                      now > worker->rules.retain ? now - worker->rules.retain : 0};

    (void)usec;
    memset(oldest.id.bytes, 0xff, sizeof(oldest.id.bytes));
    (void)sweep_from(worker, &oldest); /* a full queue: the next time */
    (void)sd_event_source_set_time_relative(source, sweep_interval(worker));
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

int retention_begin(struct worker *worker)
{
    sd_event_source *source = NULL;
    int r = 0;

    if (worker->rules.retain != USEC_INFINITY)
        r = sd_event_add_time_relative(worker->event, &source, CLOCK_BOOTTIME,
                                       sweep_interval(worker), USEC_PER_SEC, sweep, worker);
    if (r < 0)
        return r;
    source_drop(&worker->retention_source);
    worker->retention_source = source;
    return 0;
}
