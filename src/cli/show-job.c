/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show-job.h"

#include <stdio.h>
#include <string.h>

#include "api/moment.h"
#include "api/reason.h"
#include "base/buffer.h"
#include "base/id.h"
#include "base/quantity.h"
#include "base/signal-name.h"
#include "base/strv.h"
#include "base/utf8.h"
#include "cli/message-emit.h"
#include "cli/session.h"
#include "cli/show-limits.h"
#include "cli/show-usage.h"

/* What else an agent may send in its place isn't shown: ids go to terminals and into scripts. */
const char *job_id(const Hoist__V1__Job *job)
{
    const char *text = text_starts_with(job->name, "jobs/") ? job->name + strlen("jobs/") : "";
    struct id id;

    return id_parse(text, &id) == 0 ? text : "(no id)";
}

/* ---- words ---- */

static bool needs_quotes(const ProtobufCBinaryData *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,@%+";

    for (size_t i = 0; i < word->len; i++)
        if (!word->data[i] || !strchr(plain, word->data[i]))
            return true;
    return word->len == 0;
}

static bool is_harmless(const ProtobufCBinaryData *word)
{
    for (size_t at = 0; at < word->len;) {
        uint32_t character;
        int length = utf8_decode(word->data + at, word->len - at, &character);

        if (length <= 0 || utf8_is_harmful(character))
            return false;
        at += (size_t)length;
    }
    return true;
}

/*
 * 'As it is', where a quote within is out of them, by itself, and into them again; or, with what
 * would harm a terminal, $'with\x1bescapes' as bash reads them.
 */
static int append_quoted(struct buffer *out, const ProtobufCBinaryData *word)
{
    bool plain = is_harmless(word);
    int r = buffer_append_text(out, plain ? "'" : "$'");

    for (size_t at = 0; r >= 0 && at < word->len;) {
        const uint8_t *quote = memchr(word->data + at, '\'', word->len - at);
        size_t length = quote ? (size_t)(quote - word->data) - at : word->len - at;

        r = plain ? buffer_append(out, word->data + at, length)
                  : utf8_append_escaped(out, word->data + at, length);
        if (r >= 0 && quote)
            r = buffer_append_text(out, plain ? "'\\''" : "\\'");
        at += length + (quote ? 1 : 0);
    }
    return r < 0 ? r : buffer_append_text(out, "'");
}

static int append_word(struct buffer *out, const ProtobufCBinaryData *word)
{
    return needs_quotes(word) ? append_quoted(out, word)
                              : buffer_append(out, word->data, word->len);
}

char *job_command_text(const Hoist__V1__Job *job)
{
    _cleanup_buffer_ struct buffer out = {0};

    if (!job->spec || append_word(&out, &job->spec->command) < 0)
        return NULL;
    for (size_t i = 0; i < job->spec->n_args; i++)
        if (buffer_append_text(&out, " ") < 0 || append_word(&out, &job->spec->args[i]) < 0)
            return NULL;
    return buffer_take_text(&out);
}

const char *job_end_text(const Hoist__V1__Job *job, char text[static JOB_END_TEXT_MAX])
{
    switch ((int)job->cause) {
    case HOIST__V1__CAUSE__CAUSE_UNSPECIFIED:
        snprintf(text, JOB_END_TEXT_MAX, "has not ended");
        break;
    case HOIST__V1__CAUSE__CAUSE_EXITED:
        snprintf(text, JOB_END_TEXT_MAX, "exited with %d", job->exit_code);
        break;
    case HOIST__V1__CAUSE__CAUSE_SIGNALED:
        snprintf(text, JOB_END_TEXT_MAX, "killed by signal %s%s", signal_name(job->signal),
                 job->core_dumped ? ", core dumped" : "");
        break;
    case HOIST__V1__CAUSE__CAUSE_TIMED_OUT:
        snprintf(text, JOB_END_TEXT_MAX, "stopped: its timeout passed");
        break;
    case HOIST__V1__CAUSE__CAUSE_CPU_TIME_LIMIT:
        snprintf(text, JOB_END_TEXT_MAX, "stopped: its limit of CPU time passed");
        break;
    case HOIST__V1__CAUSE__CAUSE_OOM_KILLED:
        snprintf(text, JOB_END_TEXT_MAX, "killed: it reached its memory limit");
        break;
    case HOIST__V1__CAUSE__CAUSE_STOPPED_BY_USER:
        snprintf(text, JOB_END_TEXT_MAX, "stopped by %.63s", job->stopped_by);
        break;
    default:
        snprintf(text, JOB_END_TEXT_MAX, "%s", api_cause_name((int)job->cause));
        break;
    }
    return text;
}

/* ---- lines ---- */

static void line(const char *key, const char *text)
{
    _cleanup_free_ char *shown = utf8_escape(text);

    printf("%-11s %s\n", key, shown ? shown : "");
}

static void line_if(const char *key, const char *text)
{
    if (!text_is_empty(text))
        line(key, text);
}

static void line_time(const char *key, const Google__Protobuf__Timestamp *time)
{
    char text[CLOCK_TEXT_MAX];
    usec_t wall;

    if (time && api_timestamp_read(time, &wall, NULL) == 0)
        line(key, clock_format_local(wall, text));
}

static void show_times(const Hoist__V1__Job *job)
{
    char text[QUANTITY_TEXT_MAX];
    usec_t run_time;

    line_time("created", job->create_time);
    line_time("started", job->start_time);
    line_time("ended", job->end_time);
    if (job->run_time && api_duration_read(job->run_time, 0, &run_time, NULL) == 0)
        line(job->end_time ? "ran" : "runs for", quantity_format_duration(run_time, text));
}

static void show_blocked(const Hoist__V1__Job *job)
{
    printf("%-11s %u tasks can't be ended yet\n", "blocked", job->processes_blocked);
    for (size_t i = 0; i < job->n_blocked_tasks; i++) {
        const Hoist__V1__BlockedTask *task = job->blocked_tasks[i];
        _cleanup_free_ char *text =
            text_format("pid %u (%s), state %s", task->pid, task->name, task->state);

        line_if("", text);
    }
}

static void show_end(const Hoist__V1__Job *job)
{
    char text[JOB_END_TEXT_MAX];

    if (job->cause != HOIST__V1__CAUSE__CAUSE_UNSPECIFIED)
        line("end", job_end_text(job, text));
    if (job->has_exit_code)
        printf("%-11s %d\n", "exit code", job->exit_code);
    if (job->reason != HOIST__V1__REASON__REASON_UNSPECIFIED)
        line("reason", api_reason_name((int)job->reason));
    line_if("error", job->error);
    if (job->processes_blocked > 0)
        show_blocked(job);
}

static void show_output(const Hoist__V1__JobSpec *spec, const Hoist__V1__OutputTotals *output)
{
    char cap[LIMIT_TEXT_MAX];

    if (!output)
        return;
    printf("%-11s %llu bytes (stdout %llu, stderr %llu)%s\n", "output",
           (unsigned long long)output->end_offset, (unsigned long long)output->stdout_bytes,
           (unsigned long long)output->stderr_bytes, output->complete ? ", complete" : "");
    if (spec && spec->output_cap && spec->output_cap->value > 0)
        printf("%-11s %s, %s\n", "output cap",
               limit_text("output_cap", spec->output_cap->value, cap),
               output_policy_text(spec->output_policy));
    if (output->gap_end > output->gap_start)
        printf("%-11s bytes %llu to %llu, by the cap on its output\n", "dropped",
               (unsigned long long)output->gap_start, (unsigned long long)output->gap_end);
    if (output->waiting_for_disk)
        printf("%-11s for room on the agent's disk, which is full\n", "waits");
    if (output->throttled)
        printf("%-11s to the rate of its output\n", "slowed down");
}

static void show_labels(const Hoist__V1__JobSpec *spec)
{
    for (size_t i = 0; spec && i < spec->n_labels; i++) {
        _cleanup_free_ char *key = utf8_escape(spec->labels[i]->key);
        _cleanup_free_ char *value = utf8_escape(spec->labels[i]->value);

        printf("%-11s %s=%s\n", i == 0 ? "labels" : "", key ? key : "", value ? value : "");
    }
}

void show_job(const Hoist__V1__Job *job)
{
    _cleanup_free_ char *command = job_command_text(job);

    line("job", job_id(job));
    line_if("name", job->spec ? job->spec->display_name : NULL);
    line("state", api_job_state_name((int)job->state));
    printf("%-11s %s\n", "command", command ? command : "");
    line("owner", job->created_by);
    line_if("class", job->spec ? job->spec->job_class : NULL);
    show_labels(job->spec);
    show_times(job);
    show_end(job);
    show_output(job->spec, job->output);
    show_usage(job->usage);
    show_limits(job);
    for (size_t i = 0; i < job->n_degradations; i++)
        line(i == 0 ? "degraded" : "", job->degradations[i]);
}

int print_job(const struct session *session, const Hoist__V1__Job *job)
{
    if (session->format != OUTPUT_FORMAT_TABLE)
        return message_print(session, &job->base);
    show_job(job);
    return 0;
}

/* ---- the list ---- */

#define COMMAND_COLUMNS 40

void show_job_heading(void)
{
    printf("%-8s  %-16s %-10s %-12s %-19s %s\n", "ID", "NAME", "STATE", "OWNER", "CREATED",
           "COMMAND");
}

void show_job_line(const Hoist__V1__Job *job)
{
    _cleanup_free_ char *command = job_command_text(job), *owner = utf8_escape(job->created_by);
    _cleanup_free_ char *name = utf8_escape(job->spec ? job->spec->display_name : "");
    char time[CLOCK_TEXT_MAX] = "";
    usec_t wall;

    if (job->create_time && api_timestamp_read(job->create_time, &wall, NULL) == 0)
        clock_format_local(wall, time);
    printf("%-8.8s  %-16s %-10s %-12s %-19.19s %.*s%s\n", job_id(job), name ? name : "",
           api_job_state_name((int)job->state), owner ? owner : "", time, COMMAND_COLUMNS,
           command ? command : "", command && strlen(command) > COMMAND_COLUMNS ? "…" : "");
}
