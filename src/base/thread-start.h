/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <pthread.h>

/*
 * Starts a thread that takes no signals: they are for the program's own loop. `name` is at most 15
 * characters. Returns 0 or a negative errno.
 */
int thread_start_quiet(pthread_t *ret, const char *name, void *(*run)(void *arg), void *arg);
