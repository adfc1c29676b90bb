/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "output/files.h"
#include "wire/specification.h"

struct error;

/*
 * A job's directory jobs/<uuid>/ with its four files: spec, output, index, state. It is made
 * complete and preallocated before anything is started, and so is the intent that recovery finds.
 */

struct state_dir;

/* For the start: what hoist-init writes to, and what we read. */
struct job_files {
    struct output_files output;
    int state;
};

#define JOB_FILES_NULL ((struct job_files){OUTPUT_FILES_NULL, FD_NONE})

void job_files_close(struct job_files *files);
#define _cleanup_job_files_ _cleanup_(job_files_close)

/*
 * Makes the directory of `specification->id` and its files. `jobs` is the descriptor of jobs/. On
 * failure nothing is left. -ENOSPC, -EDQUOT: disk full; each with a sentence.
 */
int job_dir_create(int jobs, const struct specification *specification, const struct id *boot,
                   struct job_files *ret, struct error *err);

/* Where its state file and its index are, for those who watch them; the caller's. NULL: no memory.
 */
char *job_dir_state_path(const struct state_dir *dir, const struct id *id);
char *job_dir_index_path(const struct state_dir *dir, const struct id *id);

/* Its state file, read-write (to read it and to say who hoist-init is); -ENOENT. */
int job_dir_open_state(int jobs, const struct id *id);

/*
 * The kernel knows the way to its output and state without looking at the disk, so that opening
 * them waits for nothing (openat2(2), RESOLVE_CACHED: Linux 5.12; an older one never says so).
 */
bool job_dir_is_known(int jobs, const struct id *id);

/* Its output for a reader, or for sealing (output/seal.h). */
int job_dir_open_output(int jobs, const struct id *id, struct output_files *ret, struct error *err);
int job_dir_open_for_sealing(int jobs, const struct id *id, struct output_files *ret,
                             struct error *err);

/*
 * Makes what isn't there of the directory and its output, empty: a host that lost power may have
 * kept the record, which was synced, and not the directory.
 */
int job_dir_restore(int jobs, const struct id *id, struct error *err);

/* Its specification as job_dir_create() wrote it. -EPROTO when it is torn. */
int job_dir_read_specification(int jobs, const struct id *id, struct specification *ret,
                               struct error *err);

/* Removes the directory and its files; 0 also when it isn't there. */
int job_dir_remove(int jobs, const struct id *id, struct error *err);

/* Whether there is one. Where nobody can tell there is. */
bool job_dir_exists(int jobs, const struct id *id);

/* What its files take of the disk, in bytes; 0 when there are none. */
uint64_t job_dir_usage(int jobs, const struct id *id);

/* Calls `found` for each directory named by an id; a value other than 0 ends it and is returned. */
typedef int job_dir_found_fn(const struct id *id, void *userdata);
int job_dir_list(int jobs, job_dir_found_fn *found, void *userdata, struct error *err);
