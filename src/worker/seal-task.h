/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct job;

/*
 * Makes the output of a job whose hoist-init has left it without its end readable to its end
 * (output/seal.h), on the disk's thread. True: job_advance() follows when that is done. False: it
 * was done or has failed before.
 */
bool job_seal(struct job *job);
