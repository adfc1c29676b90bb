/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct api_error;

/*
 * Who may do what: roles are sets of permissions, each for the own jobs or for all.
 *
 * Authorisation is keyed on the permission that a method names in its table (agent/method.h), never
 * on the text of the path. That a job is another's is no refusal here: the worker then doesn't find
 * it (NOT_FOUND).
 */

enum permission {
    PERMISSION_NONE,    /* any valid certificate: Ping, Health */
    PERMISSION_INFO,    /* what the agent can do */
    PERMISSION_SEE,     /* that a job exists, and how it is: GetJob, ListJobs, WaitJob, WatchJob */
    PERMISSION_READ,    /* its output */
    PERMISSION_START,   /* start one, always as oneself */
    PERMISSION_STOP,    /* stop, signal, delete */
    PERMISSION_PROFILE, /* start one in other surroundings than the default ones */
    _PERMISSION_MAX,
};

/* What a role may do with a permission. */
enum scope {
    SCOPE_NOTHING,
    SCOPE_OWN,
    SCOPE_ALL,
};

/* The role's name if this agent knows it, else NULL: an unknown role grants nothing. */
const char *role_known(const char *role);

/* SCOPE_NOTHING for an unknown or empty role, but for PERMISSION_NONE. */
enum scope role_scope(const char *role, enum permission permission);

/* Fills *ret with the refusal (PERMISSION_DENIED, NO_ROLE), naming role and roles that would do. */
int access_refuse(const char *principal, const char *role, enum permission permission,
                  struct api_error *ret);
