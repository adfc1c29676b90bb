/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct config;
struct error;

/*
 * What hoistd gives up, in three steps. Whoever takes it over afterwards has its memory, its open
 * descriptors and the calls of agent/confine-calls.c, and nothing gives back what was given up.
 */

/*
 * First of all: it isn't root, holds no capability, can't be dumped or traced, leaves no core,
 * takes no new privileges, and makes private files only. Everything that it inherits from whoever
 * started the launcher is set, not trusted.
 */
int confine_self(struct error *err);

/*
 * Once it has its configuration, keys, the launcher's two sockets and the jobs' cgroup root
 * (`cgroups`, FD_NONE: none), and before its first other thread: of the file system the state
 * directory is left to it, and for reading the directories of its configuration and certificates
 * (they are loaded anew) and that root; of the system calls those that serving needs. The
 * state directory is made unless it is there.
 *
 * *ret_own_root: it has a root of its own, in a user namespace that has no uid but its own. A host
 * without these and without Landlock leaves it the file system, and the log says so.
 */
int confine_to_serving(const struct config *config, int cgroups, bool *ret_own_root,
                       struct error *err);

/* Once all threads run: no other may start. */
int confine_threads(struct error *err);
