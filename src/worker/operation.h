/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "worker/registry.h"

/*
 * One operation: from the call to the one answer.
 *
 * It is owned by the worker. It may wait for the store (`pending`), for a job (`job`), for a timer,
 * or be answered and wait for its delivery; cancelling ends all of these, and what can't be taken
 * back (a question to the store) frees it when its answer comes.
 */

enum operation_wait {
    OPERATION_WAITS_FOR_START,
    OPERATION_WAITS_FOR_END,
    OPERATION_WAITS_FOR_CHANGE, /* of state, the end included */
    OPERATION_WAITS_FOR_TASKS,  /* of a job that can't be ended, or for its end */
};

/* The job that was named: living (`job`), or ended (`record`, which may be taken). */
typedef void operation_found_fn(struct worker_operation *op, struct job *job,
                                struct store_record **record);

struct worker_operation {
    struct worker *worker;
    struct worker_operation *prev, *next; /* in worker->operations */
    struct worker_operation *answer_prev, *answer_next;
    struct worker_operation *job_prev, *job_next; /* in job->waiting */
    worker_done_fn *done;
    void *userdata;
    struct worker_reply reply;
    bool answered;
    bool cancelled;
    bool goes_on; /* the job that it waits for may fail: it is about all of them */
    bool awaits_recovery;
    bool knows_tasks; /* of a job that can't be ended it was told which they are */
    unsigned pending;

    char *principal;
    bool all_jobs;
    char *name;
    operation_found_fn *found;

    struct job *job; /* that it waits for */
    enum operation_wait waits_for;
    /* NULL: answered with a snapshot. Otherwise called when what it waits for has come. */
    void (*woken)(struct worker_operation *op, struct job *job);
    /* NULL, or adds to a snapshot before it goes out. */
    void (*shown)(struct worker_operation *op, struct job *job);
    sd_event_source *timer;

    /* What the operations need each. */
    struct job_spec spec; /* start */
    char *request_id;     /* start */
    int signal;           /* stop, signal */
    usec_t duration;      /* stop: grace; wait: timeout; await_change: delay */
    bool flag;            /* delete: force; list: with usage; open_output: merged */
    bool shows_ended;     /* a job that has ended is just shown: what was read of it will do */
    unsigned get;         /* get: enum worker_get_flags */
    struct id id;         /* get, delete, open_output */
    struct cgroup_usage before; /* get, await_change: the reading before */
    usec_t before_time;         /* CLOCK_BOOTTIME; 0: there was none */
    enum hoist_state seen;      /* await_change */
    uint32_t page_size;         /* list */
    uint32_t page_check;        /* list: ties a page token to its query */
};

/* NULL: no memory. `ret` (may be NULL) gets the handle. */
struct worker_operation *operation_new(struct worker *worker, const struct worker_caller *caller,
                                       const char *name, worker_done_fn *done, void *userdata);

/* Recovery is through; otherwise fails the operation. */
bool operation_is_allowed(struct worker_operation *op);

/* Finds the job by op->name and calls `found`, or fails the operation. Returns 0. */
int operation_begin(struct worker_operation *op, operation_found_fn *found,
                    struct worker_operation **ret);

/* The caller of `op` may see jobs of `owner`. */
bool operation_may_see(const struct worker_operation *op, const char *owner);

void operation_wait_for(struct worker_operation *op, struct job *job, enum operation_wait what);
/* op->woken is called, without a job, once recovery is through. */
void operation_wait_for_recovery(struct worker_operation *op);
void operation_stop_waiting(struct worker_operation *op);

/* Arms op->timer. */
int operation_arm(struct worker_operation *op, usec_t deadline, job_timer_fn *fn);

/* The answers. Each ends the operation: it is delivered from the event loop. */
void operation_answer(struct worker_operation *op);
/* Of a job that can't be ended once its tasks are known: `op` may wait for them before. */
void operation_answer_job(struct worker_operation *op, struct job *job);
void operation_answer_record(struct worker_operation *op, const struct store_record *record);
void operation_fail(struct worker_operation *op, const struct failure *failure);
void operation_fail_with(struct worker_operation *op, int code, enum hoist_reason reason,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A completion of the store or of the disk's thread has come: false when the operation was
 * cancelled (and is freed now). */
bool operation_resumed(struct worker_operation *op);

/* Frees without an answer. */
void operation_free(struct worker_operation *op);

/* Wakes what waits for this. */
void job_wake(struct job *job, enum operation_wait what);
/* Fails what still waits for the start, and wakes all that waits for anything else. */
void job_wake_ended(struct job *job);
/* Fails all that waits. */
void job_wake_failed(struct job *job, const struct failure *failure);
/* Wakes what waits for the end of recovery. */
void operations_wake_recovered(struct worker *worker);
