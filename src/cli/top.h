/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/message.h"

/*
 * The table of hoist top: what jobs use, made of two lists of them. ListJobs reads each usage once,
 * so rates are the differences between a job's usage in this list and in the one before.
 */

enum top_column {
    TOP_CPU,
    TOP_MEMORY,
    TOP_IO,
    TOP_IOPS,
    TOP_PIDS,
    TOP_TIME,
    TOP_NAME,
    _TOP_COLUMN_MAX,
};

/* -EINVAL for another word. */
int top_column_from_name(const char *name);

struct top_row {
    const Hoist__V1__Job *job; /* borrowed from the list */
    bool has_rates;            /* it was in the list before */
    double cpu_percent;
    double bytes_per_second;
    double operations_per_second;
    double key; /* that it is sorted by */
};

/*
 * One row for each job of `now`, sorted: the largest first, names in their order. `before` may be
 * NULL. The caller frees *ret. Returns the number of rows or -ENOMEM.
 */
int top_rows(const Hoist__V1__ListJobsResponse *before, const Hoist__V1__ListJobsResponse *now,
             enum top_column column, struct top_row **ret);

/* The heading and a row as lines of at most `columns` characters, with their newline. */
void top_print_heading(size_t columns);
void top_print_row(const struct top_row *row, size_t columns);
