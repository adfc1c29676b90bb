/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/strv.h"
#include "worker/ended-jobs.h"
#include "worker/registry.h"

/* A record as the store wants it, borrowing from the job: the store's thread copies. */
struct record_draft {
    struct store_record record;
    struct buffer spec;
    struct buffer outcome;
};

static void record_draft_done(struct record_draft *draft)
{
    buffer_done(&draft->spec);
    buffer_done(&draft->outcome);
    free(draft->record.labels);
}

static int compare_labels(const void *a, const void *b)
{
    const struct store_label *left = a, *right = b;

    return strcmp(left->key, right->key);
}

static int draft_labels(const struct job_spec *spec, struct store_record *record)
{
    if (spec->label_count == 0)
        return 0;
    record->labels = calloc(spec->label_count, sizeof(*record->labels));
    if (!record->labels)
        return -ENOMEM;
    for (size_t i = 0; i < spec->label_count; i++)
        record->labels[i] = (struct store_label){
            .key = spec->labels[i].key,
            .value = spec->labels[i].value ? spec->labels[i].value : (char *)"",
        };
    record->label_count = spec->label_count;
    qsort(record->labels, record->label_count, sizeof(*record->labels), compare_labels);
    return 0;
}

static char *none_if_empty(char *text)
{
    return text_is_empty(text) ? NULL : text;
}

static void draft_columns(const struct job *job, struct store_record *record)
{
    const struct specification *specification = &job->specification;
    const struct outcome *outcome = &job->outcome;

    record->id = specification->id;
    record->owner = specification->created_by;
    record->display_name = none_if_empty(specification->spec.display_name);
    record->request_id = none_if_empty(specification->request_id);
    record->state = (int)outcome->state;
    record->cause = (int)outcome->cause;
    record->live = !job->finished;
    record->created = specification->create_time;
    record->started = outcome->start_time;
    record->ended = outcome->end_time;
    record->uid = specification->uid;
    record->pid = outcome->pid;
    record->start_time = outcome->pid_start_time;
    record->boot_id = outcome->boot_id;
}

static int draft(const struct job *job, struct record_draft *ret)
{
    int r = specification_encode(&job->specification, &ret->spec);

    if (r == 0)
        r = outcome_encode(&job->outcome, &ret->outcome);
    if (r == 0)
        r = draft_labels(&job->specification.spec, &ret->record);
    if (r < 0)
        return r;
    draft_columns(job, &ret->record);
    ret->record.spec = ret->spec.data + ret->spec.start;
    ret->record.spec_size = buffer_size(&ret->spec);
    ret->record.outcome = ret->outcome.data + ret->outcome.start;
    ret->record.outcome_size = buffer_size(&ret->outcome);
    return 0;
}

static void put_answered(struct store_reply *reply, void *userdata)
{
    struct job *job = userdata;

    job->pending--;
    job->start.put_answered = true;
    job->start.put_code = reply->code;
    job->start.put_error = reply->error;
    job->recorded = reply->code == 0;
    job_advance(job);
}

static int put(struct job *job, store_done_fn *done)
{
    _cleanup_(record_draft_done) struct record_draft record = {.record = {.owner = NULL}};
    int r = draft(job, &record);

    if (r == 0)
        r = store_thread_put(job->worker->store, &record.record, done, job);
    if (r == 0)
        job->pending++;
    return r;
}

int job_record_put(struct job *job)
{
    return put(job, put_answered);
}

bool record_put_is_final(int code)
{
    return code == 0 || code == -EEXIST || code == -EALREADY;
}

int job_record_write(struct job *job, store_done_fn *done)
{
    return job->recorded ? job_record_update(job, done) : put(job, done);
}

/* --- of a job that was found without one --------------------------------------------------------
 *
 * What runs is not ended for want of a record, and nobody else waits for it: the first refusal is
 * an answer, too. The record is tried again until the job has ended; then its end is what is tried.
 */

#define FOUND_RETRY (1 * USEC_PER_SEC)

static void found_put_answered(struct store_reply *reply, void *userdata);

static void found_put_later(struct job *job)
{
    (void)sd_event_source_set_time_relative(job->record_timer, FOUND_RETRY);
    (void)sd_event_source_set_enabled(job->record_timer, SD_EVENT_ONESHOT);
}

static int found_put(struct job *job)
{
    int r = put(job, found_put_answered);

    job->putting = r == 0;
    return r;
}

/* A start that is undecided may yet leave no record. */
static int found_put_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job *job = userdata;

    (void)source, (void)usec;
    if (job->sought || job->start.pending || found_put(job) < 0)
        found_put_later(job);
    return 0;
}

static void found_put_was_refused(struct job *job, const struct error *why)
{
    struct error err = *why;

    error_prefix(&err, "the job was found without a record, which can't be written yet");
    recovery_tell(job->worker, &job->specification.id, &err);
    job->start.put_answered = true;
    found_put_later(job);
    job_advance(job);
}

static void found_put_again_answered(struct job *job, int code)
{
    job->recorded = record_put_is_final(code);
    if (job->finished)
        job_record_end(job);
    else if (job->recorded)
        job_record_state(job); /* it may be another by now */
    else
        found_put_later(job);
    job_advance(job);
}

static void found_put_answered(struct store_reply *reply, void *userdata)
{
    struct job *job = userdata;
    struct worker *worker = job->worker;
    bool first = !job->start.put_answered;

    job->putting = false;
    if (worker->closing || (first && record_put_is_final(reply->code))) {
        put_answered(reply, job);
    } else {
        job->pending--;
        if (first)
            found_put_was_refused(job, &reply->error);
        else
            found_put_again_answered(job, reply->code);
    }
    if (first && !worker->closing)
        recovery_step(worker);
}

/* The timer is made beforehand, so that a shortage can't stand in the way of what mends one. */
int job_record_put_found(struct job *job, struct error *err)
{
    int r = job_arm(job, &job->record_timer, USEC_INFINITY, found_put_again);

    if (r >= 0)
        r = found_put(job);
    if (r < 0)
        return error_set(err, r, "its record can't be asked for: %s", strerrordesc_np(-r));
    job->worker->recovering++;
    return 0;
}

int job_record_update(struct job *job, store_done_fn *done)
{
    _cleanup_(record_draft_done) struct record_draft record = {.record = {.owner = NULL}};
    int r = draft(job, &record);

    if (r == 0)
        r = store_thread_update(job->worker->store, &record.record, done, job);
    if (r == 0)
        job->pending++;
    return r;
}

void record_removed(struct worker *worker, const struct id *id)
{
    worker->kept -= MIN(worker->kept, (size_t)1);
    ended_jobs_forget(worker, id);
}

int record_decode(const struct store_record *record, struct specification *ret_specification,
                  struct outcome *ret_outcome, struct error *err)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    int r = specification_decode(record->spec, record->spec_size, &specification, err);

    if (r == 0)
        r = outcome_decode(record->outcome, record->outcome_size, ret_outcome, err);
    if (r < 0)
        return r;
    *ret_specification = specification;
    specification = (struct specification){.spec = JOB_SPEC_NULL};
    return 0;
}
