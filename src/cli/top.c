/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/moment.h"
#include "api/reason.h"
#include "base/quantity.h"
#include "base/strv.h"
#include "base/utf8.h"
#include "cli/show-job.h"
#include "cli/show-usage.h"

#define LINE_MAX_BYTES 1024
#define CELL_MAX       16

static const char *const column_names[] = {
    [TOP_CPU] = "cpu",   [TOP_MEMORY] = "memory", [TOP_IO] = "io",     [TOP_IOPS] = "iops",
    [TOP_PIDS] = "pids", [TOP_TIME] = "time",     [TOP_NAME] = "name",
};
_Static_assert(ARRAY_SIZE(column_names) == _TOP_COLUMN_MAX, "each column has a name");

int top_column_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(column_names); i++)
        if (text_equal(column_names[i], name))
            return (int)i;
    return -EINVAL;
}

/* --- rates -------------------------------------------------------------------------------------
 */

static const Hoist__V1__Usage *usage_before(const Hoist__V1__ListJobsResponse *before,
                                            const Hoist__V1__Job *job)
{
    for (size_t i = 0; before && i < before->n_jobs; i++)
        if (text_equal(before->jobs[i]->name, job->name))
            return before->jobs[i]->usage;
    return NULL;
}

static double difference(uint64_t before, uint64_t now)
{
    return now > before ? (double)(now - before) : 0;
}

static void fill_rates(const Hoist__V1__Usage *before, const Hoist__V1__Usage *now,
                       struct top_row *row)
{
    usec_t from, to;
    double seconds;

    if (!before || !now || api_timestamp_read(before->read_time, &from, NULL) < 0 ||
        api_timestamp_read(now->read_time, &to, NULL) < 0 || to <= from)
        return;
    seconds = (double)(to - from) / (double)USEC_PER_SEC;
    row->has_rates = true;
    row->cpu_percent = difference(before->cpu_usec, now->cpu_usec) / seconds / 1e4;
    row->bytes_per_second = difference(before->io_read_bytes + before->io_write_bytes,
                                       now->io_read_bytes + now->io_write_bytes) /
                            seconds;
    row->operations_per_second = difference(before->io_read_ops + before->io_write_ops,
                                            now->io_read_ops + now->io_write_ops) /
                                 seconds;
}

/* --- order -------------------------------------------------------------------------------------
 */

static double run_seconds(const Hoist__V1__Job *job)
{
    usec_t run_time;

    if (!job->run_time || api_duration_read(job->run_time, 0, &run_time, NULL) < 0)
        return 0;
    return (double)run_time;
}

static const char *name_of(const Hoist__V1__Job *job)
{
    return job->spec ? job->spec->display_name : "";
}

static double value_of(const struct top_row *row, enum top_column column)
{
    const Hoist__V1__Usage *usage = row->job->usage;

    switch (column) {
    case TOP_CPU:
        return row->cpu_percent;
    case TOP_MEMORY:
        return usage ? (double)usage->memory_current : 0;
    case TOP_IO:
        return row->bytes_per_second;
    case TOP_IOPS:
        return row->operations_per_second;
    case TOP_PIDS:
        return usage ? (double)usage->pids_current : 0;
    case TOP_TIME:
        return run_seconds(row->job);
    case TOP_NAME:
    case _TOP_COLUMN_MAX:
        break;
    }
    return 0;
}

/* Equal ones by name and id, so that rows don't change places for nothing. */
static int rows_compare(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;
    int order;

    if (left->key < right->key || left->key > right->key)
        return left->key > right->key ? -1 : 1;
    order = strcmp(name_of(left->job), name_of(right->job));
    return order ? order : strcmp(left->job->name, right->job->name);
}

int top_rows(const Hoist__V1__ListJobsResponse *before, const Hoist__V1__ListJobsResponse *now,
             enum top_column column, struct top_row **ret)
{
    struct top_row *rows = calloc(now->n_jobs + 1, sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < now->n_jobs; i++) {
        rows[i].job = now->jobs[i];
        fill_rates(usage_before(before, now->jobs[i]), now->jobs[i]->usage, &rows[i]);
        rows[i].key = value_of(&rows[i], column);
    }
    qsort(rows, now->n_jobs, sizeof(*rows), rows_compare);
    *ret = rows;
    return (int)now->n_jobs;
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* A line is cut between characters; what is above the terminal's width would take a second line. */
static void print_cut(const char *line, size_t columns)
{
    size_t used = 0, characters = 0;

    while (line[used] && characters < columns) {
        used++;
        while (((unsigned char)line[used] & 0xc0) == 0x80)
            used++;
        characters++;
    }
    printf("%.*s\n", (int)used, line);
}

void top_print_heading(size_t columns)
{
    char line[LINE_MAX_BYTES];

    snprintf(line, sizeof(line), "%-8s  %-14s %-8s %6s %8s %9s %7s %6s %8s %-10s %s", "ID", "NAME",
             "STATE", "CPU", "MEMORY", "IO/s", "IOPS", "PIDS", "TIME", "THROTTLED", "COMMAND");
    print_cut(line, columns);
}

struct cells {
    char cpu[CELL_MAX], memory[CELL_MAX], io[CELL_MAX], iops[CELL_MAX], pids[CELL_MAX];
    char time[CELL_MAX], throttled[THROTTLED_TEXT_MAX];
};

static void fill_cells_of_usage(const struct top_row *row, const Hoist__V1__Usage *usage,
                                struct cells *cells)
{
    char text[QUANTITY_TEXT_MAX];

    if (!usage_is_missing(usage, "memory"))
        snprintf(cells->memory, CELL_MAX, "%s", quantity_format_size(usage->memory_current, text));
    if (!usage_is_missing(usage, "pids"))
        snprintf(cells->pids, CELL_MAX, "%llu", (unsigned long long)usage->pids_current);
    throttled_text(usage, cells->throttled);
    if (!row->has_rates)
        return;
    snprintf(cells->cpu, CELL_MAX, "%.0f%%", row->cpu_percent);
    if (usage_is_missing(usage, "io"))
        return;
    snprintf(cells->io, CELL_MAX, "%s",
             quantity_format_size((uint64_t)row->bytes_per_second, text));
    snprintf(cells->iops, CELL_MAX, "%s", quantity_format_count(row->operations_per_second, text));
}

void top_print_row(const struct top_row *row, size_t columns)
{
    const Hoist__V1__Job *job = row->job;
    _cleanup_free_ char *command = job_command_text(job), *name = utf8_escape(name_of(job));
    struct cells cells = {"-", "-", "-", "-", "-", "-", ""};
    char line[LINE_MAX_BYTES], text[QUANTITY_TEXT_MAX];

    if (job->usage)
        fill_cells_of_usage(row, job->usage, &cells);
    if (job->run_time)
        snprintf(cells.time, CELL_MAX, "%s",
                 quantity_format_duration((usec_t)run_seconds(job), text));
    snprintf(line, sizeof(line), "%-8.8s  %-14.14s %-8.8s %6s %8s %9s %7s %6s %8s %-10s %s",
             job_id(job), name ? name : "", api_job_state_name((int)job->state), cells.cpu,
             cells.memory, cells.io, cells.iops, cells.pids, cells.time, cells.throttled,
             command ? command : "");
    print_cut(line, columns);
}
