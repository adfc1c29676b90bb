/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;
struct spawn_context;
struct spawn_spec;

/*
 * Does the specification make sense on this host? Whoever calls has checked it too: this is the
 * last look before things are made with root's rights. -EINVAL, -EPERM (a uid that jobs may not
 * have) or -E2BIG, with a sentence.
 */
int job_check(const struct spawn_context *context, const struct spawn_spec *spec,
              struct error *err);
