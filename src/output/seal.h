/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

struct error;
struct output_files;

/*
 * Ends the output of a job whose writer is gone without having ended it (hoist-init was killed, the
 * host lost power): makes index and data agree and writes an END entry flagged LOST, so that
 * readers don't wait for ever and nobody takes it for a whole one.
 *
 * An entry torn at the end of the index goes; bytes in the data file that no entry covers are kept
 * and get entries flagged RECOVERED; entries for bytes that the data file lost are cut off, and
 * what is lost before a gap joins it. Nothing in the middle is touched: what is damaged there,
 * readers report. Syncs both files.
 *
 * The caller knows that the writer has ended. `files` come from output_files_open_for_sealing() and
 * stay the caller's; `now` is wall time. 0 also when there is an END already. -ENOSPC: try again
 * when there is room.
 */
int output_seal(const struct output_files *files, usec_t now, struct error *err);
