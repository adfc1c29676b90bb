/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quantity.h"
#include "base/strv.h"
#include "cli/command.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/tell-job.h"
#include "cli/when.h"

/* More are more than one connection carries at once (SETTINGS_MAX_CONCURRENT_STREAMS). */
#define JOBS_MAX 100

static int refuse(const char *flag, const struct error *err)
{
    tell("--%s: %s", flag, err->text);
    return -EINVAL;
}

/* Where it begins: one flag at most. */
static int read_begin(const struct arguments *arguments, usec_t now, struct output_wish *wish)
{
    struct error err;
    int flags =
        !!arguments->offset + !!arguments->since + !!arguments->tail + !!arguments->tail_bytes;

    if (flags > 1) {
        tell("choose one of --offset, --since, --tail and --tail-bytes");
        return -EINVAL;
    }
    if (arguments->offset &&
        quantity_parse_unsigned(arguments->offset, UINT64_MAX, &wish->begin_at, &err) < 0)
        return refuse("offset", &err);
    if (arguments->since && when_parse(arguments->since, now, true, &wish->begin_at, &err) < 0)
        return refuse("since", &err);
    if (arguments->tail &&
        quantity_parse_unsigned(arguments->tail, UINT64_MAX, &wish->begin_at, &err) < 0)
        return refuse("tail", &err);
    if (arguments->tail_bytes &&
        quantity_parse_size(arguments->tail_bytes, &wish->begin_at, &err) < 0)
        return refuse("tail-bytes", &err);
    wish->begin = arguments->since        ? OUTPUT_FROM_TIME
                  : arguments->tail       ? OUTPUT_LAST_LINES
                  : arguments->tail_bytes ? OUTPUT_LAST_BYTES
                                          : OUTPUT_FROM_OFFSET;
    return 0;
}

static int read_wish(const struct arguments *arguments, struct output_wish *ret)
{
    struct output_wish wish = {
        .follow = arguments->follow,
        .until = USEC_INFINITY,
        .choice = arguments->stdout_only == arguments->stderr_only ? OUTPUT_BOTH
                  : arguments->stdout_only                         ? OUTPUT_STDOUT_ONLY
                                                                   : OUTPUT_STDERR_ONLY,
    };
    usec_t now = clock_wall();
    struct error err;

    if (arguments->word_count > JOBS_MAX) {
        tell("at most %d jobs at once", JOBS_MAX);
        return -EINVAL;
    }
    if (arguments->offset && arguments->word_count > 1) {
        tell("--offset is for one job");
        return -EINVAL;
    }
    if (read_begin(arguments, now, &wish) < 0)
        return -EINVAL;
    if (arguments->until && when_parse(arguments->until, now, false, &wish.until, &err) < 0)
        return refuse("until", &err);
    *ret = wish;
    return 0;
}

/* The jobs' streams, and the names before their lines, which are all of the longest one's width. */
struct logs {
    struct session *session;
    struct output_stream *streams;
    char **prefixes;
    size_t count;
};

static void logs_done(struct logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        output_stream_close(&logs->streams[i]);
    free(logs->streams);
    strv_free(logs->prefixes);
}

static int logs_add(struct logs *logs, struct output_wish *wish, const char *job, int width)
{
    bool prefixed = logs->session->arguments.prefix || logs->session->arguments.word_count > 1;
    _cleanup_free_ char *prefix = prefixed ? text_format("%-*s | ", width, job) : NULL;

    if (prefixed && (!prefix || strv_append(&logs->prefixes, prefix) < 0))
        return -ENOMEM;
    wish->job = job;
    wish->prefix = prefixed ? logs->prefixes[logs->count] : NULL;
    logs->streams[logs->count++] = output_stream_make(logs->session, wish);
    return 0;
}

static int logs_make(struct logs *logs, struct output_wish *wish)
{
    const struct arguments *arguments = &logs->session->arguments;
    size_t width = 0;
    int r = 0;

    logs->streams = calloc(arguments->word_count, sizeof(*logs->streams));
    if (!logs->streams)
        return -ENOMEM;
    for (size_t i = 0; i < arguments->word_count; i++)
        width = MAX(width, strlen(arguments->words[i]));
    for (size_t i = 0; i < arguments->word_count && r == 0; i++)
        r = logs_add(logs, wish, arguments->words[i], (int)MIN(width, (size_t)80));
    return r;
}

static bool logs_interrupted(void *userdata)
{
    (void)userdata;
    return true;
}

static void logs_shown(const struct output_stream *stream, void *userdata)
{
    struct logs *logs = userdata;

    if (stream->complete) /* --until ends before the job does */
        tell_job_end_of(logs->session, stream->wish.job);
}

/* Those that go on are shown together, the others one after the other. */
static int logs_show(struct logs *logs, const struct reconnect *reconnect)
{
    struct follow follow = {.reconnect = *reconnect, .userdata = logs};
    bool together = logs->session->arguments.follow;
    int failed = 0;

    if (together && tell_job_is_wanted(logs->session)) {
        follow.shown = logs_shown;
        for (size_t i = 0; i < logs->count; i++)
            tell_job_start_of(logs->session, logs->streams[i].wish.job);
    }
    for (size_t i = 0; i < logs->count; i += follow.count) {
        int r;

        follow.streams = logs->streams + i;
        follow.count = together ? logs->count : 1;
        r = follow_outputs(&follow);
        if (r == -EINTR || r == -EPIPE || r == -ENOTCONN)
            return r;
        failed = failed ? failed : r;
    }
    return failed;
}

int cmd_logs(struct session *session)
{
    struct logs logs = {.session = session};
    struct reconnect reconnect;
    struct output_wish wish;
    int r;

    if (read_wish(&session->arguments, &wish) < 0 ||
        reconnect_init(&reconnect, session, logs_interrupted, NULL) < 0)
        return EXIT_USAGE;
    r = logs_make(&logs, &wish);
    if (r == 0)
        r = logs_show(&logs, &reconnect);
    logs_done(&logs);
    if (r == -EINTR)
        return EXIT_INTERRUPTED;
    if (r == -ENOTCONN)
        return EXIT_HOIST;
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
