/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hoist/hoist.h>

#include "base/cgroup-usage.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "wire/limits.h"
#include "worker/job-spec.h"

/*
 * What is known of a job at one moment: a copy that shares nothing with the registry and may be
 * handed to another thread. The fields are those of hoist.v1.Job. Who has been given one only
 * reads it: of a job that has ended several may hold the same.
 */

/* What the kernel slowed a job down for. */
enum job_throttled {
    JOB_THROTTLED_CPU = 1 << 0,    /* its CPU quota */
    JOB_THROTTLED_MEMORY = 1 << 1, /* memory.high */
};

struct job_usage {
    usec_t read_time;           /* wall; 0: never read, or the host gives no cgroup */
    struct cgroup_usage cgroup; /* of the command's tree; `known` says which figures are real */
    usec_t interval;            /* 0: one reading only, the two rates mean nothing */
    double cpu_percent;         /* of one CPU over `interval` */
    double io_ops_per_second;
    double io_bytes_per_second;
    unsigned throttled; /* JOB_THROTTLED_…, over `interval`; without one since the start */
    usec_t read_boot;   /* as read_time, by CLOCK_BOOTTIME; 0: not read now */
    char **statistics;  /* "cpu.stat.usage_usec 123"; NULL-terminated, owned; NULL: not asked for */
};

struct job_totals {
    uint64_t end_offset;
    uint64_t stdout_bytes; /* all bytes of a merged job */
    uint64_t stderr_bytes;
    uint64_t gap_start; /* [gap_start, gap_end) was dropped by the cap; equal: none */
    uint64_t gap_end;
    bool complete; /* the job has ended and this is all */
    /* Of a living job: */
    bool waiting_for_disk; /* it writes on when there is room */
    bool throttled;        /* it is held to its rate */
};

/* One limit that was asked for, as it stands. */
struct job_limit {
    enum limit limit;
    uint64_t value;
    bool enforced; /* written and read back */
    char detail[LIMIT_DETAIL_MAX];
};

#define JOB_BLOCKED_TASKS_MAX SPAWN_TASKS_MAX

struct job_info {
    unsigned shared; /* atomic: references beyond the first */
    struct id id;
    struct job_spec spec; /* env holds names only */
    enum hoist_state state;
    enum hoist_cause cause;
    bool has_exit_code;
    int exit_code;
    int signal; /* 0: none */
    bool core_dumped;
    char *created_by;   /* principal */
    char *stopped_by;   /* principal; "": nobody */
    usec_t create_time; /* wall */
    usec_t start_time;  /* wall; 0: the command was never executed */
    usec_t end_time;    /* wall; 0: it has not ended */
    usec_t run_time;    /* start to end or to now, by CLOCK_BOOTTIME */
    enum hoist_reason reason;
    char *error; /* one sentence; "": none */
    struct job_totals output;
    struct job_usage usage;
    struct job_limit limits[_LIMIT_MAX];
    size_t limit_count;
    char **degradations;        /* sentences; NULL-terminated or NULL */
    uid_t uid;                  /* of the command */
    pid_t pid;                  /* hoist-init's while the job lives; 0 afterwards */
    uint32_t processes_blocked; /* STOPPING past its deadline: tasks that could not be ended yet */
    struct hoist_blocked_task blocked_tasks[JOB_BLOCKED_TASKS_MAX]; /* the first of them */
    size_t blocked_task_count;
};

/* Another reference, to be given back with job_info_free(). Any thread that holds one. */
struct job_info *job_info_ref(struct job_info *info);

/* Any thread; the last reference frees. Accepts NULL. */
void job_info_free(struct job_info *info);
DEFINE_CLEANUP(struct job_info *, job_info_free);
#define _cleanup_job_info_ _cleanup_(job_info_freep)

static inline bool job_info_has_ended(const struct job_info *info)
{
    return info->state >= HOIST_STATE_SUCCEEDED;
}
