/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "wire/specification.h"

struct failure;

/*
 * The rules for struct job_spec (wire/specification.h): what a client may ask to run.
 */

/* Limits of one specification (REQUIREMENTS "Interfaces"; the kernel's own for one string). */
#define JOB_ARGS_MAX        1024
#define JOB_ENV_MAX         256
#define JOB_WORDS_MAX       (128 * 1024) /* bytes of command, args and env with their NULs */
#define JOB_STRING_MAX      (128 * 1024) /* MAX_ARG_STRLEN, execve(2) */
#define JOB_LABELS_MAX      32
#define JOB_LABEL_VALUE_MAX 256
#define JOB_CWD_MAX         4095
#define JOB_CLASS_MAX       63
#define JOB_TIMEOUT_MAX     (UINT64_C(366) * 86400 * USEC_PER_SEC)
#define JOB_GRACE_MAX       (UINT64_C(3600) * USEC_PER_SEC)
#define JOB_GRACE_DEFAULT   (UINT64_C(10) * USEC_PER_SEC)

/*
 * Checks everything that can be known without trying and collects *all* issues, so that one round
 * trip is enough to mend a specification. Returns 0; -EINVAL with HOIST_REASON_INVALID_FIELD and
 * one detail for each issue (key: the field as in hoist.v1.JobSpec, value: a sentence); or -E2BIG
 * with HOIST_REASON_TOO_LARGE and the detail "limit" when there are too many or too long words.
 */
int job_spec_check(const struct job_spec *spec, struct failure *failure);
