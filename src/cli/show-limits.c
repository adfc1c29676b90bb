/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show-limits.h"

#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "base/utf8.h"

enum unit {
    UNIT_COUNT,
    UNIT_PERCENT, /* from thousandths */
    UNIT_BYTES,
    UNIT_BYTES_A_SECOND,
    UNIT_COUNT_A_SECOND,
    UNIT_DURATION,
    UNIT_VICTIM, /* of an OOM kill */
};

/* In the order in which they are shown. */
static const struct limit_row {
    const char *name, *words;
    enum unit unit;
    const char *zero; /* what 0 says; NULL: itself */
} rows[] = {
    {"cpu_millis", "cpu", UNIT_PERCENT, "no limit"},
    {"cpu_period_usec", "cpu period", UNIT_DURATION, NULL},
    {"cpu_time_usec", "cpu time", UNIT_DURATION, "no limit"},
    {"cpu_weight", "cpu weight", UNIT_COUNT, NULL},
    {"cpu_reserved_millis", "cpu reserved", UNIT_PERCENT, "none"},
    {"memory_max", "memory", UNIT_BYTES, "no limit"},
    {"memory_high", "memory high", UNIT_BYTES, "no limit"},
    {"memory_low", "memory low", UNIT_BYTES, "none"},
    {"memory_reserved", "memory reserved", UNIT_BYTES, "none"},
    {"swap_max", "swap", UNIT_BYTES, "none"},
    {"oom_group", "OOM kill ends", UNIT_VICTIM, NULL},
    {"pids_max", "processes", UNIT_COUNT, "no limit"},
    {"io_read_bps", "disk read", UNIT_BYTES_A_SECOND, "no limit"},
    {"io_write_bps", "disk write", UNIT_BYTES_A_SECOND, "no limit"},
    {"io_read_iops", "disk reads", UNIT_COUNT_A_SECOND, "no limit"},
    {"io_write_iops", "disk writes", UNIT_COUNT_A_SECOND, "no limit"},
    {"io_weight", "disk weight", UNIT_COUNT, NULL},
    {"open_files", "open files", UNIT_COUNT, NULL},
    {"core_size", "core dump", UNIT_BYTES, "none"},
    {"output_cap", "output", UNIT_BYTES, "no limit"},
};

static const struct limit_row *row_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const char *limit_words(const char *name)
{
    const struct limit_row *row = row_of(name);

    return row ? row->words : name;
}

static void percent_print(uint64_t millis, char text[static LIMIT_TEXT_MAX])
{
    snprintf(text, LIMIT_TEXT_MAX, millis % 10 ? "%llu.%llu%%" : "%llu%%",
             (unsigned long long)(millis / 10), (unsigned long long)(millis % 10));
}

const char *limit_text(const char *name, uint64_t value, char text[static LIMIT_TEXT_MAX])
{
    const struct limit_row *row = row_of(name);
    enum unit unit = row ? row->unit : UNIT_COUNT;
    char quantity[QUANTITY_TEXT_MAX];

    if (row && row->zero && value == 0) {
        snprintf(text, LIMIT_TEXT_MAX, "%s", row->zero);
        return text;
    }
    switch (unit) {
    case UNIT_PERCENT:
        percent_print(value, text);
        break;
    case UNIT_BYTES:
        snprintf(text, LIMIT_TEXT_MAX, "%s", quantity_format_exact(value, quantity));
        break;
    case UNIT_BYTES_A_SECOND:
        snprintf(text, LIMIT_TEXT_MAX, "%s/s", quantity_format_exact(value, quantity));
        break;
    case UNIT_COUNT_A_SECOND:
        snprintf(text, LIMIT_TEXT_MAX, "%llu/s", (unsigned long long)value);
        break;
    case UNIT_DURATION:
        snprintf(text, LIMIT_TEXT_MAX, "%s", quantity_format_duration(value, quantity));
        break;
    case UNIT_VICTIM:
        snprintf(text, LIMIT_TEXT_MAX, "%s", value ? "the whole job" : "one process");
        break;
    case UNIT_COUNT:
        snprintf(text, LIMIT_TEXT_MAX, "%llu", (unsigned long long)value);
        break;
    }
    return text;
}

const char *output_policy_text(Hoist__V1__OutputPolicy policy)
{
    return policy == HOIST__V1__OUTPUT_POLICY__OUTPUT_POLICY_STOP_JOB ? "stop_job" : "keep_ends";
}

/* ---- lines ---- */

void show_limits(const Hoist__V1__Job *job)
{
    for (size_t i = 0; i < job->n_limits; i++) {
        const Hoist__V1__LimitStatus *limit = job->limits[i];
        _cleanup_free_ char *words = utf8_escape(limit_words(limit->name));
        _cleanup_free_ char *detail = utf8_escape(limit->detail);
        char value[LIMIT_TEXT_MAX];

        printf("%-11s %-15s %-13s ", i == 0 ? "limits" : "", words ? words : "",
               limit_text(limit->name, limit->value, value));
        if (!detail || !detail[0])
            printf("%s\n", limit->enforced ? "in force" : "NOT in force");
        else if (limit->enforced)
            printf("in force (%s)\n", detail);
        else
            printf("NOT in force: %s\n", detail);
    }
}

void show_class_limits(const Hoist__V1__ClassInfo *class)
{
    const char *separator = "";
    char text[LIMIT_TEXT_MAX];

    for (size_t i = 0; class->limits && i < ARRAY_SIZE(rows); i++) {
        uint64_t value;

        if (api_limits_get(class->limits, rows[i].name, &value) != 1)
            continue;
        printf("%s%s %s", separator, rows[i].words, limit_text(rows[i].name, value, text));
        separator = ", ";
    }
    if (class->output_cap)
        printf("%soutput %s (%s)", separator,
               limit_text("output_cap", class->output_cap->value, text),
               output_policy_text(class->output_policy));
}

void show_limit_support(const Hoist__V1__GetInfoResponse *info)
{
    for (size_t i = 0; i < info->n_limits; i++) {
        const Hoist__V1__LimitSupport *limit = info->limits[i];
        _cleanup_free_ char *words = utf8_escape(limit_words(limit->name));
        _cleanup_free_ char *detail = utf8_escape(limit->detail);

        printf("%-14s %-15s %s%s%s\n", i == 0 ? "limits" : "", words ? words : "",
               limit->enforceable ? "enforceable" : "NOT enforceable",
               detail && detail[0] ? ": " : "", detail ? detail : "");
    }
}
