/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "worker/hoist-handle.h"

/* The calls of <hoist/hoist.h> but output: each asks the worker and turns the loop for the answer.
 */

static int no_memory(struct hoist_error *error)
{
    return hoist_error_set(error, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory for the call");
}

/* Waits, then hands out the job; `ret` may be NULL. */
static int finish_job_call(struct hoist *hoist, struct hoist_call *call, int started, int cancel_fd,
                           struct hoist_job **ret, struct hoist_error *error)
{
    struct hoist_job *job;
    int r = hoist_call_wait(hoist, call, started, cancel_fd, error);

    if (r < 0 || !ret)
        return r;
    job = hoist_job_new(call->reply.job);
    if (!job)
        return no_memory(error);
    call->reply.job = NULL;
    *ret = job;
    return 0;
}

/* --- start --------------------------------------------------------------------------------------
 */

static int take_limits(const struct hoist_limits *from, struct limits *to,
                       struct hoist_error *error)
{
    struct hoist_limits limits;
    int r = HOIST_INPUT_TAKE(&limits, from, error);
    const struct hoist_amount *const amounts[_LIMIT_MAX] = {
        [LIMIT_CPU_MILLIS] = &limits.cpu_millis,
        [LIMIT_CPU_WEIGHT] = &limits.cpu_weight,
        [LIMIT_MEMORY_MAX] = &limits.memory_max,
        [LIMIT_MEMORY_HIGH] = &limits.memory_high,
        [LIMIT_SWAP_MAX] = &limits.swap_max,
        [LIMIT_PIDS_MAX] = &limits.pids_max,
        [LIMIT_IO_READ_BPS] = &limits.io_read_bps,
        [LIMIT_IO_WRITE_BPS] = &limits.io_write_bps,
        [LIMIT_IO_READ_IOPS] = &limits.io_read_iops,
        [LIMIT_IO_WRITE_IOPS] = &limits.io_write_iops,
        [LIMIT_OPEN_FILES] = &limits.open_files,
        [LIMIT_CORE_SIZE] = &limits.core_size,
        [LIMIT_CPU_PERIOD] = &limits.cpu_period_usec,
        [LIMIT_CPU_TIME] = &limits.cpu_time_usec,
        [LIMIT_OOM_GROUP] = &limits.oom_group,
        [LIMIT_IO_WEIGHT] = &limits.io_weight,
        [LIMIT_MEMORY_LOW] = &limits.memory_low,
        [LIMIT_MEMORY_RESERVED] = &limits.memory_reserved,
        [LIMIT_CPU_RESERVED] = &limits.cpu_reserved_millis,
    };

    if (r < 0)
        return r;
    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++)
        if (amounts[limit]->given)
            limit_set(to, limit, amounts[limit]->value);
    return 0;
}

static int take_text(const char *from, char **to)
{
    *to = strdup(from ? from : "");
    return *to ? 0 : -ENOMEM;
}

static int take_list(const char *const *from, char ***to)
{
    for (; from && *from; from++)
        if (strv_append(to, *from) < 0)
            return -ENOMEM;
    return 0;
}

static int take_labels(const struct hoist_start_input *input, struct job_spec *spec)
{
    if (input->label_count == 0)
        return 0;
    spec->labels = calloc(input->label_count, sizeof(*spec->labels));
    if (!spec->labels)
        return -ENOMEM;
    spec->label_count = input->label_count;
    for (size_t i = 0; i < input->label_count; i++)
        if (take_text(input->labels[i].key, &spec->labels[i].key) < 0 ||
            take_text(input->labels[i].value, &spec->labels[i].value) < 0)
            return -ENOMEM;
    return 0;
}

static int take_texts(const struct hoist_start_input *input, struct job_spec *spec)
{
    bool has_command = input->argv && input->argv[0];

    if (take_text(has_command ? input->argv[0] : "", &spec->command) < 0 ||
        take_list(has_command ? input->argv + 1 : NULL, &spec->args) < 0 ||
        take_list(input->env, &spec->env) < 0 || take_text(input->cwd, &spec->cwd) < 0 ||
        take_text(input->display_name, &spec->display_name) < 0)
        return -ENOMEM;
    return take_labels(input, spec);
}

static int take_start(const struct hoist_start_input *input, struct job_spec *spec,
                      struct hoist_error *error)
{
    if (take_texts(input, spec) < 0)
        return no_memory(error);
    spec->warn_unenforced = input->allow_unenforced;
    spec->network = input->host_network ? SPAWN_NETWORK_HOST : SPAWN_NETWORK_NONE;
    spec->merged = input->merged;
    spec->timeout = input->timeout_usec;
    spec->grace = input->grace_usec ? input->grace_usec : USEC_INFINITY;
    spec->stop_signal = input->stop_signal;
    spec->output_choice.cap = input->output_cap; /* HOIST_FOREVER is OUTPUT_CAP_NONE */
    spec->output_choice.policy = (enum output_policy)input->output_policy;
    return input->limits ? take_limits(input->limits, &spec->limits, error) : 0;
}

int hoist_start(struct hoist *hoist, const struct hoist_start_input *input, struct hoist_job **ret,
                struct hoist_error *error)
{
    _cleanup_hoist_call_ struct hoist_call call = {.come = false};
    _cleanup_job_spec_ struct job_spec spec = JOB_SPEC_NULL;
    struct hoist_start_input start;
    int r = HOIST_INPUT_TAKE(&start, input, error);

    if (r == 0)
        r = take_start(&start, &spec, error);
    if (r < 0)
        return r;
    r = worker_start(hoist->worker, &hoist_caller, &spec, start.request_id, hoist_call_done, &call,
                     &call.operation);
    return finish_job_call(hoist, &call, r, start.cancel_fd, ret, error);
}

/* --- stop, status, wait, delete -----------------------------------------------------------------
 */

int hoist_stop(struct hoist *hoist, const struct hoist_stop_input *input, struct hoist_job **ret,
               struct hoist_error *error)
{
    _cleanup_hoist_call_ struct hoist_call call = {.come = false};
    struct hoist_stop_input stop;
    usec_t grace;
    int r = HOIST_INPUT_TAKE(&stop, input, error);

    if (r < 0)
        return r;
    grace = stop.at_once ? 0 : stop.grace_usec ? stop.grace_usec : USEC_INFINITY;
    r = worker_stop(hoist->worker, &hoist_caller, stop.name, stop.signal, grace, hoist_call_done,
                    &call, &call.operation);
    return finish_job_call(hoist, &call, r, stop.cancel_fd, ret, error);
}

int hoist_status(struct hoist *hoist, const struct hoist_status_input *input,
                 struct hoist_job **ret, struct hoist_error *error)
{
    _cleanup_hoist_call_ struct hoist_call call = {.come = false};
    struct hoist_status_input status;
    int r = HOIST_INPUT_TAKE(&status, input, error);

    if (r < 0)
        return r;
    r = worker_get(hoist->worker, &hoist_caller, status.name, false, hoist_call_done, &call,
                   &call.operation);
    return finish_job_call(hoist, &call, r, status.cancel_fd, ret, error);
}

int hoist_wait(struct hoist *hoist, const struct hoist_wait_input *input, struct hoist_job **ret,
               struct hoist_error *error)
{
    _cleanup_hoist_call_ struct hoist_call call = {.come = false};
    struct hoist_wait_input wait;
    int r = HOIST_INPUT_TAKE(&wait, input, error);

    if (r < 0)
        return r;
    r = worker_wait(hoist->worker, &hoist_caller, wait.name,
                    wait.timeout_usec ? wait.timeout_usec : USEC_INFINITY, hoist_call_done, &call,
                    &call.operation);
    return finish_job_call(hoist, &call, r, wait.cancel_fd, ret, error);
}

int hoist_delete(struct hoist *hoist, const struct hoist_delete_input *input,
                 struct hoist_error *error)
{
    _cleanup_hoist_call_ struct hoist_call call = {.come = false};
    struct hoist_delete_input delete;
    int r = HOIST_INPUT_TAKE(&delete, input, error);

    if (r < 0)
        return r;
    r = worker_delete(hoist->worker, &hoist_caller, delete.name, delete.force, hoist_call_done,
                      &call, &call.operation);
    return hoist_call_wait(hoist, &call, r, delete.cancel_fd, error);
}

/* --- list ---------------------------------------------------------------------------------------
 */

/* The public struct and the token that it points to. */
struct public_list {
    struct hoist_list head;
    char *token;
};

struct hoist_list *hoist_list_free(struct hoist_list *head)
{
    struct public_list *list = (struct public_list *)head;

    if (!list)
        return NULL;
    for (size_t i = 0; i < list->head.count; i++)
        hoist_job_free(list->head.jobs[i]);
    free(list->head.jobs);
    free(list->token);
    free(list);
    return NULL;
}

static void list_freep(struct hoist_list **list)
{
    hoist_list_free(*list);
}

/* Takes the jobs out of `from`, one by one. */
static int show_list(struct worker_list *from, struct hoist_list **ret)
{
    struct public_list *list = calloc(1, sizeof(*list));
    _cleanup_(list_freep) struct hoist_list *head = list ? &list->head : NULL;

    if (!list)
        return -ENOMEM;
    list->head.size = sizeof(list->head);
    list->head.jobs = calloc(from->count + 1, sizeof(struct hoist_job *));
    if (!list->head.jobs)
        return -ENOMEM;
    for (size_t i = 0; i < from->count; i++) {
        list->head.jobs[i] = hoist_job_new(from->jobs[i]);
        if (!list->head.jobs[i])
            return -ENOMEM;
        from->jobs[i] = NULL;
        list->head.count++;
    }
    list->token = TAKE_PTR(from->next_page_token);
    list->head.next_page_token = list->token;
    *ret = TAKE_PTR(head);
    return 0;
}

int hoist_list(struct hoist *hoist, const struct hoist_list_input *input, struct hoist_list **ret,
               struct hoist_error *error)
{
    _cleanup_hoist_call_ struct hoist_call call = {.come = false};
    struct hoist_list_input list;
    struct worker_filter filter;
    int r = HOIST_INPUT_TAKE(&list, input, error);

    if (r < 0)
        return r;
    filter = (struct worker_filter){
        .states = list.states,
        .page_size = list.page_size,
        .page_token = list.page_token,
    };
    r = worker_list_jobs(hoist->worker, &hoist_caller, &filter, hoist_call_done, &call,
                         &call.operation);
    r = hoist_call_wait(hoist, &call, r, list.cancel_fd, error);
    if (r == 0 && show_list(call.reply.list, ret) < 0)
        return no_memory(error);
    return r;
}
