/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/pidref.h"
#include "base/state.h"
#include "output/format.h"
#include "output/totals.h"
#include "output/watch.h"
#include "store/store-thread.h"
#include "wire/outcome.h"
#include "wire/specification.h"
#include "wire/state-file.h"
#include "worker/spawner.h"
#include "worker/state-dir.h"
#include "worker/uid-pool.h"
#include "worker/worker.h"

/*
 * What the files of the worker share: the registry of living jobs and the operations on them.
 * Nobody outside of src/worker includes this.
 *
 * A job is in the registry from the moment when its directory is made until it has ended, its
 * record says so, and its cgroups are gone. Everything that happens to it (an answer of the spawner
 * or of the store, a write to its state file, the end of hoist-init, a timer) notes a fact in
 * struct job and calls job_advance(), which looks at all the facts and does what is due. So no
 * order of events is special.
 */

typedef struct sd_event_source sd_event_source;

struct job;

/* What was found on disk before the store got its thread (recovery.c). */
struct recovery {
    struct store_list living; /* records */
    struct id *unrecorded;    /* directories without a record */
    size_t unrecorded_count;
    size_t directories;
    size_t next;       /* to be entered: records first, then directories */
    int told;          /* what is in the way, as last told; 0: nothing */
    struct id told_of; /* whose way */
    sd_event_source *again;

    struct job *sought; /* the one in hand: who is its hoist-init? */
    /* Its state file as it was found. Nothing follows from it until that is known, too. */
    struct recovery_finding {
        struct state_file said;
        bool has_said;
    } finding;
};

struct worker_operation;
struct orphan;
struct disk_thread;
struct ended_job;
struct output_follower;
struct reclaim;
struct unremoved;

struct worker {
    sd_event *event;
    struct spawner *spawner;
    struct store_thread *store;
    sd_event_source *store_source;
    struct state_dir dir;
    struct id boot_id;
    struct uid_pool uids; /* count 0: jobs run as uid_fixed */
    uid_t uid_fixed;
    usec_t grace;
    struct worker_rules rules; /* its defaults filled in */
    worker_ended_fn *ended;
    worker_trouble_fn *trouble;
    void *userdata;

    struct job *jobs;             /* by id */
    struct ended_job *ended_jobs; /* ended-jobs.c */
    size_t living;                /* of them, not ended */
    size_t kept;                  /* ended, in the store */
    bool recovered;               /* operations are allowed */
    bool closing;                 /* answers are dropped */
    bool stopping;                /* worker_stop_all(): also who is found again from now on */
    usec_t stop_grace;            /* USEC_INFINITY: each its own */
    unsigned recovering;          /* questions to spawner, disk and store before `ready` */
    struct recovery recovery;
    struct worker_operation *ready_operation;
    /* leftovers.c */
    struct orphan *orphans; /* cgroups of no job, being removed */
    usec_t look_interval;
    sd_event_source *look_source;

    /* removal.c */
    struct unremoved *unremoved; /* directories that couldn't be removed */

    struct output_watch *said; /* of the state files of all jobs (watch.c) */
    sd_event_source *said_sources[OUTPUT_WATCH_FDS];

    struct worker_operation *operations; /* all */
    struct worker_operation *answers;    /* to be delivered, in order */
    sd_event_source *answer_source;
    sd_event_source *retention_source;
    struct disk_thread *disk;
    sd_event_source *disk_source;
    struct reclaim *reclaim;
    sd_event_source *reclaim_source;
};

/* Facts about a job that is being started. */
struct job_start {
    bool
        pending; /* until it is known whether the command was executed and whether it is recorded */
    bool spawn_answered;
    bool put_answered;
    int put_code;
    struct error put_error;
    enum spawn_failure failure; /* of the spawner */
    int failure_code;
    bool failed; /* `outcome` says why */
};

struct job {
    UT_hash_handle hh;
    struct worker *worker;
    struct state_machine machine; /* enum hoist_state */
    struct specification specification;
    struct outcome outcome;
    char group[SPAWN_GROUP_MAX];

    struct job_start start;
    struct pidref init;
    bool sought;        /* nobody knows yet who hoist-init is, or whether it lives */
    bool process_ended; /* hoist-init is gone, has said its last and can't go, or never was */
    bool rebooted;      /* it ran in an earlier boot of the host */

    int state_fd;
    bool has_said; /* `said` was read */
    struct state_file said;
    int index_fd;
    struct output_totals totals;
    struct output_gap gap; /* when the output was sealed; before that hoist-init says it */

    bool stop_wanted; /* a stop came before the command was executed */
    int stop_signal;
    usec_t stop_grace;
    usec_t kill_deadline; /* CLOCK_BOOTTIME; 0: none. Past it all of cmd/ is killed from outside */

    bool ending;   /* the removal of its cgroups is under way or through */
    bool removing; /* a request to remove them is under way */
    bool cgroups_gone;
    usec_t remove_since; /* CLOCK_BOOTTIME */
    usec_t remove_delay;
    enum {
        SEAL_NOT_ASKED,
        SEAL_UNDER_WAY,
        SEAL_DONE,     /* `totals` and `gap` are the output's */
        SEAL_FAILED,   /* and it was told */
    } seal;            /* of the output, where hoist-init has left that without its end */
    bool finished;     /* the final state is set */
    bool end_recorded; /* and the record says so */
    bool end_told;     /* operations and the owner were told */
    bool dropped;      /* it leaves no record */
    bool deleted;      /* DeleteJob: it isn't found any more */

    struct {
        bool asked; /* of the spawner, and not told yet */
        size_t count;
        struct spawn_task list[SPAWN_TASKS_MAX];
    } blocked; /* tasks that can't be ended, as last told (blocked.c) */

    unsigned pending; /* completions of spawner, store and disk that will come with this job */
    bool recorded;    /* the store holds it */
    bool putting;     /* it was found without a record, which is being added */

    sd_event_source *process_source;
    struct output_follower *said_follower;
    sd_event_source *exit_timer;     /* from the exit record to the end of hoist-init */
    sd_event_source *patience_timer; /* with hoist-init at the start, with the spawner at the end */
    sd_event_source *kill_timer;
    sd_event_source *remove_timer;
    sd_event_source *record_timer;

    struct worker_operation *waiting; /* operations that wait for this job */
};

/* --- registry (registry.c) --- */

struct job *registry_find(struct worker *worker, const struct id *id);
struct job *registry_find_name(struct worker *worker, const char *owner, const char *display_name);
struct job *registry_find_request(struct worker *worker, const char *owner, const char *request_id);

/* Takes the specification on success and enters the job, STARTING. NULL: no memory. */
struct job *job_new(struct worker *worker, struct specification *specification);

/* Leaves the registry and frees. Operations that wait must have been answered. */
void job_free(struct job *job);

/* The one setter: checks the edge, writes the record, tells who waits. */
void job_set_state(struct job *job, enum hoist_state state);
/* Writes the record of a job that has not ended. */
void job_record_state(struct job *job);

void worker_tell_trouble(struct worker *worker, const struct job *job, const struct error *err);
void worker_tell_trouble_of(struct worker *worker, const struct id *job, const struct error *err);

/* A one-shot timer of the job at `deadline` (CLOCK_BOOTTIME), replacing what `source` holds. */
typedef int job_timer_fn(sd_event_source *source, uint64_t usec, void *userdata);
int job_arm(struct job *job, sd_event_source **source, usec_t deadline, job_timer_fn *fn);
void source_drop(sd_event_source **source);

/* --- records (record.c) --- */

/* Asks the store to add the job's record; the answer goes to job->start and job_advance(). */
int job_record_put(struct job *job);
/* The same for a job that recovery has found without one, and again and again when it is refused;
 * counts among worker->recovering until the first answer. */
int job_record_put_found(struct job *job, struct error *err);
/* Asks it to rewrite the record, or to add the one that there is none of yet; `done` gets the job.
 */
int job_record_update(struct job *job, store_done_fn *done);
int job_record_write(struct job *job, store_done_fn *done);
/* There is one now, or another one in its way: adding it once more won't do better. */
bool record_put_is_final(int code);
/* The store has let go of the record of a job that had ended. */
void record_removed(struct worker *worker, const struct id *id);
/* Both blobs of a record. -EPROTO with a sentence. */
int record_decode(const struct store_record *record, struct specification *ret_specification,
                  struct outcome *ret_outcome, struct error *err);

/* --- snapshots (snapshot.c) --- */

/* NULL: no memory. */
struct job_info *snapshot_job(struct job *job);
struct job_info *snapshot_record(const struct store_record *record, struct error *err);
/* JOB_THROTTLED_…: what held the job back between two readings. */
unsigned usage_throttled(const struct cgroup_usage *before, const struct cgroup_usage *after);
/* Reads the figures of a living job now. 0 or a negative errno. */
int job_read_usage(struct job *job, struct cgroup_usage *ret);

/* --- tasks that can't be ended (blocked.c) --- */

/* A stop should have been through by now. */
bool job_is_past_its_deadline(const struct job *job);
/*
 * Asks which tasks still hold it; who waits for OPERATION_WAITS_FOR_TASKS is woken by the answer.
 * False: nobody can be asked.
 */
bool job_ask_for_tasks(struct job *job);

/* --- life (life.c, watch.c, stop.c, end.c) --- */

/* Looks at the facts and does what is due. May free the job: the last thing that a handler does. */
void job_advance(struct job *job);

/* What all jobs are watched with. */
int watch_begin(struct worker *worker, struct error *err);
void watch_end(struct worker *worker);
/* Begins to watch hoist-init and the state file. */
int job_watch(struct job *job, struct error *err);
void job_unwatch(struct job *job);
/* Reads the state file again. */
void job_read_said(struct job *job);
/* The command was executed. */
bool job_was_executed(const struct job *job);

/* Asks hoist-init to stop, now or as soon as the command was executed. `by` "": the agent itself.
 */
void job_stop(struct job *job, const char *by, int signal, usec_t grace);
/* The same if all are being stopped. */
void job_stop_with_all(struct job *job);
/* Sends what was wanted before the command was executed. */
void job_send_stop(struct job *job);
/* Takes notice of a stop that hoist-init began by itself. */
void job_notice_stopping(struct job *job);

/* Removes the cgroups, then sets the final state and records it. */
void job_end(struct job *job);
/* Goes on with an end after a fact has changed. */
void job_end_advance(struct job *job);
/* Writes the record of a job that has ended, until it is there. */
void job_record_end(struct job *job);
/* Ends without a record: all who wait get `failure`. */
void job_drop(struct job *job, const struct failure *failure);

/* --- start (start.c) --- */

/* Makes uid, directory and files, then asks spawner and store. On failure nothing is left. */
int job_begin(struct worker *worker, const struct worker_caller *caller,
              const struct job_spec *spec, const char *request_id, struct job **ret,
              struct failure *failure);
/* Where its figures are from now on, of which some count from here. */
void job_note_cgroup(struct job *job, const char *cgroup);
/* Decides a start whose facts are all there. */
void job_start_advance(struct job *job);

/* --- recovery and retention --- */

/* Fills worker->recovery; changes nothing. */
int recovery_read(struct worker *worker, struct store *store, struct error *err);
/* What recovery_begin() needs of the event loop. */
int recovery_prepare(struct worker *worker);
/*
 * Enters the jobs, then begins to remove what belongs to none; op `ready` is answered at its end.
 * Where memory or descriptors are short it waits until there are some: what can't be looked at now
 * may be alive.
 */
void recovery_begin(struct worker *worker, struct worker_operation *ready);
/* Frees what was read. */
void recovery_done(struct worker *worker);

/* Tells what is in the way of finding a job again, unless the same was told last. */
void recovery_tell(struct worker *worker, const struct id *job, const struct error *why);
/* One of the worker->recovering questions has its answer; behind the last one comes `ready`. */
void recovery_step(struct worker *worker);

/* Removes, from time to time, what has ended longer ago than worker->rules.retain; called again
 * when that is another. */
int retention_begin(struct worker *worker);
