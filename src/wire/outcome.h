/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/cgroup-usage.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "wire/limits.h"

struct error;

/*
 * What became of a job, as it is kept in its record (proto/hoist/internal/specification.proto). No
 * I/O here.
 */

/* What became of a job so far. */
struct outcome {
    uint32_t state;  /* enum hoist_state (hoist/hoist.h) */
    uint32_t cause;  /* enum hoist_cause */
    uint32_t reason; /* enum hoist_reason */
    char *error;     /* one sentence; NULL or "": none */
    bool has_exit_code;
    int exit_code;
    int signal; /* 0: none */
    bool core_dumped;
    char *stopped_by;            /* principal; NULL or "": nobody */
    usec_t start_time, end_time; /* wall; 0: not yet */
    usec_t run_time;

    struct id boot_id;       /* with which `pid` and `pid_start_time` say who hoist-init is */
    pid_t pid;               /* 0: none was started */
    uint64_t pid_start_time; /* clock ticks since boot */
    char *cgroup;            /* cmd/, below the cgroup2 mount; NULL or "": none */
    bool cgroups_left;       /* they could not be removed yet */

    uint64_t output_end, stdout_bytes, stderr_bytes;
    uint64_t gap_start, gap_end;
    bool output_complete;

    struct limits limits;             /* that were asked for */
    struct limit_report limit_report; /* what became of them */
    char **degradations;              /* sentences; NULL-terminated or NULL */
    usec_t usage_time;                /* wall; 0: `usage` was never read */
    struct cgroup_usage usage;
    uint64_t oom_of_all_before; /* usage.oom_of_all when the job was started */
};

void outcome_done(struct outcome *outcome);
#define _cleanup_outcome_ _cleanup_(outcome_done)

/* A deep copy. Returns 0 or -ENOMEM. */
int outcome_copy(const struct outcome *outcome, struct outcome *ret);

int outcome_encode(const struct outcome *outcome, struct buffer *out);

#define OUTCOME_SIZE_MAX (512 * 1024)

/* As specification_decode(). State, cause and reason are not checked against their enums here. */
int outcome_decode(const void *data, size_t size, struct outcome *ret, struct error *err);
