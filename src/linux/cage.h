/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "linux/landlock.h"

struct error;

/*
 * An empty root for a process without privileges: what isn't in the list isn't there.
 *
 * The process makes a user namespace in which it is who it was, a mount namespace, and in that a
 * root of its own (pivot_root(2)) with the places at their own paths: read-only unless they are to
 * be written, without setuid programs, devices and programs. It gives up the capabilities that came
 * with the user namespace. For a single thread that keeps its own ids; nothing undoes it.
 *
 * 1: done. 0: this host doesn't let us, with a sentence in `err`; the root is what it was, but the
 * process may be in namespaces of its own. Negative: it must not go on.
 */
int cage_enter(const struct landlock_place *places, size_t count, struct error *err);
