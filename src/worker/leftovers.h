/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct id;
struct worker;

/*
 * What is left on the host and belongs to no job: cgroups whose removal the agent didn't live to
 * see or was refused, directories that couldn't be removed. It is looked for when the agent starts
 * and each minute, killed and removed, and counted as long as it is there.
 */

/*
 * Looks for cgroups of no job now. While worker->recovering isn't 0 the question, and one answer to
 * each removal, count there: recovery_step() follows each.
 */
void leftovers_look(struct worker *worker);

/* Looks again from time to time. 0 or a negative errno. */
int leftovers_begin(struct worker *worker);

/* Forgets what is still being removed; the next start finds it. */
void leftovers_forget(struct worker *worker);

/* Cgroups that are there although their job has ended or isn't known. */
uint32_t leftovers_count_cgroups(const struct worker *worker);
