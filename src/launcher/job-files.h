/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

struct error;
struct spawn_files;

/*
 * What hoistd may hand over as a job's files.
 *
 * hoist-init reads and writes them while it still is root, so they may be nothing that root's hand
 * would make a difference to: regular files of hoistd's own, together on one file system, the state
 * file as long as state files are (nothing in /proc or /sys is), each open in the way that
 * spawn_files says. Returns 0, or -EPERM with a sentence that names the file.
 */
int job_files_check(const struct spawn_files *files, uid_t agent_uid, struct error *err);
