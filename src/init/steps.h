/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct plan;
struct error;

/*
 * Executes the steps of a checked plan in order. On failure the sentence names the step; the
 * process must then end, since the job's surroundings are half made. `null_fd` is the host's
 * /dev/null, opened in this mount namespace.
 */
int steps_run(const struct plan *plan, int null_fd, struct error *err);

/*
 * A descriptor of /dev/null that is the character device 1:3 and nothing else, or a negative errno
 * with a sentence. `flags` as for open(2).
 */
int steps_open_null(int flags, struct error *err);
