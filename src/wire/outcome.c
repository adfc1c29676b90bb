/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/outcome.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/format-version.h"
#include "base/strv.h"
#include "wire/stored.h"

#define VERSION FORMAT_VERSION(1)
#define OLDEST  1

typedef Hoist__Internal__StoredLimit StoredLimit;
typedef Hoist__Internal__StoredUsage StoredUsage;
typedef Hoist__Internal__Outcome StoredOutcome;

void outcome_done(struct outcome *outcome)
{
    free(outcome->error);
    free(outcome->stopped_by);
    free(outcome->cgroup);
    strv_free(outcome->degradations);
    *outcome = (struct outcome){.state = 0};
}

int outcome_copy(const struct outcome *outcome, struct outcome *ret)
{
    _cleanup_outcome_ struct outcome copy = *outcome;

    copy.error = copy.stopped_by = copy.cgroup = NULL;
    copy.degradations = NULL;
    if (stored_copy_text(outcome->error, &copy.error) < 0 ||
        stored_copy_text(outcome->stopped_by, &copy.stopped_by) < 0 ||
        stored_copy_text(outcome->cgroup, &copy.cgroup) < 0 ||
        stored_copy_list(outcome->degradations, &copy.degradations) < 0)
        return -ENOMEM;
    *ret = copy;
    copy = (struct outcome){.state = 0};
    return 0;
}

static void store_usage(const struct outcome *outcome, StoredUsage *stored)
{
    stored->read_time_usec = outcome->usage_time;
    stored->known = outcome->usage.known;
#define STORE(figure) stored->figure = outcome->usage.figure;
    CGROUP_USAGE_FIGURES(STORE)
#undef STORE
}

static void read_usage(const StoredUsage *stored, struct outcome *outcome)
{
    outcome->usage_time = stored->read_time_usec;
    outcome->usage.known = stored->known;
#define READ(figure) outcome->usage.figure = stored->figure;
    CGROUP_USAGE_FIGURES(READ)
#undef READ
}

static void store_end(const struct outcome *outcome, StoredOutcome *message)
{
    message->state = outcome->state;
    message->cause = outcome->cause;
    message->reason = outcome->reason;
    message->error = stored_bytes(outcome->error);
    message->has_exit_code = outcome->has_exit_code;
    message->exit_code = outcome->exit_code;
    message->signal = (uint32_t)outcome->signal;
    message->core_dumped = outcome->core_dumped;
    message->stopped_by = stored_text(outcome->stopped_by);
    message->start_time_usec = outcome->start_time;
    message->end_time_usec = outcome->end_time;
    message->run_time_usec = outcome->run_time;
}

static void store_process(const struct outcome *outcome, StoredOutcome *message)
{
    message->boot_id = stored_id(&outcome->boot_id);
    message->pid = (uint32_t)outcome->pid;
    message->pid_start_time = outcome->pid_start_time;
    message->cgroup = stored_text(outcome->cgroup);
    message->cgroups_left = outcome->cgroups_left;
}

static void store_output(const struct outcome *outcome, StoredOutcome *message)
{
    message->output_end = outcome->output_end;
    message->stdout_bytes = outcome->stdout_bytes;
    message->stderr_bytes = outcome->stderr_bytes;
    message->gap_start = outcome->gap_start;
    message->gap_end = outcome->gap_end;
    message->output_complete = outcome->output_complete;
}

int outcome_encode(const struct outcome *outcome, struct buffer *out)
{
    _cleanup_free_ ProtobufCBinaryData *degradations = NULL;
    StoredLimit limits[_LIMIT_MAX], *limit_pointers[_LIMIT_MAX];
    StoredUsage usage = HOIST__INTERNAL__STORED_USAGE__INIT;
    StoredOutcome message = HOIST__INTERNAL__OUTCOME__INIT;
    int r = stored_list(outcome->degradations, &message.n_degradations, &degradations);

    if (r < 0)
        return r;
    message.version = VERSION;
    message.oom_of_all_before = outcome->oom_of_all_before;
    message.degradations = degradations;
    store_end(outcome, &message);
    store_process(outcome, &message);
    store_output(outcome, &message);
    message.n_limits =
        stored_limits(&outcome->limits, &outcome->limit_report, limits, limit_pointers);
    message.limits = limit_pointers;
    store_usage(outcome, &usage);
    message.usage = &usage;
    return stored_pack(&message.base, out);
}

static void read_output(const StoredOutcome *message, struct outcome *ret)
{
    ret->output_end = message->output_end;
    ret->stdout_bytes = message->stdout_bytes;
    ret->stderr_bytes = message->stderr_bytes;
    ret->gap_start = message->gap_start;
    ret->gap_end = message->gap_end;
    ret->output_complete = message->output_complete;
}

static int read_limit_report(const StoredOutcome *message, struct outcome *ret)
{
    for (size_t i = 0; i < message->n_limits; i++) {
        int limit = stored_read_limit(message->limits[i], &ret->limits);

        if (limit < 0)
            return -EPROTO;
        if (message->limits[i]->enforced)
            ret->limit_report.enforced |= LIMIT_BIT((enum limit)limit);
        strncpy(ret->limit_report.detail[limit], message->limits[i]->detail, LIMIT_DETAIL_MAX - 1);
    }
    return 0;
}

static int read_process(const StoredOutcome *message, struct outcome *ret)
{
    ret->pid = (pid_t)message->pid;
    ret->pid_start_time = message->pid_start_time;
    ret->cgroups_left = message->cgroups_left;
    ret->cgroup = strdup(message->cgroup);
    if (!ret->cgroup)
        return -ENOMEM;
    return ret->pid < 0 ? -EPROTO : stored_read_id(&message->boot_id, &ret->boot_id);
}

static int read_end(const StoredOutcome *message, struct outcome *ret)
{
    if (!format_is_readable(message->version, OLDEST, VERSION) || message->signal > 64)
        return -EPROTO;
    ret->state = message->state;
    ret->cause = message->cause;
    ret->reason = message->reason;
    ret->has_exit_code = message->has_exit_code;
    ret->exit_code = message->exit_code;
    ret->signal = (int)message->signal;
    ret->core_dumped = message->core_dumped;
    ret->start_time = message->start_time_usec;
    ret->end_time = message->end_time_usec;
    ret->run_time = message->run_time_usec;
    ret->stopped_by = strdup(message->stopped_by);
    return ret->stopped_by ? stored_read_text(&message->error, &ret->error) : -ENOMEM;
}

static int read_outcome(const StoredOutcome *message, struct outcome *ret)
{
    int r = read_end(message, ret);

    if (r == 0)
        r = read_process(message, ret);
    if (r == 0)
        r = read_limit_report(message, ret);
    if (r == 0)
        r = stored_read_list(message->degradations, message->n_degradations, &ret->degradations);
    if (r < 0)
        return r;
    read_output(message, ret);
    ret->oom_of_all_before = message->oom_of_all_before;
    if (message->usage)
        read_usage(message->usage, ret);
    return 0;
}

int outcome_decode(const void *data, size_t size, struct outcome *ret, struct error *err)
{
    _cleanup_(stored_message_freep) ProtobufCMessage *message = NULL;
    _cleanup_outcome_ struct outcome copy = {.state = 0};
    int r = -EPROTO;

    if (size <= OUTCOME_SIZE_MAX)
        message =
            protobuf_c_message_unpack(&hoist__internal__outcome__descriptor, NULL, size, data);
    if (message)
        r = read_outcome((const StoredOutcome *)message, &copy);
    if (r < 0)
        return stored_error(r, "outcome of a job", err);
    *ret = copy;
    copy = (struct outcome){.state = 0};
    return 0;
}
