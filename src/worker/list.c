/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/strv.h"
#include "worker/operation.h"

/*
 * A page of jobs, newest first.
 *
 * The page token is the place of the last job of the page before (its creation time and id) and a
 * checksum over the query, so that a token of another query is refused instead of giving a page
 * that fits neither.
 */

#define TOKEN_TIME_DIGITS  16
#define TOKEN_CHECK_DIGITS 8
#define TOKEN_LENGTH       (TOKEN_TIME_DIGITS + ID_TEXT_MAX - 1 + TOKEN_CHECK_DIGITS)

static uint32_t check_text(uint32_t crc, const char *text)
{
    return crc32c(crc, text ? text : "", strlen(text ? text : "") + 1);
}

static uint32_t query_check(const struct worker_operation *op, const struct worker_filter *filter)
{
    uint32_t crc = crc32c(0, &filter->states, sizeof(filter->states));

    crc = check_text(crc, op->all_jobs ? "" : op->principal);
    crc = check_text(crc, filter->owner);
    for (size_t i = 0; i < filter->label_count; i++) {
        crc = check_text(crc, filter->labels[i].key);
        crc = check_text(crc, filter->labels[i].value);
    }
    return crc;
}

static char *token_format(const struct store_record *last, uint32_t check)
{
    char id[ID_TEXT_MAX];

    return text_format("%016" PRIx64 "%s%08" PRIx32, last->created, id_format(&last->id, id),
                       check);
}

static bool parse_hex(const char *text, size_t digits, uint64_t *ret)
{
    char part[TOKEN_TIME_DIGITS + 1] = "";

    memcpy(part, text, digits);
    if (strspn(part, "0123456789abcdef") != digits)
        return false;
    *ret = strtoull(part, NULL, 16);
    return true;
}

static int token_parse(const char *token, uint32_t check, struct store_cursor *ret)
{
    char id[ID_TEXT_MAX] = "";
    uint64_t time, found;

    if (strlen(token) != TOKEN_LENGTH)
        return -EINVAL;
    memcpy(id, token + TOKEN_TIME_DIGITS, ID_TEXT_MAX - 1);
    if (!parse_hex(token, TOKEN_TIME_DIGITS, &time) ||
        !parse_hex(token + TOKEN_TIME_DIGITS + ID_TEXT_MAX - 1, TOKEN_CHECK_DIGITS, &found) ||
        found != check || id_parse(id, &ret->id) < 0)
        return -EINVAL;
    ret->created = time;
    return 0;
}

/* The registry is ahead of the record of a living job. */
static struct job_info *show(const struct worker_operation *op, const struct store_record *record,
                             struct error *err)
{
    struct job *job = registry_find(op->worker, &record->id);
    struct job_info *info = job ? snapshot_job(job) : snapshot_record(record, err);

    if (!info && job)
        error_set(err, -ENOMEM, "no memory to list the jobs");
    if (info && !op->flag)
        info->usage = (struct job_usage){.read_time = 0};
    return info;
}

static int fill_page(struct worker_operation *op, const struct store_list *found,
                     struct worker_list *page, struct error *err)
{
    size_t count = MIN(found->count, (size_t)op->page_size);

    page->jobs = calloc(count + 1, sizeof(struct job_info *));
    if (!page->jobs)
        return error_set(err, -ENOMEM, "no memory to list the jobs");
    for (size_t i = 0; i < count; i++) {
        page->jobs[i] = show(op, found->records[i], err);
        if (!page->jobs[i])
            return err->code;
        page->count++;
    }
    page->next_page_token =
        found->count > count ? token_format(found->records[count - 1], op->page_check) : strdup("");
    return page->next_page_token ? 0 : error_set(err, -ENOMEM, "no memory to list the jobs");
}

static void listed(struct store_reply *reply, void *userdata)
{
    struct worker_operation *op = userdata;
    struct failure failure = {.reason = HOIST_REASON_STORE_FAILED, .error = reply->error};
    int r = reply->code;

    if (!operation_resumed(op))
        return;
    if (r == 0) {
        op->reply.list = calloc(1, sizeof(*op->reply.list));
        r = op->reply.list ? fill_page(op, &reply->list, op->reply.list, &failure.error)
                           : error_set(&failure.error, -ENOMEM, "no memory to list the jobs");
    }
    if (r < 0)
        operation_fail(op, &failure);
    else
        operation_answer(op);
}

/* To somebody who sees only their own, others have none. */
static void answer_empty(struct worker_operation *op)
{
    struct worker_list *page = calloc(1, sizeof(*page));

    if (page)
        page->next_page_token = strdup("");
    op->reply.list = page;
    operation_answer(op);
}

static int ask_store(struct worker_operation *op, const struct worker_filter *filter,
                     const struct store_cursor *after)
{
    _cleanup_free_ struct store_label *labels = calloc(filter->label_count + 1, sizeof(*labels));
    const char *owner = op->all_jobs ? filter->owner : op->principal;
    const struct store_filter store = {
        .owner = text_is_empty(owner) ? NULL : owner,
        .states = filter->states,
        .labels = labels,
        .label_count = filter->label_count,
        .after = after,
        .limit = (size_t)op->page_size + 1, /* one more tells whether there is a next page */
    };

    if (!labels)
        return -ENOMEM;
    for (size_t i = 0; i < filter->label_count; i++)
        labels[i] = (struct store_label){filter->labels[i].key, filter->labels[i].value};
    return store_thread_list(op->worker->store, &store, listed, op);
}

static void list(struct worker_operation *op, const struct worker_filter *filter)
{
    struct store_cursor after;
    bool first = text_is_empty(filter->page_token);
    int r;

    if (!first && token_parse(filter->page_token, op->page_check, &after) < 0)
        return operation_fail_with(op, -EINVAL, HOIST_REASON_INVALID_PAGE_TOKEN,
                                   "the page token was not made for this query");
    if (!op->all_jobs && !text_is_empty(filter->owner) && !text_equal(filter->owner, op->principal))
        return answer_empty(op);
    r = ask_store(op, filter, first ? NULL : &after);
    if (r < 0)
        return operation_fail_with(op, r, HOIST_REASON_STORE_FAILED,
                                   "too many requests wait for the records; try again");
    op->pending++;
}

int worker_list_jobs(struct worker *worker, const struct worker_caller *caller,
                     const struct worker_filter *filter, worker_done_fn *done, void *userdata,
                     struct worker_operation **ret)
{
    struct worker_operation *op = operation_new(worker, caller, NULL, done, userdata);
    uint32_t size = filter->page_size == 0 ? WORKER_PAGE_DEFAULT : filter->page_size;

    if (!op)
        return -ENOMEM;
    if (ret)
        *ret = op;
    op->page_size = MIN(size, (uint32_t)WORKER_PAGE_MAX);
    op->page_check = query_check(op, filter);
    op->flag = filter->usage;
    if (operation_is_allowed(op))
        list(op, filter);
    return 0;
}
