/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "api/message.h"

struct session;

/*
 * What somebody who looks at a job's output on a terminal is told of the job itself, on stderr.
 */

/* stderr is a terminal and --quiet was not given. */
bool tell_job_is_wanted(const struct session *session);

/* When it started, and its command. */
void tell_job_start(const Hoist__V1__Job *job);

/* The same of a job by its name. What can't be asked for isn't told: its output will say why. */
void tell_job_start_of(struct session *session, const char *name);

/* How a job ended whose output is complete: the record of its end follows at once. */
void tell_job_end_of(struct session *session, const char *name);
