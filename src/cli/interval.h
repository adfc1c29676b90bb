/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

struct session;

/* Looking at something again and again: how often, and how it is shown. */

/* --interval, 1 s to 60 s; 2 s without. Tells what is wrong with it and returns -EINVAL. */
int interval_read(const struct session *session, usec_t *ret);

/* Until the interval is over: 0, or -EINTR when the session was interrupted. */
int interval_wait(const struct session *session, usec_t interval);

/* A terminal is cleared; in a file an empty line divides what follows from what was there. */
void interval_begin_page(void);
