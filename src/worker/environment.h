/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/id.h"

/*
 * The environment that every job has, whoever starts it: nothing of the agent's own leaks into it.
 *
 *   PATH    /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
 *   HOME    the job's own writable directory
 *   LANG    C.UTF-8
 *   HOIST_JOB_ID
 *
 * The client's variables follow and win. A fresh NULL-terminated list; NULL: no memory.
 */

#define ENVIRONMENT_OWN 4 /* variables beside the client's */

char **environment_build(const struct id *job, char *const *wanted);
