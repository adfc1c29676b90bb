/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct error;
struct profile_sources;

/*
 * Compiles one job's plan (wire/plan.h) from the rows of a profile, what the profile in use shows
 * of the host, and the specification. With `root_is_ready` what jobs share is left out of it
 * (ready-root.h).
 * Returns a sealed memfd, the caller's, or a negative errno: -E2BIG when arguments and environment
 * are too large for a plan.
 */
int job_plan_make(const struct profile_sources *from, bool has_cgroup, bool root_is_ready,
                  struct error *err);
