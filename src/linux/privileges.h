/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct error;

/*
 * Capabilities, ids and what else makes a process more than an ordinary one (capabilities(7)).
 */

/* We have the capability `capability` (CAP_… of <linux/capability.h>) in force. */
bool capability_is_effective(int capability);

/*
 * Makes this process (which has one thread) an ordinary one of `uid`:`gid` for good: no
 * supplementary groups, real, effective, saved and file system ids set, all five capability sets
 * empty, securebits locked, no_new_privs set, not dumpable. Then proves that nothing can come back:
 * reads the ids and sets again and tries to become root. Without CAP_SETUID it succeeds exactly
 * when the ids are ours already.
 *
 * For use between fork and exec of a program that is to have no privileges, or in it. A failure
 * leaves the process half dropped: end it.
 */
int privileges_drop(uid_t uid, gid_t gid, struct error *err);

/*
 * The capabilities alone, for a process that keeps its ids: all five sets empty, securebits locked
 * as far as it may. A failure leaves it half dropped: end it.
 */
int capabilities_drop(struct error *err);
