/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * The system calls that are left to hoist-init while its job runs.
 *
 * After the command was started hoist-init only copies, waits, kills and writes to files that are
 * open. Whoever took it over, by a flaw in how it reads pipes and signals, finds no call that opens
 * a file, makes a process or a socket, maps memory or reaches another process but by kill(2) in its
 * own PID namespace. Any other call kills it: the job is then LOST, which is the truth.
 */

/*
 * For good, and for this process alone: the command, which has a filter of its own, must have been
 * cloned before, or it would inherit this one. no_new_privs must be set. The last thing before
 * supervise(). Does nothing in a program with a sanitizer, whose runtime needs calls of its own.
 */
int own_calls_restrict(struct error *err);
