/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/strv.h"
#include "store/store-sqlite.h"
#include "worker/disk-thread.h"
#include "worker/ended-jobs.h"
#include "worker/leftovers.h"
#include "worker/operation.h"
#include "worker/reclaim.h"
#include "worker/reservation.h"

#define JOBS_MAX_DEFAULT 65536
#define ANSWERS_AT_ONCE  64 /* then other events have their turn */

static int deliver(sd_event_source *source, void *userdata)
{
    struct worker *worker = userdata;

    /* Always the first: a callback may cancel any of the others. */
    for (unsigned i = 0; i < ANSWERS_AT_ONCE && worker->answers; i++) {
        struct worker_operation *op = worker->answers;

        if (op->done)
            op->done(&op->reply, op->userdata);
        operation_free(op);
    }
    if (worker->answers)
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

static int store_is_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct worker *worker = userdata;

    (void)source, (void)fd, (void)events;
    store_thread_dispatch(worker->store);
    return 0;
}

static int disk_is_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct worker *worker = userdata;

    (void)source, (void)fd, (void)events;
    disk_thread_dispatch(worker->disk);
    return 0;
}

static struct worker_rules rules_with_defaults(const struct worker_rules *given)
{
    struct worker_rules rules = *given;

    rules.retain = rules.retain ? rules.retain : WORKER_RETAIN_DEFAULT;
    rules.jobs_max = rules.jobs_max ? rules.jobs_max : JOBS_MAX_DEFAULT;
    return rules;
}

static struct worker *worker_new(const struct worker_options *options)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return NULL;
    *worker = (struct worker){
        .event = sd_event_ref(options->event),
        .dir = STATE_DIR_NULL,
        .uid_fixed = options->uid_fixed,
        .grace = options->grace ? options->grace : JOB_GRACE_DEFAULT,
        .rules = rules_with_defaults(&options->rules),
        .ended = options->ended,
        .trouble = options->trouble,
        .look_interval = options->look_interval,
        .userdata = options->userdata,
    };
    return worker;
}

static int open_store(const char *state_dir, struct store **store, struct store_open_report *report,
                      struct error *err)
{
    _cleanup_free_ char *path = text_format("%s/jobs.db", state_dir);

    if (!path)
        return error_set(err, -ENOMEM, "no memory to open the records");
    return store_open_sqlite(path, store, report, err);
}

/* Nobody is to believe that there never were any jobs. */
static void tell_empty_records(struct worker *worker, const struct store_open_report *report)
{
    const struct recovery *recovery = &worker->recovery;
    struct error err;

    if (report->quarantined[0])
        error_set(&err, -EBADMSG,
                  "the records of jobs were damaged and are kept as %s; %zu jobs are entered again "
                  "from their directories",
                  report->quarantined, recovery->unrecorded_count);
    else if (report->created && recovery->directories > 0)
        error_set(&err, -ENOENT,
                  "the records of jobs are gone; %zu jobs are entered again from their directories",
                  recovery->unrecorded_count);
    else
        return;
    worker_tell_trouble(worker, NULL, &err);
}

static int set_up(struct worker *worker, const struct worker_options *options, struct error *err)
{
    int r = 0;

    if (options->uid_high > 0)
        r = uid_pool_init(&worker->uids, options->uid_low, options->uid_high);
    if (r < 0)
        return error_set(err, r, "jobs can't run as uids %u to %u", options->uid_low,
                         options->uid_high);
    if (options->boot_id)
        worker->boot_id = *options->boot_id;
    else
        r = boot_id_read(&worker->boot_id);
    if (r < 0)
        return error_set(err, r, "can't read the boot id of this host");
    r = sd_event_add_defer(worker->event, &worker->answer_source, deliver, worker);
    if (r >= 0)
        r = sd_event_source_set_enabled(worker->answer_source, SD_EVENT_OFF);
    if (r < 0)
        return error_set(err, r, "can't use the event loop: %s", strerrordesc_np(-r));
    r = watch_begin(worker, err);
    return r < 0 ? r : state_dir_open(options->state_dir, &worker->dir, err);
}

static int begin(struct worker *worker, const struct worker_options *options, struct error *err)
{
    const struct worker_caller nobody = {.principal = ""};
    struct worker_operation *ready =
        operation_new(worker, &nobody, NULL, options->ready, options->userdata);
    int r = ready ? sd_event_add_io(worker->event, &worker->store_source,
                                    store_thread_fd(worker->store), EPOLLIN, store_is_ready, worker)
                  : -ENOMEM;

    if (r >= 0)
        r = sd_event_add_io(worker->event, &worker->disk_source, disk_thread_fd(worker->disk),
                            EPOLLIN, disk_is_ready, worker);
    if (r >= 0)
        r = retention_begin(worker);
    if (r >= 0)
        r = reclaim_begin(worker);
    if (r >= 0)
        r = leftovers_begin(worker);
    if (r >= 0)
        r = recovery_prepare(worker);
    if (r < 0)
        return error_set(err, r, "can't use the event loop: %s", strerrordesc_np(-r));
    worker->spawner = options->spawner;
    recovery_begin(worker, ready);
    return 0;
}

int worker_open(const struct worker_options *options, struct worker **ret, struct error *err)
{
    _cleanup_store_ struct store *store = options->store;
    _cleanup_(worker_closep) struct worker *worker = worker_new(options);
    struct store_open_report report = {.created = false};
    int r = worker ? 0 : error_set(err, -ENOMEM, "no memory for a worker");

    if (r == 0)
        r = set_up(worker, options, err);
    if (r == 0 && !store)
        r = open_store(options->state_dir, &store, &report, err);
    if (r == 0)
        r = recovery_read(worker, store, err);
    if (r == 0)
        r = disk_thread_new(&worker->disk, err);
    if (r == 0)
        r = store_thread_new(store, &worker->store, err);
    if (r < 0)
        return r;
    store = NULL; /* the thread's now */
    tell_empty_records(worker, &report);
    r = begin(worker, options, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(worker);
    return 0;
}

/*
 * First the spawner, which drops what is under way; then disk and store, whose last answers come
 * while `closing` makes all of them fall on deaf ears; then what they pointed to.
 */
struct worker *worker_close(struct worker *worker)
{
    if (!worker)
        return NULL;
    worker->closing = true;
    spawner_free(worker->spawner);
    source_drop(&worker->store_source);
    source_drop(&worker->retention_source);
    source_drop(&worker->disk_source);
    disk_thread_free(worker->disk);
    store_thread_free(worker->store);
    reclaim_forget(worker);
    leftovers_forget(worker);
    recovery_done(worker);
    while (worker->operations)
        operation_free(worker->operations);
    while (worker->jobs)
        job_free(worker->jobs);
    ended_jobs_clear(worker);
    watch_end(worker);
    source_drop(&worker->answer_source);
    uid_pool_done(&worker->uids);
    state_dir_close(&worker->dir);
    sd_event_unref(worker->event);
    free(worker);
    return NULL;
}

int worker_set_rules(struct worker *worker, const struct worker_rules *rules)
{
    const struct worker_rules old = worker->rules;
    int r;

    worker->rules = rules_with_defaults(rules);
    reclaim_look_soon(worker);
    if (worker->rules.retain == old.retain)
        return 0;
    r = retention_begin(worker);
    if (r < 0)
        worker->rules.retain = old.retain;
    return r;
}

int worker_open_lifeline(const struct worker *worker, int *ret_hold, int *ret_watch,
                         struct error *err)
{
    return state_dir_open_lifeline(&worker->dir, ret_hold, ret_watch, err);
}

/* Of the jobs that should have ended by now, everything killed. */
static uint32_t count_stuck_stops(const struct worker *worker)
{
    usec_t now = clock_boot();
    uint32_t count = 0;

    for (const struct job *job = worker->jobs; job; job = job->hh.next)
        count += !job->finished && job->kill_deadline > 0 && job->kill_deadline <= now;
    return count;
}

void worker_count(const struct worker *worker, struct worker_counts *ret)
{
    *ret = (struct worker_counts){
        .running = (uint32_t)worker->living,
        .kept = (uint32_t)worker->kept,
        .leftover_cgroups = leftovers_count_cgroups(worker),
        .stuck_stops = count_stuck_stops(worker),
        .room = worker->spawner->room,
        .reserved = reservations_sum(worker),
    };
}
