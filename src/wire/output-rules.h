/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How hoist-init treats a job's output: the agent's rules, part of the specification of each job.
 * Zeros are hoist-init's own defaults and no bound.
 */
struct output_rules {
    uint64_t cap;         /* bytes of data and index together; 0: none */
    uint64_t head;        /* of them for the first bytes; 0: a quarter */
    bool stop_at_cap;     /* the job is stopped there; otherwise the middle of its output goes */
    uint64_t rate;        /* bytes a second that are copied at most; 0: as fast as it can */
    uint32_t read_buffer; /* bytes that are read from a pipe at once; 0: the default */
};

/* As hoist.v1.OutputPolicy. */
enum output_policy {
    OUTPUT_POLICY_UNSPECIFIED,
    OUTPUT_POLICY_KEEP_ENDS,
    OUTPUT_POLICY_STOP_JOB,
    _OUTPUT_POLICY_MAX,
};

/* In `cap` of a choice: none. Larger than any other, so that comparing tells what is more. */
#define OUTPUT_CAP_NONE UINT64_MAX

/* What a job, or those of a class, have in place of the agent's rules. Zeros choose nothing. */
struct output_choice {
    uint64_t cap; /* bytes, or OUTPUT_CAP_NONE; 0: the agent's */
    enum output_policy policy;
};

/* The rules under which a job with this choice runs. */
struct output_rules output_rules_choose(const struct output_rules *agent,
                                        const struct output_choice *choice);

/* In `rate` of what the agent is configured with: as fast as the job itself may write to a disk. */
#define OUTPUT_RATE_OF_LIMITS UINT64_MAX

#define OUTPUT_CAP_DEFAULT         (UINT64_C(1) << 30)
#define OUTPUT_READ_BUFFER_DEFAULT (UINT32_C(256) * 1024) /* larger reads are no faster */
#define OUTPUT_READ_BUFFER_MIN     (UINT32_C(4) * 1024)
#define OUTPUT_READ_BUFFER_MAX     (UINT32_C(1024) * 1024)
