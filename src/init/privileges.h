/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/*
 * Giving up privilege for good, for hoist-init (which keeps CAP_KILL) and the command (which keeps
 * nothing), and the proof that it is gone.
 */

struct privileges {
    uid_t uid;
    gid_t gid;
    uint64_t capabilities; /* a mask of 1 << CAP_*: permitted and effective afterwards */
    bool rootless;         /* ids stay as they are; setgroups(2) may be denied */
};

/*
 * No supplementary groups, all three uids and gids, an empty bounding, ambient and inheritable set,
 * securebits locked so that uid 0 gives nothing, no_new_privs, non-dumpable; then read back, and
 * setuid(0) must fail. On failure the process must end: it may be in any state between.
 */
int privileges_reduce(const struct privileges *to, struct error *err);
