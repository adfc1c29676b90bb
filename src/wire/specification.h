/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "wire/limits.h"
#include "wire/spawn-spec.h"

struct error;

/*
 * What was asked for: the specification of a job, and its form on disk
 * (proto/hoist/internal/specification.proto). What became of it is wire/outcome.h. No I/O here.
 */

struct job_label {
    char *key;
    char *value;
};

/*
 * What a client asks to run, its class already turned into limits. Every string is owned and NULL
 * is taken for "".
 */
struct job_spec {
    char *display_name; /* "": none */
    struct job_label *labels;
    size_t label_count;
    char *command; /* a path, or a name found in PATH inside the job's root */
    char **args;   /* after argv[0]; NULL-terminated or NULL */
    char **env;    /* "NAME=value"; in what was stored and in snapshots "NAME" alone */
    char *cwd;     /* "": the job's own writable directory */
    char *job_class;
    char *profile;     /* of the launcher's; "": the default one */
    uid_t profile_uid; /* that the profile's jobs have; 0: one of the pool */
    struct limits limits;
    bool warn_unenforced; /* start although a limit can't be enforced, and say so */
    enum spawn_network network;
    usec_t timeout;                     /* 0: none */
    usec_t grace;                       /* USEC_INFINITY: the worker's default */
    int stop_signal;                    /* 0: SIGTERM */
    bool merged;                        /* stdout and stderr share one pipe */
    struct output_choice output_choice; /* asked for; not stored */
    struct output_rules output;         /* what came of it by the agent's rules */
};

#define JOB_SPEC_NULL ((struct job_spec){.grace = USEC_INFINITY})

void job_spec_done(struct job_spec *spec);
#define _cleanup_job_spec_ _cleanup_(job_spec_done)

/* A deep copy. Returns 0 or -ENOMEM. */
int job_spec_copy(const struct job_spec *spec, struct job_spec *ret);

/* Cuts each "NAME=value" of env to "NAME": values are never shown again. */
void job_spec_forget_values(struct job_spec *spec);

/*
 * CRC-32C of all of it, values of env included, for telling a retry of a request from a different
 * one under the same request id.
 */
uint32_t job_spec_digest(const struct job_spec *spec);

/* What was asked for, by whom, under which id. Never changes. */
struct specification {
    struct id id;
    char *created_by;   /* principal */
    char *request_id;   /* "": none */
    uint32_t digest;    /* job_spec_digest() of the request */
    usec_t create_time; /* wall */
    uid_t uid;          /* of the command */
    struct job_spec spec;
};

void specification_done(struct specification *specification);
#define _cleanup_specification_ _cleanup_(specification_done)

/* Nothing that is kept is larger: the limits of a specification add up to about half of it. */
#define SPECIFICATION_SIZE_MAX (512 * 1024)

/* Appends it to `out`; of env only the names. Returns 0 or -ENOMEM. */
int specification_encode(const struct specification *specification, struct buffer *out);

/* *ret is the caller's. -EPROTO with a sentence: that is no specification; -ENOMEM. */
int specification_decode(const void *data, size_t size, struct specification *ret,
                         struct error *err);
