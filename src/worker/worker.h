/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoist/hoist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "wire/output-rules.h"
#include "wire/spawn-spec.h"
#include "worker/failure.h"
#include "worker/job-info.h"
#include "worker/job-spec.h"

typedef struct sd_event sd_event;
struct spawner;
struct store;

/*
 * The worker: the registry of jobs and everything that is done with them.
 *
 * It lives in one thread, on the event loop that its owner gives it, and never blocks there. Every
 * operation is asynchronous: it copies its arguments, returns 0 (or -ENOMEM, then nothing happens)
 * and calls `done` later from the event loop, exactly once and never inside the call that started
 * it. An operation can be cancelled, after which `done` is not called; what has begun to happen to
 * the job goes on. The worker logs nothing.
 *
 * Jobs don't depend on the worker: it may be closed, or die, and finds them again when it is
 * opened.
 */

struct worker;
struct worker_operation;

/* Who asks. To somebody who may not see a job it doesn't exist. */
struct worker_caller {
    const char *principal;
    bool all_jobs; /* sees everybody's jobs; otherwise the principal's own */
};

struct worker_list {
    struct job_info **jobs; /* newest first; with usage if it was asked for */
    size_t count;
    char *next_page_token; /* "": this was the last page */
};

void worker_list_free(struct worker_list *list);
DEFINE_CLEANUP(struct worker_list *, worker_list_free);

/*
 * A job's output for a reader on any thread (output/reader.h): own open file descriptions,
 * read-only. A follower waits for events on `index`; the END entry of the index says that all is
 * there.
 */
struct worker_output {
    struct id id;
    int data;
    int index;
    char *index_path; /* where that is: output/watch.h */
    int state;        /* the state file: the gap */
    bool merged;
    bool ended; /* the job had ended when this was opened */
};

void worker_output_free(struct worker_output *output);
DEFINE_CLEANUP(struct worker_output *, worker_output_free);

/*
 * The answer to an operation. Either `failure` is set, or what the operation gives. `done` may take
 * any of the pointers with TAKE_PTR (they share nothing with the worker and may go to another
 * thread); what it leaves is freed.
 */
struct worker_reply {
    struct failure *failure;
    struct job_info *job;         /* start, stop, signal, get, wait */
    struct worker_list *list;     /* list */
    struct worker_output *output; /* open_output */
};

typedef void worker_done_fn(struct worker_reply *reply, void *userdata);

/* Told of every end of a job, after its record is safe. `job` is valid during the call. */
typedef void worker_ended_fn(const struct job_info *job, void *userdata);

/*
 * Told of troubles that no operation can answer for (a cgroup that can't be removed, a record that
 * can't be written): for the program's log. `job` is NULL when it is about the worker itself.
 */
typedef void worker_trouble_fn(const struct id *job, const struct error *err, void *userdata);

/* Of a file system: so many bytes, or so many hundredths of it. Zeros: nothing. */
struct disk_share {
    uint64_t bytes;
    unsigned percent;
};

/* Beyond these jobs that have ended go before their time, the one that ended first first. */
struct worker_room {
    struct disk_share total;   /* what all jobs' files take at most; 0: no bound */
    struct disk_share reserve; /* what stays free where they are */
};

/* What may be another while the worker is open. */
struct worker_rules {
    usec_t adopt_wait; /* of every job: how long it goes on without an agent; 0: for ever */
    struct output_rules output; /* of every job; zeros: no bounds */
    struct worker_room room;    /* zeros: no bounds */
    usec_t retain;              /* how long ended jobs are kept; 0: 24 h; USEC_INFINITY: for ever */
    size_t jobs_max; /* living jobs at once; 0: as many as there are uids, 65536 at most */
};

struct worker_options {
    const char *state_dir;    /* 0700 and ours; made when it is missing (its parent must exist) */
    sd_event *event;          /* referenced */
    struct spawner *spawner;  /* taken on success */
    struct store *store;      /* consumed, also on failure; NULL: <state_dir>/jobs.db */
    const struct id *boot_id; /* NULL: this host's (tests) */
    uid_t uid_low, uid_high;  /* jobs' uids, both inclusive; both 0: jobs run as `uid_fixed` */
    uid_t uid_fixed;
    usec_t grace;         /* default grace; 0: JOB_GRACE_DEFAULT */
    usec_t look_interval; /* how often leftovers are looked for; 0: each minute */
    struct worker_rules rules;
    worker_done_fn *ready;      /* recovery is through; until then operations fail with -EAGAIN */
    worker_ended_fn *ended;     /* may be NULL */
    worker_trouble_fn *trouble; /* may be NULL */
    void *userdata;             /* for the three above */
};

#define WORKER_RETAIN_DEFAULT (UINT64_C(86400) * USEC_PER_SEC)

/*
 * Locks the state directory, loads the records and begins to find the living jobs again; `ready`
 * says when that is through. Fails with -EPERM (owner or mode of the directory), -EBUSY (another
 * agent holds it; the sentence names its pid), or what the store says; each sentence tells how to
 * mend it.
 */
int worker_open(const struct worker_options *options, struct worker **ret, struct error *err);

/* From now on these hold: what they say of jobs, for those that are started from here on. Returns 0
 * or a negative errno, and then what hangs on a timer, `retain`, stays as it was. */
int worker_set_rules(struct worker *worker, const struct worker_rules *rules);

/* Jobs run on. Operations under way are dropped without an answer. Accepts NULL; returns NULL. */
struct worker *worker_close(struct worker *worker);
DEFINE_CLEANUP(struct worker *, worker_close);

/* See state_dir_open_lifeline(): for the launcher's Ready. */
int worker_open_lifeline(const struct worker *worker, int *ret_hold, int *ret_watch,
                         struct error *err);

struct worker_counts {
    uint32_t running;           /* not ended */
    uint32_t kept;              /* ended */
    uint32_t leftover_cgroups;  /* of jobs that have ended, or that nobody knows */
    uint32_t stuck_stops;       /* of `running`: past the deadline of their stop, not yet gone */
    struct spawn_room room;     /* what can be kept for jobs */
    struct spawn_room reserved; /* of it, for those that have not ended */
};

void worker_count(const struct worker *worker, struct worker_counts *ret);

/* Ends an operation's interest: `done` will not be called, the handle is void. */
void worker_cancel(struct worker_operation *operation);

/*
 * Common to all: `caller` and `name` are copied. `name` is "jobs/<uuid>", a UUID, a prefix of one
 * with at least 4 hex digits that fits one job that the caller may see, or the display name of one
 * of the principal's own jobs. Otherwise HOIST_REASON_JOB_NOT_FOUND, or HOIST_REASON_AMBIGUOUS_ID
 * with details "candidate". `ret` (NULL: never cancelled) is valid until `done` is called or
 * worker_cancel().
 */

/*
 * Starts a job for `caller->principal` and answers when its command was executed and its record is
 * safe. The specification must have passed job_spec_check() or fails by it here. `request_id` (""
 * or NULL: none) makes a retry by the same principal return the same job. When the command could
 * not be executed `failure->job` names the record that stays.
 */
int worker_start(struct worker *worker, const struct worker_caller *caller,
                 const struct job_spec *spec, const char *request_id, worker_done_fn *done,
                 void *userdata, struct worker_operation **ret);

/*
 * Stops the whole tree and answers with the final state, or within grace + 2 s with STOPPING and
 * processes_blocked. A job that has ended is returned as it is. signal 0: the job's; grace
 * USEC_INFINITY: the job's; 0: SIGKILL at once.
 */
int worker_stop(struct worker *worker, const struct worker_caller *caller, const char *name,
                int signal, usec_t grace, worker_done_fn *done, void *userdata,
                struct worker_operation **ret);

/* Sends one signal to the command's process group. HOIST_REASON_JOB_ENDED when it has ended. */
int worker_signal(struct worker *worker, const struct worker_caller *caller, const char *name,
                  int signal, worker_done_fn *done, void *userdata, struct worker_operation **ret);

enum worker_get_flags {
    WORKER_GET_SAMPLE = 1 << 0,     /* read the usage twice, one second apart, and fill the rates */
    WORKER_GET_STATISTICS = 1 << 1, /* every figure of a living job by the kernel's names */
};

int worker_get(struct worker *worker, const struct worker_caller *caller, const char *name,
               unsigned flags, worker_done_fn *done, void *userdata, struct worker_operation **ret);

/* What somebody knows of a job already; from a reply's job. */
struct worker_seen {
    enum hoist_state state;
    struct cgroup_usage usage;
    usec_t usage_time; /* its read_boot; 0: none */
};

/*
 * Answers as soon as the job's state is another than was seen (at once with `seen` NULL), or has
 * ended, or when `delay` has passed; rates are over the time since the usage that was seen.
 */
int worker_await_change(struct worker *worker, const struct worker_caller *caller, const char *name,
                        const struct worker_seen *seen, usec_t delay, worker_done_fn *done,
                        void *userdata, struct worker_operation **ret);

/* Answers when the job has ended, or with the present state after `timeout` (USEC_INFINITY: never).
 */
int worker_wait(struct worker *worker, const struct worker_caller *caller, const char *name,
                usec_t timeout, worker_done_fn *done, void *userdata,
                struct worker_operation **ret);

struct worker_filter {
    uint32_t states;                /* bits 1 << enum hoist_state; 0: all */
    const char *owner;              /* "" or NULL: everybody whose jobs the caller may see */
    const struct job_label *labels; /* all must match; an empty value: the label exists */
    size_t label_count;
    uint32_t page_size;     /* 0: 50; at most 500 */
    const char *page_token; /* "" or NULL: the first page. HOIST_REASON_INVALID_PAGE_TOKEN */
    bool usage;             /* read the figures of each that lives */
};

#define WORKER_PAGE_DEFAULT 50
#define WORKER_PAGE_MAX     500

int worker_list_jobs(struct worker *worker, const struct worker_caller *caller,
                     const struct worker_filter *filter, worker_done_fn *done, void *userdata,
                     struct worker_operation **ret);

/* HOIST_REASON_JOB_RUNNING on a job that has not ended, unless `force`, which stops it first. */
int worker_delete(struct worker *worker, const struct worker_caller *caller, const char *name,
                  bool force, worker_done_fn *done, void *userdata, struct worker_operation **ret);

int worker_open_output(struct worker *worker, const struct worker_caller *caller, const char *name,
                       worker_done_fn *done, void *userdata, struct worker_operation **ret);

/* Stops all living jobs with the cause AGENT_SHUTDOWN, those that are still to be found again as
 * soon as they are; answers when all have ended or about 2 s after the last one's grace. */
int worker_stop_all(struct worker *worker, usec_t grace, worker_done_fn *done, void *userdata,
                    struct worker_operation **ret);
