/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/reason.h"
#include "base/quantity.h"
#include "base/utf8.h"
#include "cli/session.h"
#include "cli/show-limits.h"
#include "grpc/status.h"

/*
 * What hoist says on stderr. An agent's words are a stranger's: they are made harmless whether or
 * not stderr is a terminal.
 */

static void tell_text(const char *prefix, const char *text)
{
    _cleanup_free_ char *shown = utf8_escape(text);

    fprintf(stderr, "%s%s\n", prefix, shown ? shown : "");
}

void tell(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return;
    tell_text("hoist: ", text);
    free(text);
}

void tell_harmless(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("hoist: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* What a person can do next, where the sentence alone doesn't say it. */
static const char *advice(const struct api_error *error)
{
    switch ((int)error->reason) {
    case HOIST__V1__REASON__REASON_JOB_NOT_FOUND:
        return "hoist list shows the jobs that you may see";
    case HOIST__V1__REASON__REASON_AMBIGUOUS_ID:
        return "give more digits of the id";
    case HOIST__V1__REASON__REASON_NAME_TAKEN:
        return "choose another --name, or remove the old job with hoist rm";
    case HOIST__V1__REASON__REASON_JOB_RUNNING:
        return "stop it first, or use hoist rm --force";
    case HOIST__V1__REASON__REASON_UNKNOWN_CLASS:
    case HOIST__V1__REASON__REASON_LIMIT_NOT_ENFORCEABLE:
        return "hoist info shows the classes and what this agent can enforce";
    default:
        return error->code == GRPC_STATUS_UNAVAILABLE ? "is the agent running? hoist ping tells"
                                                      : NULL;
    }
}

/* StartJob tells all that is wrong at once: one line each, but for the first, which was said. */
static void tell_numbered(const struct api_error *error, const char *key, unsigned from)
{
    for (unsigned i = from;; i++) {
        char name[32];
        const char *value;

        snprintf(name, sizeof(name), "%s.%u", key, i);
        value = api_error_get(error, name);
        if (!value)
            return;
        tell_text("  ", value);
    }
}

static void tell_issues(const struct api_error *error)
{
    if (!api_error_get(error, "issue.1"))
        return;
    for (unsigned i = 0;; i++) {
        char field[32], issue[32];
        _cleanup_free_ char *line = NULL;

        snprintf(field, sizeof(field), "field.%u", i);
        snprintf(issue, sizeof(issue), "issue.%u", i);
        if (!api_error_get(error, field) || !api_error_get(error, issue))
            return;
        if (asprintf(&line, "%s: %s", api_error_get(error, field), api_error_get(error, issue)) <
            0) {
            line = NULL;
            return;
        }
        tell_text("  ", line);
    }
}

/* "memory_max 1000000000 is above the ceiling 512000000", as people write it. */
static void tell_ceiling(const struct api_error *error)
{
    const char *limit = api_error_get(error, "limit"), *asked = api_error_get(error, "asked"),
               *ceiling = api_error_get(error, "ceiling");
    char asked_text[LIMIT_TEXT_MAX] = "no limit", ceiling_text[LIMIT_TEXT_MAX];
    uint64_t value;

    if (error->reason != HOIST__V1__REASON__REASON_OVER_CEILING || !limit || !asked || !ceiling)
        return;
    if (quantity_parse_unsigned(asked, UINT64_MAX, &value, NULL) == 0)
        (void)limit_text(limit, value, asked_text);
    if (quantity_parse_unsigned(ceiling, UINT64_MAX, &value, NULL) == 0)
        tell("%s: %s was asked for, %s is allowed", limit_words(limit), asked_text,
             limit_text(limit, value, ceiling_text));
}

void tell_error(const struct api_error *error)
{
    const char *what = error->text && error->text[0]
                           ? error->text
                           : grpc_status_name((enum grpc_status)error->code);
    const char *next = advice(error);
    const char *job = api_error_get(error, "job");

    tell("%s", what);
    tell_issues(error);
    tell_ceiling(error);
    tell_numbered(error, "candidate", 0);
    if (job)
        tell("its record stays: %s", job);
    if (next)
        tell("%s", next);
}
