/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * hoist-launcher --park: holds a cgroup for jobs, and ends them when it is told to end.
 *
 * A service manager removes a unit's cgroup with its last process, and can't start a unit again
 * while somebody else's processes are in its delegated cgroup. So jobs get a unit of their own that
 * nobody restarts, and this is its one process: it steps aside into a leaf, so that the cgroup can
 * be divided, and sleeps. On SIGTERM it asks every hoist-init below to stop, each with the grace of
 * its job, and returns when all of them have ended.
 *
 * `signalfd` has SIGTERM and SIGINT. Returns 0, or a negative errno with a sentence.
 */
int park(int signalfd, struct error *err);
