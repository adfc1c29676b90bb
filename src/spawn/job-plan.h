/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct context_profile;
struct error;
struct profile;
struct spawn_context;
struct spawn_spec;

/*
 * Compiles one job's plan (wire/plan.h) from the rows of a profile, what the profile in use shows
 * of the host, and the specification.
 * Returns a sealed memfd, the caller's, or a negative errno: -E2BIG when arguments and environment
 * are too large for a plan.
 */
int job_plan_make(const struct spawn_context *context, const struct profile *profile,
                  const struct context_profile *used, const struct spawn_spec *spec,
                  bool has_cgroup, struct error *err);
