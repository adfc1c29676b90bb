/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What hoist says on stdout, by stdio: whether it got out. The first failure is told on stderr,
 * unless it is -EPIPE: a reader that has gone away needs no words.
 */

/* Sends out what was printed. Returns 0, or the negative errno of the first failure so far. */
int print_flush(void);

/* For what was written in another way: tells of `r` if that is a failure, and returns it. */
int print_result(int r);
