/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "linux/syscall-filter.h"
#include "wire/plan.h"

/*
 * A profile: a job's surroundings as tables. What is not in them the job has not.
 */

/* The job's writable directory, its HOME and its working directory unless another is asked for. */
#define PROFILE_HOME "/job"

/* When a row counts; 0: always. Several: all of them must be so. */
enum profile_when {
    PROFILE_OWN_NETWORK = 1 << 0,
    PROFILE_HOST_NETWORK = 1 << 1,
    PROFILE_AS_ROOT = 1 << 2, /* the spawner is root, not an ordinary user with a user namespace */
    PROFILE_ROOTLESS = 1 << 3,
    PROFILE_FOR_ONE = 1 << 4,  /* a job that makes all of its root itself */
    PROFILE_FOR_MANY = 1 << 5, /* a root that is made ahead (spawn/ready-root.h) */
};

/* What is put into a step that the table can't hold. */
enum profile_fill {
    PROFILE_PLAIN,     /* nothing: the step as it is */
    PROFILE_HOST_VIEW, /* in place of the step: the host's directories (spawn/host-view.h), */
    PROFILE_HOST_HELD, /* the same where they were made ahead: their attributes once more, */
    PROFILE_COVERS,    /* and what covers hidden places in them */
    PROFILE_JOB_SPACE, /* a tmpfs of the job's: its memory limit is the size, unless the row has one
                        */
    PROFILE_JOB_OWNED, /* the same, and it belongs to the job's uid */
    PROFILE_BINDS,     /* in place of the step: what the profile in use shows besides */
};

struct profile_row {
    enum profile_fill fill;
    unsigned when; /* enum profile_when */
    struct plan_step step;
};

struct profile_rows {
    const struct profile_row *row;
    size_t count;
};

struct profile_rlimit {
    uint32_t resource; /* RLIMIT_… */
    uint64_t soft, hard;
};

/*
 * The rows are in parts, so that what a root is made of is said once: a job's plan is either
 * `root`, `job`, `leave`, `names`, or, in a root that was made ahead by `root` and `leave`,
 * `ready`, `job`, `names`.
 */
struct profile {
    struct profile_rows root;  /* the same for each job of the profile */
    struct profile_rows ready; /* how to go on in one that was made ahead */
    struct profile_rows job;   /* the job's own: after `leave` nothing of it makes a directory */
    struct profile_rows leave; /* the root is complete: away from the host's */
    struct profile_rows names; /* what isn't a mount */
    const struct profile_rlimit *rlimits; /* unless the job's own limits say otherwise */
    size_t rlimit_count;
    const char *const *own_places; /* of "/": made by the rows; NULL-terminated */
    const char *const *hidden;     /* places of the host; NULL-terminated */
    const struct syscall_filter_profile *calls;
    uint32_t umask;
};

extern const struct profile profile_default;

/* spawn/profile-calls.c */
extern const struct syscall_filter_profile profile_default_calls;
