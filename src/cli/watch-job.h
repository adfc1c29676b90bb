/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"
#include "base/clock.h"

struct session;

/* Gets each message in turn; a negative value ends the watch. */
typedef int watch_job_fn(const struct session *session, const Hoist__V1__Job *job);

/*
 * Follows a job until it has ended: `show` is called for what it is now, for each change of its
 * state and every `interval`. Returns 0 after its end or an interrupt; a negative errno when the
 * agent refused (told) or `show` ended it.
 */
int watch_job(struct session *session, const char *name, usec_t interval, watch_job_fn *show);
