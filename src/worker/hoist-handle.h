/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <hoist/hoist.h>

#include "base/error.h"
#include "worker/worker.h"

struct output_watch;

/* What the files behind <hoist/hoist.h> share. */

struct hoist {
    sd_event *event;
    struct worker *worker;
    bool ready; /* the jobs of before were found again */
    hoist_ended_fn *ended;
    void *userdata;
};

/* The one principal of a libhoist that is used alone. */
extern const struct worker_caller hoist_caller;

/* Fills the caller's error (may be NULL) and returns the code. */
int hoist_error_set(struct hoist_error *error, int code, enum hoist_reason reason,
                    const char *text);
int hoist_error_from(struct hoist_error *error, const struct failure *failure);

/*
 * Copies an input of `given` bytes into the library's own of `known`, whichever is longer: what the
 * caller's version doesn't have is zero. -EINVAL without a size, and when a newer caller asks for
 * something that this version doesn't have.
 */
int hoist_input_take(void *input, size_t known, const void *from, size_t given,
                     struct hoist_error *error);
#define HOIST_INPUT_TAKE(copy, from, error)                                                        \
    hoist_input_take((copy), sizeof(*(copy)), (from), (from) ? (from)->size : 0, (error))

/* One operation of the worker that somebody waits for. */
struct hoist_call {
    bool come;
    struct worker_reply reply;
    struct worker_operation *operation;
};

/* The `done` for it. */
void hoist_call_done(struct worker_reply *reply, void *userdata);
void hoist_call_clear(struct hoist_call *call);
#define _cleanup_hoist_call_ _cleanup_(hoist_call_clear)

/*
 * Turns the loop until the call has its answer: 0, or the failure's code. `started` is what
 * worker_…() returned. -ECANCELED: `cancel_fd` (0: none) became readable; the call is cancelled.
 */
int hoist_call_wait(struct hoist *hoist, struct hoist_call *call, int started, int cancel_fd,
                    struct hoist_error *error);

/*
 * Turns the loop until something happens on it, on a descriptor of `watch` (NULL: none) or on
 * `cancel_fd` (0 or negative: none). Returns 0 or as above.
 */
int hoist_turn(struct hoist *hoist, const struct output_watch *watch, int cancel_fd,
               struct hoist_error *error);

/* NULL: no memory. The first takes `info` on success, the second's must not outlive it. */
struct hoist_job *hoist_job_new(struct job_info *info);
struct hoist_job *hoist_job_borrow(const struct job_info *info);
