/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/spawn-spec.h"

struct error;

/*
 * Executes `argv[0]` as a shell would find it: a name with a slash is a path, any other is tried in
 * each directory of PATH in `env` (LOOKUP_DEFAULT_PATH without one; an empty entry is the working
 * directory), with the rights that the caller has. Returns only on failure, with a negative errno,
 * a sentence and what kind of failure it is: not found, found and not executable, or something
 * else.
 */
int lookup_execute(char *const *argv, char *const *env, enum spawn_failure *ret_failure,
                   struct error *err);

#define LOOKUP_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
