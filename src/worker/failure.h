/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <hoist/hoist.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/id.h"

/*
 * Why an operation failed: an errno and a sentence, the reason that clients see (enum hoist_reason
 * has the numbers of hoist.v1.Reason), and what a person needs to go on.
 */

struct failure_detail {
    char *key; /* "candidate", "limit", …; for HOIST_REASON_INVALID_FIELD the field: "args[3]" */
    char *value;
};

struct failure {
    struct error error;
    enum hoist_reason reason;
    struct id job; /* nil: none. Otherwise the job that the failure left as FAILED/START_FAILED */
    struct failure_detail *details;
    size_t detail_count;
};

void failure_done(struct failure *failure);
void failure_free(struct failure *failure);
DEFINE_CLEANUP(struct failure *, failure_free);
#define _cleanup_failure_ _cleanup_(failure_done)

/* Fills errno, reason and sentence, keeps the details, and returns `code`. NULL: nobody asks. */
int failure_set(struct failure *failure, int code, enum hoist_reason reason, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* Adds copies of `key` and `value`. Details are help, not substance: without memory it is left out.
 */
void failure_add_detail(struct failure *failure, const char *key, const char *value);
