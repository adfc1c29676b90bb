/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/hoist-handle.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "output/watch.h"
#include "spawn/spawn.h"
#include "worker/spawner-local.h"

/* Behind those of the agent, which may run beside us (job_uids of launcher.conf). */
#define UID_LOW_DEFAULT  1900065536
#define UID_HIGH_DEFAULT 1900131071

const struct worker_caller hoist_caller = {.principal = "local", .all_jobs = true};

/* --- errors and inputs --------------------------------------------------------------------------
 */

int hoist_error_set(struct hoist_error *error, int code, enum hoist_reason reason, const char *text)
{
    if (error) {
        error->code = code;
        error->reason = reason;
        snprintf(error->text, sizeof(error->text), "%s", text);
    }
    return code;
}

/* The sentence, and behind it everything that helps: all issues of a specification, candidates. */
int hoist_error_from(struct hoist_error *error, const struct failure *failure)
{
    size_t length;

    if (!error)
        return failure->error.code;
    hoist_error_set(error, failure->error.code, failure->reason, failure->error.text);
    length = strlen(error->text);
    for (size_t i = 0; failure->detail_count > 1 && i < failure->detail_count; i++) {
        int n = snprintf(error->text + length, sizeof(error->text) - length, "; %s: %s",
                         failure->details[i].key, failure->details[i].value);

        if (n < 0 || (size_t)n >= sizeof(error->text) - length)
            break;
        length += (size_t)n;
    }
    return failure->error.code;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

int hoist_input_take(void *input, size_t known, const void *from, size_t given,
                     struct hoist_error *error)
{
    if (!from || given < sizeof(size_t))
        return hoist_error_set(error, -EINVAL, HOIST_REASON_INVALID_FIELD,
                               "the input's size is not set; begin with its _INIT macro");
    if (given > known && !is_zero((const uint8_t *)from + known, given - known))
        return hoist_error_set(error, -EINVAL, HOIST_REASON_INVALID_FIELD,
                               "the input asks for something that this libhoist is too old for");
    memset(input, 0, known);
    memcpy(input, from, given < known ? given : known);
    return 0;
}

/* --- the loop -----------------------------------------------------------------------------------
 */

static int loop_failed(struct hoist_error *error, int code)
{
    char text[ERROR_TEXT_MAX];

    snprintf(text, sizeof(text), "the event loop failed: %s", strerrordesc_np(-code));
    return hoist_error_set(error, code, HOIST_REASON_UNSPECIFIED, text);
}

int hoist_fd(const struct hoist *hoist)
{
    return sd_event_get_fd(hoist->event);
}

/* Until nothing is due: only then has sd-event armed its descriptor for what comes next. */
int hoist_dispatch(struct hoist *hoist, struct hoist_error *error)
{
    int r;

    while ((r = sd_event_run(hoist->event, 0)) > 0)
        continue;
    return r < 0 ? loop_failed(error, r) : 0;
}

int hoist_turn(struct hoist *hoist, const struct output_watch *watch, int cancel_fd,
               struct hoist_error *error)
{
    struct pollfd fds[2 + OUTPUT_WATCH_FDS] = {
        {.fd = hoist_fd(hoist), .events = POLLIN},
        {.fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN},
    };
    nfds_t count = 2;
    int watched[OUTPUT_WATCH_FDS];

    if (watch) {
        output_watch_fds(watch, watched);
        for (size_t i = 0; i < OUTPUT_WATCH_FDS; i++)
            fds[count++] = (struct pollfd){.fd = watched[i], .events = POLLIN};
    }
    if (poll(fds, count, -1) < 0 && errno != EINTR)
        return loop_failed(error, -errno);
    if (fds[1].revents)
        return hoist_error_set(error, -ECANCELED, HOIST_REASON_UNSPECIFIED,
                               "the call was cancelled");
    return hoist_dispatch(hoist, error);
}

void hoist_call_done(struct worker_reply *reply, void *userdata)
{
    struct hoist_call *call = userdata;

    call->come = true;
    call->reply = *reply;
    *reply = (struct worker_reply){.failure = NULL};
}

void hoist_call_clear(struct hoist_call *call)
{
    failure_free(call->reply.failure);
    job_info_free(call->reply.job);
    worker_list_free(call->reply.list);
    worker_output_free(call->reply.output);
    *call = (struct hoist_call){.come = false};
}

int hoist_call_wait(struct hoist *hoist, struct hoist_call *call, int started, int cancel_fd,
                    struct hoist_error *error)
{
    int r = started;

    if (r < 0)
        return hoist_error_set(error, r, HOIST_REASON_UNSPECIFIED, "no memory for the call");
    r = hoist_dispatch(hoist, error);
    while (r == 0 && !call->come)
        r = hoist_turn(hoist, NULL, cancel_fd, error);
    if (r < 0) {
        if (!call->come && call->operation)
            worker_cancel(call->operation);
        return r;
    }
    return call->reply.failure ? hoist_error_from(error, call->reply.failure) : 0;
}

/* --- open and close -----------------------------------------------------------------------------
 */

static void job_ended(const struct job_info *info, void *userdata)
{
    struct hoist *hoist = userdata;
    struct hoist_job *job = hoist->ended ? hoist_job_borrow(info) : NULL;

    if (!job)
        return;
    hoist->ended(job, hoist->userdata);
    hoist_job_free(job);
}

static void jobs_found(struct worker_reply *reply, void *userdata)
{
    struct hoist *hoist = userdata;

    (void)reply;
    hoist->ready = true;
}

static bool is_root(void)
{
    return geteuid() == 0;
}

#define CGROUP_ROOT_MAX 64

/*
 * The state directory's own cgroup root. One for all would let a program take the jobs of another
 * for strays without a record, and end them. A directory that can't be made or looked at has any
 * name here: opening it fails a moment later and says why.
 */
static const char *name_cgroup_root(const char *state_dir, char name[static CGROUP_ROOT_MAX])
{
    struct stat st = {.st_ino = 0};

    (void)mkdir(state_dir, 0700);
    (void)stat(state_dir, &st);
    snprintf(name, CGROUP_ROOT_MAX, "hoist-%llx-%llx", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return name;
}

/*
 * As root hoist-init gets the lowest uid of the range for itself: it must not have root's, whose
 * writes eat the file system's reserve, nor a job's.
 */
static int make_spawner(struct hoist *hoist, const struct hoist_options *options, uid_t low,
                        uid_t high, struct spawner **ret, struct error *err)
{
    const char *const hidden[] = {options->state_dir, NULL};
    char own_root[CGROUP_ROOT_MAX];
    const struct spawn_options spawn = {
        .cgroup_root = options->cgroup_root ? options->cgroup_root
                                            : name_cgroup_root(options->state_dir, own_root),
        .init_path = options->init_path ? options->init_path : HOIST_INIT_PATH,
        .agent_uid = is_root() ? low : geteuid(),
        .agent_gid = is_root() ? low : getegid(),
        .job_uid_min = low + 1,
        .job_uid_max = high,
        .hidden = hidden,
    };
    _cleanup_spawn_context_ struct spawn_context *context = NULL;
    int r = spawn_context_new(&spawn, &context, err);

    if (r == 0)
        r = spawner_local_new(hoist->event, context, ret, err);
    if (r == 0)
        context = NULL;
    return r;
}

static int open_worker(struct hoist *hoist, const struct hoist_options *options, struct error *err)
{
    uid_t low = options->uid_high ? options->uid_low : UID_LOW_DEFAULT;
    uid_t high = options->uid_high ? options->uid_high : UID_HIGH_DEFAULT;
    _cleanup_(spawner_freep) struct spawner *spawner = NULL;
    struct worker_options worker = {
        .state_dir = options->state_dir,
        .event = hoist->event,
        .uid_low = is_root() ? low + 1 : 0,
        .uid_high = is_root() ? high : 0,
        .uid_fixed = geteuid(),
        .rules.output.cap = options->output_cap == HOIST_FOREVER ? 0
                            : options->output_cap                ? options->output_cap
                                                                 : OUTPUT_CAP_DEFAULT,
        .rules.output.stop_at_cap = options->output_stop_at_cap,
        .rules.retain = options->retain_usec,
        .ready = jobs_found,
        .ended = job_ended,
        .userdata = hoist,
    };
    int r = make_spawner(hoist, options, low, high, &spawner, err);

    if (r < 0)
        return r;
    worker.spawner = spawner;
    r = worker_open(&worker, &hoist->worker, err);
    if (r == 0)
        spawner = NULL;
    return r;
}

static int open_all(struct hoist *hoist, const struct hoist_options *options,
                    struct hoist_error *error)
{
    struct error err = {.code = 0};
    int r = sd_event_new(&hoist->event);

    if (r < 0)
        return loop_failed(error, r);
    if (!options->state_dir)
        return hoist_error_set(error, -EINVAL, HOIST_REASON_INVALID_FIELD,
                               "state_dir is not given");
    r = open_worker(hoist, options, &err);
    if (r < 0)
        return hoist_error_set(error, r, HOIST_REASON_UNSPECIFIED, err.text);
    r = hoist_dispatch(hoist, error);
    while (r == 0 && !hoist->ready)
        r = hoist_turn(hoist, NULL, FD_NONE, error);
    return r;
}

int hoist_open(const struct hoist_options *options, struct hoist **ret, struct hoist_error *error)
{
    struct hoist_options input;
    struct hoist *hoist;
    int r = HOIST_INPUT_TAKE(&input, options, error);

    if (r < 0)
        return r;
    hoist = calloc(1, sizeof(*hoist));
    if (!hoist)
        return hoist_error_set(error, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory");
    hoist->ended = input.ended;
    hoist->userdata = input.userdata;
    r = open_all(hoist, &input, error);
    if (r < 0) {
        hoist_close(hoist);
        return r;
    }
    *ret = hoist;
    return 0;
}

struct hoist *hoist_close(struct hoist *hoist)
{
    if (!hoist)
        return NULL;
    worker_close(hoist->worker);
    sd_event_unref(hoist->event);
    free(hoist);
    return NULL;
}

const char *hoist_version(void)
{
    return HOIST_VERSION;
}
