/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <hoist/hoist.h>

#include "base/state.h"
#include "wire/outcome.h"
#include "wire/spawn-spec.h"
#include "wire/state-file.h"

/*
 * The states of a job, and how it ended: data and pure functions, so that the whole table can be
 * tested without a process.
 */

/* Indexed by enum hoist_state. */
extern const struct state_rule job_state_rules[HOIST_STATE_COUNT];

/* The final state that a cause leads to, given the exit code (only EXITED looks at it). */
enum hoist_state job_state_of(enum hoist_cause cause, int exit_code);

/* The reason that clients see for a start that failed. */
enum hoist_reason job_reason_of(enum spawn_failure failure);

/* Such a start leaves no record: it was refused before anything was made, or there was nobody to
 * ask, and the same request, by its id, is to be tried again. */
bool spawn_failure_leaves_nothing(enum spawn_failure failure);

/*
 * Fills cause, state, reason, exit code, signal, times, totals and the sentence of a job whose
 * hoist-init has ended, from what it said and from the figures in outcome->usage. `said` NULL: its
 * state file can't be read. An outcome->cause of AGENT_SHUTDOWN says that the stop was the agent's
 * own; `rebooted`: the host was restarted since. Only what waitid(2) said becomes an exit code:
 * what nobody can know is LOST. Returns 0 or -ENOMEM.
 */
int outcome_decide(struct outcome *outcome, const struct state_file *said, bool rebooted);

/* The same for a start that the spawner or the agent ended. */
int outcome_start_failed(struct outcome *outcome, enum hoist_reason reason, const char *sentence);
