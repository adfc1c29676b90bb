/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tries something that no job may do, named by `what` ("mount", "unshare-user", …), and prints
 * "WHAT: ok" or "WHAT: <text of errno>" to stdout. "all" tries each. Nothing is undone: what
 * succeeds changes the job. As root, which no job is, it refuses to try anything.
 */
void attempt(const char *what);
