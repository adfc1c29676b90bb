/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/interval.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/top.h"

#define JOBS_MAX 500 /* one page of ListJobs */

struct top {
    struct session *session;
    enum top_column column;
    usec_t interval;
    uint64_t looks; /* left to be shown */
    Hoist__V1__ListJobsResponse *before, *now;
};

static int top_fetch(struct top *top)
{
    static Hoist__V1__JobState living[] = {
        HOIST__V1__JOB_STATE__JOB_STATE_STARTING,
        HOIST__V1__JOB_STATE__JOB_STATE_RUNNING,
        HOIST__V1__JOB_STATE__JOB_STATE_STOPPING,
    };
    Hoist__V1__ListJobsRequest request = HOIST__V1__LIST_JOBS_REQUEST__INIT;

    request.page_size = JOBS_MAX;
    request.states = living;
    request.n_states = ARRAY_SIZE(living);
    request.usage = true;
    if (top->session->arguments.owner)
        request.owner = (char *)top->session->arguments.owner;
    api_free(top->before ? &top->before->base : NULL);
    top->before = TAKE_PTR(top->now);
    return session_call_as(top->session, METHOD_JOB("ListJobs"), &request,
                           hoist__v1__list_jobs_response, &top->now);
}

/* Of the terminal; in a file nothing is cut. */
static void size_of_page(size_t *ret_lines, size_t *ret_columns)
{
    struct winsize size = {.ws_row = 0};

    *ret_lines = *ret_columns = SIZE_MAX;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    if (size.ws_row > 0)
        *ret_lines = size.ws_row;
    if (size.ws_col > 0)
        *ret_columns = size.ws_col;
}

static int top_show(const struct top *top)
{
    _cleanup_free_ struct top_row *rows = NULL;
    int count = top_rows(top->before, top->now, top->column, &rows);
    size_t lines, columns, shown;

    if (count < 0) {
        tell("no memory");
        return count;
    }
    size_of_page(&lines, &columns);
    shown = lines > 2 ? MIN((size_t)count, lines - 2) : 0;
    interval_begin_page();
    top_print_heading(columns);
    for (size_t i = 0; i < shown; i++)
        top_print_row(&rows[i], columns);
    if (top->now->next_page_token[0])
        tell("there are more than %d jobs; --owner shows those of one principal", JOBS_MAX);
    return print_flush();
}

/* The first list only gives the second one something to compare with. */
static int top_run(struct top *top)
{
    int r = top_fetch(top);

    while (r >= 0 && top->looks > 0) {
        if (interval_wait(top->session, top->interval) < 0)
            return 0;
        r = top_fetch(top);
        if (r >= 0)
            r = top_show(top);
        if (top->looks != UINT64_MAX)
            top->looks--;
    }
    return r;
}

static int top_read(struct top *top)
{
    const struct arguments *arguments = &top->session->arguments;
    int column = arguments->sort ? top_column_from_name(arguments->sort) : TOP_CPU;
    struct error err;

    if (column < 0) {
        tell("--sort %s: choose cpu, memory, io, iops, pids, time or name", arguments->sort);
        return -EINVAL;
    }
    top->column = (enum top_column)column;
    top->looks = isatty(STDOUT_FILENO) ? UINT64_MAX : 1;
    if (arguments->limit &&
        quantity_parse_unsigned(arguments->limit, UINT32_MAX, &top->looks, &err) < 0) {
        tell("--count: %s", err.text);
        return -EINVAL;
    }
    return interval_read(top->session, &top->interval);
}

int cmd_top(struct session *session)
{
    struct top top = {.session = session};
    int r;

    if (top_read(&top) < 0)
        return EXIT_USAGE;
    r = top_run(&top);
    api_free(top.before ? &top.before->base : NULL);
    api_free(top.now ? &top.now->base : NULL);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
