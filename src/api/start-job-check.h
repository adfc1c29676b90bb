/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <hoist/v1/job_service.pb-c.h>

struct api_error;

/*
 * Is a StartJobRequest right in itself?
 *
 * Everything is checked that needs no knowledge of the agent (whether a class exists and what the
 * ceilings are is the agent's), and all that is wrong is told at once: metadata "field.N" (a path
 * such as "spec.env[3].name") and "issue.N" (a sentence), N from 0, at most START_JOB_ISSUES_MAX;
 * the sentence of the error holds the first and says how many there are.
 */

#define START_JOB_ARGS_MAX        1024
#define START_JOB_ENV_MAX         256
#define START_JOB_LABELS_MAX      32
#define START_JOB_BYTES_MAX       (128 * 1024) /* command, args, env and their NULs; below ARG_MAX */
#define START_JOB_CWD_MAX         4095         /* PATH_MAX without its NUL */
#define START_JOB_LABEL_VALUE_MAX 256
#define START_JOB_REQUEST_ID_MAX  64
#define START_JOB_CLASS_MAX       63
#define START_JOB_OUTPUT_CAP_MIN  UINT64_C(1048576) /* less holds no index worth having */
#define START_JOB_OUTPUT_CAP_MAX  (UINT64_C(1) << 60)
#define START_JOB_ISSUES_MAX      16

/*
 * Returns 0, or -EREMOTEIO with *ret filled: INVALID_ARGUMENT with reason INVALID_FIELD, or
 * TOO_LARGE (metadata "limit") when only sizes and counts are over their limits.
 */
int start_job_check(const Hoist__V1__StartJobRequest *request, struct api_error *ret);
