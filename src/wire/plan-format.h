/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <linux/filter.h>
#include <stdint.h>

#include "base/format-version.h"

/*
 * The bytes of a plan, shared by its builder and its reader (wire/plan.h) and nobody else.
 *
 * Header, then in this order without gaps: step records, rlimit records, filter, argument strings,
 * env strings, other strings. Where a part begins follows from the counts before it, so no offset
 * can point elsewhere; the records come first since they are the ones that need alignment.
 */

#define PLAN_MAGIC   UINT64_C(0x4e414c5054534f48) /* "HOSTPLAN" */
#define PLAN_VERSION FORMAT_VERSION(3)

struct plan_header {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* of all of it */
    uint8_t id[16];
    uint32_t flags;
    uint32_t agent_uid, agent_gid;
    uint32_t job_uid, job_gid;
    int32_t stop_signal;
    uint32_t fd_count;
    uint32_t umask;
    uint64_t cpu_time;
    uint64_t grace, timeout, adopt_wait;
    uint64_t output_rate, output_cap, output_head;
    uint32_t output_read_buffer, output_stop;
    uint32_t step_count, rlimit_count, filter_count;
    uint32_t argument_count, argument_bytes;
    uint32_t env_count, env_bytes;
    uint32_t string_bytes; /* at least 1: offset 0 is the empty string */
    uint32_t cwd;          /* offset in the strings, as all texts of steps are */
    uint32_t zero;
};

struct plan_step_record {
    uint32_t op;
    uint32_t flags;
    uint32_t source, target, options;
    uint32_t fd;
    uint64_t attributes;
    uint32_t mode, uid, gid;
    uint32_t major, minor;
    uint32_t zero;
};

struct plan_rlimit_record {
    uint32_t resource;
    uint32_t zero;
    uint64_t soft, hard;
};

static_assert(sizeof(struct plan_header) == 168 && sizeof(struct plan_step_record) == 56 &&
                  sizeof(struct plan_rlimit_record) == 24 && sizeof(struct sock_filter) == 8,
              "the form has no padding, and every part keeps the next one aligned");
