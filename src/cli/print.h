/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * What hoist says on stdout, by stdio: whether it got out. The first failure is told on stderr,
 * unless it is -EPIPE: a reader that has gone away needs no words.
 */

/* Sends out what was printed. Returns 0, or the negative errno of the first failure so far. */
int print_flush(void);

/* Writes all of `data`, also to a pipe or terminal that somebody has made non-blocking. Returns as
 * print_flush(). */
int print_bytes(const void *data, size_t size);
