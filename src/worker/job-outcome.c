/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job-outcome.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "base/signal-name.h"
#include "base/strv.h"
#include "base/utf8.h"

#define ENDS                                                                                       \
    (STATE_BIT(HOIST_STATE_SUCCEEDED) | STATE_BIT(HOIST_STATE_FAILED) |                            \
     STATE_BIT(HOIST_STATE_STOPPED) | STATE_BIT(HOIST_STATE_LOST))

const struct state_rule job_state_rules[] = {
    [HOIST_STATE_UNSPECIFIED] = {"UNSPECIFIED", 0},
    [HOIST_STATE_QUEUED] = {"QUEUED", STATE_BIT(HOIST_STATE_STARTING)},
    [HOIST_STATE_STARTING] = {"STARTING", STATE_BIT(HOIST_STATE_RUNNING) |
                                              STATE_BIT(HOIST_STATE_FAILED) |
                                              STATE_BIT(HOIST_STATE_LOST)},
    [HOIST_STATE_RUNNING] = {"RUNNING", STATE_BIT(HOIST_STATE_STOPPING) | ENDS},
    [HOIST_STATE_STOPPING] = {"STOPPING", ENDS},
    [HOIST_STATE_SUCCEEDED] = {"SUCCEEDED", 0},
    [HOIST_STATE_FAILED] = {"FAILED", 0},
    [HOIST_STATE_STOPPED] = {"STOPPED", 0},
    [HOIST_STATE_LOST] = {"LOST", 0},
};
static_assert(ARRAY_SIZE(job_state_rules) == HOIST_STATE_COUNT, "one rule for each state");

static const enum hoist_state state_of_cause[] = {
    [HOIST_CAUSE_UNSPECIFIED] = HOIST_STATE_LOST,
    [HOIST_CAUSE_EXITED] = HOIST_STATE_SUCCEEDED, /* with 0 */
    [HOIST_CAUSE_SIGNALED] = HOIST_STATE_FAILED,
    [HOIST_CAUSE_TIMED_OUT] = HOIST_STATE_FAILED,
    [HOIST_CAUSE_CPU_TIME_LIMIT] = HOIST_STATE_FAILED,
    [HOIST_CAUSE_OOM_KILLED] = HOIST_STATE_FAILED,
    [HOIST_CAUSE_OUTPUT_LIMIT] = HOIST_STATE_FAILED,
    [HOIST_CAUSE_START_FAILED] = HOIST_STATE_FAILED,
    [HOIST_CAUSE_STOPPED_BY_USER] = HOIST_STATE_STOPPED,
    [HOIST_CAUSE_AGENT_SHUTDOWN] = HOIST_STATE_STOPPED,
    [HOIST_CAUSE_LOST] = HOIST_STATE_LOST,
};
static_assert(ARRAY_SIZE(state_of_cause) == HOIST_CAUSE_COUNT, "one state for each cause");

static const enum hoist_reason reason_of_failure[] = {
    [SPAWN_FAILURE_NONE] = HOIST_REASON_SPAWN_FAILED,
    [SPAWN_FAILURE_REFUSED] = HOIST_REASON_REFUSED_BY_LAUNCHER,
    [SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE] = HOIST_REASON_LIMIT_NOT_ENFORCEABLE,
    [SPAWN_FAILURE_CGROUP] = HOIST_REASON_CGROUP_FAILED,
    [SPAWN_FAILURE_SPAWN] = HOIST_REASON_SPAWN_FAILED,
    [SPAWN_FAILURE_UNAVAILABLE] = HOIST_REASON_LAUNCHER_UNAVAILABLE,
    [SPAWN_FAILURE_ISOLATION] = HOIST_REASON_ISOLATION_FAILED,
    [SPAWN_FAILURE_CWD] = HOIST_REASON_CWD_INVALID,
    [SPAWN_FAILURE_COMMAND_NOT_FOUND] = HOIST_REASON_COMMAND_NOT_FOUND,
    [SPAWN_FAILURE_COMMAND_NOT_EXECUTABLE] = HOIST_REASON_COMMAND_NOT_EXECUTABLE,
    [SPAWN_FAILURE_OUTPUT] = HOIST_REASON_OUTPUT_FAILED,
};
static_assert(ARRAY_SIZE(reason_of_failure) == _SPAWN_FAILURE_MAX, "one reason for each failure");

enum hoist_state job_state_of(enum hoist_cause cause, int exit_code)
{
    if (cause == HOIST_CAUSE_EXITED && exit_code != 0)
        return HOIST_STATE_FAILED;
    return (unsigned)cause < HOIST_CAUSE_COUNT ? state_of_cause[cause] : HOIST_STATE_LOST;
}

enum hoist_reason job_reason_of(enum spawn_failure failure)
{
    return (unsigned)failure < _SPAWN_FAILURE_MAX ? reason_of_failure[failure]
                                                  : HOIST_REASON_SPAWN_FAILED;
}

bool spawn_failure_leaves_nothing(enum spawn_failure failure)
{
    return failure == SPAWN_FAILURE_REFUSED || failure == SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE ||
           failure == SPAWN_FAILURE_UNAVAILABLE;
}

static int set_sentence(struct outcome *outcome, char *sentence)
{
    if (!sentence)
        return -ENOMEM;
    free(outcome->error);
    outcome->error = sentence;
    return 0;
}

static void conclude(struct outcome *outcome, enum hoist_cause cause, enum hoist_reason reason)
{
    outcome->cause = cause;
    outcome->reason = reason;
    outcome->state = job_state_of(cause, outcome->exit_code);
}

int outcome_start_failed(struct outcome *outcome, enum hoist_reason reason, const char *sentence)
{
    conclude(outcome, HOIST_CAUSE_START_FAILED, reason);
    return set_sentence(outcome, utf8_escape(sentence));
}

/* The kernel tells who was killed by an OOM killer, not whether it was the command: SIGKILL and an
 * OOM kill inside its cgroup together say so, since nobody of ours had killed it. */
static bool was_oom_killed(const struct outcome *outcome)
{
    return outcome->signal == SIGKILL && outcome->usage.known & CGROUP_KNOWS_MEMORY &&
           outcome->usage.oom_kill > 0;
}

static enum hoist_cause cause_of_exit(const struct outcome *outcome, const struct state_exit *end)
{
    if (end->flags & STATE_EXIT_STOPPED && end->flags & STATE_EXIT_TIMED_OUT)
        return HOIST_CAUSE_TIMED_OUT;
    if (end->flags & STATE_EXIT_STOPPED && end->stop_reason == STATE_STOP_CPU_TIME)
        return HOIST_CAUSE_CPU_TIME_LIMIT;
    if (end->flags & (STATE_EXIT_STOPPED | STATE_EXIT_KILLED))
        return outcome->cause == HOIST_CAUSE_AGENT_SHUTDOWN ||
                       end->stop_reason == STATE_STOP_ORPHANED
                   ? HOIST_CAUSE_AGENT_SHUTDOWN
                   : HOIST_CAUSE_STOPPED_BY_USER;
    if (end->flags & STATE_EXIT_BEYOND_CAP)
        return HOIST_CAUSE_OUTPUT_LIMIT;
    if (was_oom_killed(outcome))
        return HOIST_CAUSE_OOM_KILLED;
    return outcome->signal ? HOIST_CAUSE_SIGNALED : HOIST_CAUSE_EXITED;
}

static char *sentence_of_oom(const struct outcome *outcome)
{
    char size[QUANTITY_TEXT_MAX];

    if (outcome->usage.oom == 0 && outcome->usage.oom_of_all > outcome->oom_of_all_before)
        return strdup("killed because all jobs together reached their limit of memory");
    if (outcome->usage.oom == 0)
        return strdup("killed because the host ran out of memory");
    return text_format("killed at its memory limit of %s",
                       quantity_format_exact(outcome->limits.value[LIMIT_MEMORY_MAX], size));
}

static char *sentence_of_cpu_time(const struct outcome *outcome)
{
    char duration[QUANTITY_TEXT_MAX];

    return text_format("stopped at its limit of CPU time, %s",
                       quantity_format_duration(outcome->limits.value[LIMIT_CPU_TIME], duration));
}

static char *sentence_of_timeout(const struct outcome *outcome)
{
    char duration[QUANTITY_TEXT_MAX];

    return text_format("stopped at its timeout, after %s",
                       quantity_format_duration(outcome->run_time, duration));
}

static char *sentence_of_output_limit(const struct outcome *outcome)
{
    char size[QUANTITY_TEXT_MAX];

    return text_format("its output went beyond the cap, with %s of it kept",
                       quantity_format_size(outcome->output_end, size));
}

static char *sentence_of_exit(const struct outcome *outcome)
{
    if (outcome->cause == HOIST_CAUSE_OUTPUT_LIMIT)
        return sentence_of_output_limit(outcome);
    if (outcome->cause == HOIST_CAUSE_OOM_KILLED)
        return sentence_of_oom(outcome);
    if (outcome->cause == HOIST_CAUSE_TIMED_OUT)
        return sentence_of_timeout(outcome);
    if (outcome->cause == HOIST_CAUSE_CPU_TIME_LIMIT)
        return sentence_of_cpu_time(outcome);
    if (outcome->cause == HOIST_CAUSE_SIGNALED)
        return text_format("killed by signal %s%s", signal_name(outcome->signal),
                           outcome->core_dumped ? ", core dumped" : "");
    if (outcome->cause == HOIST_CAUSE_EXITED && outcome->exit_code != 0)
        return text_format("the command exited with %d", outcome->exit_code);
    return strdup("");
}

static void take_exit(struct outcome *outcome, const struct state_exit *end)
{
    outcome->has_exit_code = end->code == CLD_EXITED;
    outcome->exit_code = outcome->has_exit_code ? end->status : 0;
    outcome->signal = outcome->has_exit_code ? 0 : end->status;
    outcome->core_dumped = end->code == CLD_DUMPED;
    outcome->start_time = end->started_wall;
    outcome->end_time = end->ended_wall;
    outcome->run_time =
        end->ended_boot > end->started_boot ? end->ended_boot - end->started_boot : 0;
    outcome->stdout_bytes = end->totals[0];
    outcome->stderr_bytes = end->totals[1];
    outcome->output_end = end->output_end;
    outcome->output_complete = !(end->flags & (STATE_EXIT_OUTPUT_LOST | STATE_EXIT_BEYOND_CAP));
}

static char *sentence_of_stop(const struct state_exit *end)
{
    return strdup(end->stop_reason == STATE_STOP_ORPHANED
                      ? "stopped because its agent had died and no other took its place in time"
                      : "");
}

static int decide_by_exit(struct outcome *outcome, const struct state_exit *end)
{
    take_exit(outcome, end);
    conclude(outcome, cause_of_exit(outcome, end), HOIST_REASON_UNSPECIFIED);
    if (end->flags & STATE_EXIT_OUTPUT_LOST) {
        outcome->reason = HOIST_REASON_OUTPUT_WRITE_FAILED;
        return set_sentence(outcome, text_format("its output could not be written to the end: %s",
                                                 strerrordesc_np(-end->output_error)));
    }
    return set_sentence(outcome, outcome->cause == HOIST_CAUSE_AGENT_SHUTDOWN
                                     ? sentence_of_stop(end)
                                     : sentence_of_exit(outcome));
}

static bool was_executed(const struct state_file *said)
{
    return said->progress.phase != STATE_PHASE_CREATED &&
           said->progress.phase != STATE_PHASE_START_FAILED;
}

static int decide_lost(struct outcome *outcome, bool rebooted)
{
    conclude(outcome, HOIST_CAUSE_LOST,
             rebooted ? HOIST_REASON_HOST_REBOOTED : HOIST_REASON_INIT_LOST);
    return set_sentence(
        outcome,
        strdup(rebooted
                   ? "the host was restarted while the job ran; how it ended is unknown"
                   : "hoist-init was killed and left no record; how the job ended is unknown"));
}

int outcome_decide(struct outcome *outcome, const struct state_file *said, bool rebooted)
{
    if (!said)
        return decide_lost(outcome, rebooted);
    outcome->start_time = was_executed(said) ? said->progress.started_wall : 0;
    outcome->gap_start = said->progress.gap_start;
    outcome->gap_end = said->progress.gap_end;
    if (said->has_exit)
        return decide_by_exit(outcome, &said->exit);
    if (said->progress.phase == STATE_PHASE_START_FAILED)
        return outcome_start_failed(outcome, job_reason_of(said->progress.failure),
                                    said->progress.sentence);
    if (rebooted || was_executed(said))
        return decide_lost(outcome, rebooted);
    return outcome_start_failed(outcome, HOIST_REASON_INIT_DIED,
                                "hoist-init ended before it could start the command");
}
