/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"

struct error;

/*
 * The two files of a job's output, `output` and `index`, in the job's directory.
 *
 * They are made 0600 by the agent, which owns them, and never opened by name elsewhere: hoist-init
 * gets descriptors. Symbolic links and anything but regular files are refused.
 */

struct output_files {
    int data;
    int index;
};

#define OUTPUT_FILES_NULL ((struct output_files){FD_NONE, FD_NONE})

void output_files_close(struct output_files *files);
#define _cleanup_output_files_ _cleanup_(output_files_close)

/* Hands both descriptors on. */
struct output_files output_files_take(struct output_files *files);

/*
 * Makes both (they must not exist: -EEXIST) and writes the index's header: data O_RDWR | O_APPEND,
 * index O_RDWR, ready for output_writer_init(). On failure nothing is left of them. Doesn't sync.
 */
int output_files_create(int dir_fd, const struct id *job, bool merged, usec_t created,
                        struct output_files *ret, struct error *err);

/* Opens both read-only, for a reader. Each call gives open file descriptions of their own. */
int output_files_open(int dir_fd, struct output_files *ret, struct error *err);

/* Opens both as output_files_create() does, for output_seal(). */
int output_files_open_for_sealing(int dir_fd, struct output_files *ret, struct error *err);

/*
 * Makes of the two what isn't there, empty. A host that lost power may have forgotten that they
 * were made; then no byte of the output was kept. Before output_files_open_for_sealing().
 */
int output_files_restore(int dir_fd, struct error *err);

/*
 * Writes the index's header again, as output_files_create() did, if there is none: a host that lost
 * power may have kept a file and not its first bytes, which nobody had synced. A header that was
 * written stays as it is, damaged or not. Before output_seal(), with files opened for it.
 */
int output_files_restore_header(const struct output_files *files, const struct id *job, bool merged,
                                usec_t created, struct error *err);
