/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * ^C and SIGTERM as something to wait for: a self-pipe (cr.yp.to/docs/selfpipe.html), since
 * signalfd(2) is Linux's own. The descriptor becomes readable with the first signal.
 */

/* Catches SIGINT, SIGTERM and SIGHUP from now on. Returns the descriptor or a negative errno. */
int interrupt_catch(struct error *err);

/* How many came since the last call; the descriptor is quiet again. */
unsigned interrupt_take(int fd);
