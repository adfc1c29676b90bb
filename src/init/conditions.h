/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * What hoist-init was started with and must not depend on: whoever executed it may have left
 * signals ignored or blocked, descriptors open or closed, limits low, a umask.
 */

/*
 * First of all: refuses to be anything but PID 1 of a PID namespace (kill(-1) of another process
 * would reach the whole host), becomes non-dumpable, is called hoist-init, blocks every signal with
 * its default disposition, opens 0, 1 and 2 on /dev/null, leads a session of its own at "/" with
 * umask 0, and raises or lifts the limits that could harm it as far as it may.
 */
int conditions_settle(struct error *err);

/* Closes every descriptor from `first` on. */
int conditions_close_from(unsigned first, struct error *err);
