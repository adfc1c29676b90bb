/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * Signal numbers of Linux and their names (signal(7)).
 */

/* "TERM", "SIGTERM", "term", "15", "RTMIN+2" → the number; -EINVAL with a sentence otherwise. */
int signal_from_name(const char *name, int *ret, struct error *err);

/* "TERM"; "RTMIN+2" for real-time signals; "signal 77" for a number that has no name. Static or
 * thread-local storage, valid until the next call in the same thread. */
const char *signal_name(int signal);
