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

/* In `rate` of what the agent is configured with: as fast as the job itself may write to a disk. */
#define OUTPUT_RATE_OF_LIMITS UINT64_MAX

#define OUTPUT_CAP_DEFAULT         (UINT64_C(1) << 30)
#define OUTPUT_READ_BUFFER_DEFAULT (UINT32_C(256) * 1024) /* larger reads are no faster */
#define OUTPUT_READ_BUFFER_MIN     (UINT32_C(4) * 1024)
#define OUTPUT_READ_BUFFER_MAX     (UINT32_C(1024) * 1024)
