/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "wire/limits.h"
#include "wire/spawn-spec.h"

struct failure;

/*
 * What a client asks to run, as libhoist keeps it: the class is already turned into limits, nothing
 * has been started.
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

struct job_label {
    char *key;
    char *value;
};

/* Every string is owned; NULL is taken for "". */
struct job_spec {
    char *display_name; /* "": none */
    struct job_label *labels;
    size_t label_count;
    char *command; /* a path, or a name found in PATH inside the job's root */
    char **args;   /* after argv[0]; NULL-terminated or NULL */
    char **env;    /* "NAME=value"; in what was stored and in snapshots "NAME" alone */
    char *cwd;     /* "": the job's own writable directory */
    char *job_class;
    struct limits limits;
    bool warn_unenforced; /* start although a limit can't be enforced, and say so */
    enum spawn_network network;
    usec_t timeout;       /* 0: none */
    usec_t grace;         /* USEC_INFINITY: the worker's default */
    int stop_signal;      /* 0: SIGTERM */
    bool merged;          /* stdout and stderr share one pipe */
    uint64_t output_rate; /* bytes a second at most; 0: no limit */
    uint64_t output_cap;  /* bytes of data and index; 0: none */
};

#define JOB_SPEC_NULL ((struct job_spec){.grace = USEC_INFINITY})

void job_spec_done(struct job_spec *spec);
#define _cleanup_job_spec_ _cleanup_(job_spec_done)

/* A deep copy. Returns 0 or -ENOMEM. */
int job_spec_copy(const struct job_spec *spec, struct job_spec *ret);

/* Cuts each "NAME=value" of env to "NAME": values are never shown again. */
void job_spec_forget_values(struct job_spec *spec);

/*
 * Checks everything that can be known without trying and collects *all* issues, so that one round
 * trip is enough to mend a specification. Returns 0; -EINVAL with HOIST_REASON_INVALID_FIELD and
 * one detail for each issue (key: the field as in hoist.v1.JobSpec, value: a sentence); or -E2BIG
 * with HOIST_REASON_TOO_LARGE and the detail "limit" when there are too many or too long words.
 */
int job_spec_check(const struct job_spec *spec, struct failure *failure);
