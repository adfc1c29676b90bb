/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct error;

/*
 * Names that people give: of principals and of jobs.
 */

/* A principal, as a certificate may carry it: [a-z0-9][a-z0-9._-]{0,62}. */
bool principal_is_valid(const char *name);

/*
 * A job's display name: [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?, never the shape of a UUID or of 8 and
 * more hex digits. Returns 0, or -EINVAL with a sentence that says which rule it breaks.
 */
int job_name_check(const char *name, struct error *err);
