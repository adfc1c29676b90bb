/* SPDX-License-Identifier: Apache-2.0 */
#include "fake-spawner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/strv.h"

#define CALLS_MAX 256

enum call_kind {
    CALL_SPAWN,
    CALL_KILL,
    CALL_REMOVE,
    CALL_LIST,
    CALL_FIND,
    CALL_TASKS,
};

struct call {
    enum call_kind kind;
    void *done;
    void *userdata;
    struct id id;
    struct fake_init *init;
    const char *group;
    struct spawn_process known;
};

struct fake_spawner {
    struct spawner head;
    struct fake_host *host;
    sd_event_source *source;
    struct call calls[CALLS_MAX];
    unsigned first, count;
};

static struct fake_spawner *fake(struct spawner *spawner)
{
    return (struct fake_spawner *)spawner;
}

static struct fake_init *find(struct fake_host *host, const struct id *id)
{
    for (unsigned i = 0; i < host->count; i++)
        if (id_equal(&host->inits[i].id, id))
            return &host->inits[i];
    return NULL;
}

struct fake_init *fake_last(struct fake_host *host)
{
    assert(host->count > 0);
    return &host->inits[host->count - 1];
}

void fake_host_done(struct fake_host *host)
{
    for (unsigned i = 0; i < host->count; i++) {
        struct fake_init *init = &host->inits[i];

        init->life = fd_close(init->life);
        init->pidfd = fd_close(init->pidfd);
        init->state = fd_close(init->state);
        strv_free(init->argv);
        strv_free(init->env);
    }
    *host = (struct fake_host){.count = 0};
}

static void queue(struct fake_spawner *spawner, struct call call)
{
    assert(spawner->first + spawner->count < CALLS_MAX);
    spawner->calls[spawner->first + spawner->count++] = call;
    sd_event_source_set_enabled(spawner->source, SD_EVENT_ON);
}

static void answer_spawn(struct fake_host *host, const struct call *call)
{
    struct spawner_started answer = {.result = SPAWN_RESULT_NULL};

    if (call->init) {
        answer.result.pid = call->init->pid;
        answer.result.start_time = 7;
        answer.result.pidfd = fd_duplicate(call->init->pidfd);
        snprintf(answer.result.cgroup, sizeof(answer.result.cgroup), "fake");
        answer.result.limits.enforced = call->init->spec.limits.given;
    } else {
        answer.failure = host->failure;
        answer.code = error_set(&answer.error, host->failure_code, "the host says no");
        host->failure_code = 0;
    }
    ((spawner_started_fn *)call->done)(&answer, call->userdata);
    fd_close(answer.result.pidfd);
}

static void answer_remove(struct fake_host *host, const struct call *call)
{
    struct fake_init *init = find(host, &call->id);
    struct spawner_removed answer = {.usage = host->usage};

    if (!init || !init->grouped)
        answer.code = error_set(&answer.error, -ENOENT, "no such job");
    else if (host->busy > 0)
        answer.code = error_set(&answer.error, -EBUSY, "not empty yet");
    if (answer.code == -EBUSY)
        host->busy--;
    if (init && answer.code != -EBUSY)
        init->grouped = false;
    if (init)
        init->life = fd_close(init->life); /* what is left is killed */
    ((spawner_removed_fn *)call->done)(&answer, call->userdata);
}

static void answer_list(struct fake_host *host, const struct call *call)
{
    struct spawner_group groups[FAKE_INITS_MAX];
    struct spawner_groups answer = {.groups = groups};

    for (unsigned i = 0; i < host->count; i++) {
        if (!host->inits[i].grouped)
            continue;
        groups[answer.count].id = host->inits[i].id;
        strcpy(groups[answer.count++].group, host->inits[i].group);
    }
    ((spawner_listed_fn *)call->done)(&answer, call->userdata);
}

/* By its pid, or by its group's cgroup. */
static int find_process(struct fake_host *host, const struct call *call, struct fake_init **ret)
{
    struct fake_init *init = NULL;

    if (call->known.pid == 0) {
        init = find(host, &call->id);
        if (!init || !init->grouped || strcmp(init->group, call->group) != 0)
            return -ENOENT;
    }
    for (unsigned i = 0; !init && i < host->count; i++)
        if (host->inits[i].pid == call->known.pid && call->known.start_time == 7)
            init = &host->inits[i];
    *ret = init;
    return init && init->life >= 0 ? 0 : -ESRCH;
}

static void answer_find(struct fake_host *host, const struct call *call)
{
    struct spawner_found answer = {.result = SPAWN_RESULT_NULL};
    struct fake_init *init = find(host, &call->id);

    answer.code =
        host->short_of > 0 || (init && init->hidden) ? -EMFILE : find_process(host, call, &init);
    host->short_of -= host->short_of > 0;
    if (answer.code < 0) {
        error_set(&answer.error, answer.code, "no process");
    } else {
        answer.result.pid = init->pid;
        answer.result.start_time = 7;
        answer.result.pidfd = fd_duplicate(init->pidfd);
        snprintf(answer.result.cgroup, sizeof(answer.result.cgroup), "fake");
    }
    ((spawner_found_fn *)call->done)(&answer, call->userdata);
    fd_close(answer.result.pidfd);
}

static void answer_tasks(struct fake_host *host, const struct call *call)
{
    struct spawner_tasks answer = {.count = host->blocked.pid != 0, .list = {host->blocked}};

    ((spawner_tasks_fn *)call->done)(&answer, call->userdata);
}

static int deliver(sd_event_source *source, void *userdata)
{
    struct fake_spawner *spawner = userdata;
    struct call call;

    if (spawner->count == 0 ||
        (spawner->host->hold_spawn && spawner->calls[spawner->first].kind == CALL_SPAWN)) {
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
    }
    call = spawner->calls[spawner->first++];
    if (--spawner->count == 0)
        spawner->first = 0;
    if (call.kind == CALL_SPAWN)
        answer_spawn(spawner->host, &call);
    else if (call.kind == CALL_REMOVE)
        answer_remove(spawner->host, &call);
    else if (call.kind == CALL_LIST)
        answer_list(spawner->host, &call);
    else if (call.kind == CALL_FIND)
        answer_find(spawner->host, &call);
    else if (call.kind == CALL_TASKS)
        answer_tasks(spawner->host, &call);
    else
        ((spawner_killed_fn *)call.done)(0, call.userdata);
    return 0;
}

static struct fake_init *new_init(struct fake_host *host, const struct spawn_spec *spec,
                                  const struct spawn_files *files)
{
    struct fake_init *init = &host->inits[host->count];
    int ends[2];

    assert(host->count < FAKE_INITS_MAX);
    assert(pipe2(ends, O_CLOEXEC) == 0);
    *init = (struct fake_init){
        .id = spec->id,
        .pid = 1000 + (pid_t)host->count++,
        .life = ends[1],
        .pidfd = ends[0],
        .state = fd_duplicate(files->state),
        .grouped = true,
        .argv = strv_copy(spec->argv),
        .env = strv_copy(spec->env),
        .spec = *spec,
    };
    strcpy(init->group, spec->group);
    return init;
}

static int fake_spawn(struct spawner *spawner, const struct spawn_spec *spec,
                      const struct spawn_files *files, spawner_started_fn *done, void *userdata)
{
    struct fake_host *host = fake(spawner)->host;

    host->spawns++;
    queue(fake(spawner), (struct call){
                             .kind = CALL_SPAWN,
                             .done = (void *)done,
                             .userdata = userdata,
                             .id = spec->id,
                             .init = host->failure_code ? NULL : new_init(host, spec, files),
                         });
    return 0;
}

static int fake_kill(struct spawner *spawner, const struct id *id, const char *group,
                     spawner_killed_fn *done, void *userdata)
{
    struct fake_init *init = find(fake(spawner)->host, id);

    if (init)
        init->kills++;
    queue(fake(spawner),
          (struct call){.kind = CALL_KILL, .done = (void *)done, .userdata = userdata});
    return 0;
}

static int fake_remove(struct spawner *spawner, const struct id *id, const char *group,
                       spawner_removed_fn *done, void *userdata)
{
    queue(fake(spawner), (struct call){
                             .kind = CALL_REMOVE,
                             .done = (void *)done,
                             .userdata = userdata,
                             .id = *id,
                         });
    return 0;
}

static int fake_list(struct spawner *spawner, spawner_listed_fn *done, void *userdata)
{
    queue(fake(spawner),
          (struct call){.kind = CALL_LIST, .done = (void *)done, .userdata = userdata});
    return 0;
}

static int fake_usage(struct spawner *spawner, const char *cgroup, struct cgroup_usage *ret)
{
    *ret = fake(spawner)->host->usage;
    return 0;
}

static int fake_tasks(struct spawner *spawner, const struct id *id, const char *group,
                      spawner_tasks_fn *done, void *userdata)
{
    queue(fake(spawner),
          (struct call){.kind = CALL_TASKS, .done = (void *)done, .userdata = userdata});
    return 0;
}

static int fake_find(struct spawner *spawner, const struct id *id, const char *group,
                     const struct spawn_process *known, spawner_found_fn *done, void *userdata)
{
    queue(fake(spawner), (struct call){
                             .kind = CALL_FIND,
                             .done = (void *)done,
                             .userdata = userdata,
                             .id = *id,
                             .group = group, /* the job's, which waits */
                             .known = *known,
                         });
    return 0;
}

static int fake_control(struct spawner *spawner, const struct pidref *ref,
                        const struct control_request *request)
{
    struct fake_host *host = fake(spawner)->host;

    for (unsigned i = 0; i < host->count; i++) {
        struct fake_init *init = &host->inits[i];

        if (init->pid != ref->pid)
            continue;
        if (init->life < 0)
            return -ESRCH;
        init->controls++;
        init->control = *request;
        return 0;
    }
    return -ESRCH;
}

static void fake_free(struct spawner *spawner)
{
    sd_event_source_disable_unref(fake(spawner)->source);
    free(spawner);
}

static const struct spawner_class fake_class = {
    .name = "fake",
    .spawn = fake_spawn,
    .kill = fake_kill,
    .remove = fake_remove,
    .list = fake_list,
    .usage = fake_usage,
    .tasks = fake_tasks,
    .control = fake_control,
    .find = fake_find,
    .free = fake_free,
};

struct spawner *fake_spawner_new(struct fake_host *host, sd_event *event)
{
    struct fake_spawner *spawner = calloc(1, sizeof(*spawner));

    assert(spawner);
    spawner->head.class = &fake_class;
    spawner->head.room = host->room;
    spawner->host = host;
    assert(sd_event_add_defer(event, &spawner->source, deliver, spawner) >= 0);
    sd_event_source_set_enabled(spawner->source, SD_EVENT_OFF);
    return &spawner->head;
}

/* --- hoist-init ---------------------------------------------------------------------------------
 */

static void say(struct fake_init *init, struct state_progress progress)
{
    struct state_file said;

    assert(state_file_read(init->state, &said, NULL) == 0);
    progress.sequence = said.progress.sequence;
    assert(state_file_write_progress(init->state, &progress) == 0);
}

void fake_says_started(struct fake_init *init)
{
    say(init, (struct state_progress){
                  .phase = STATE_PHASE_STARTED,
                  .command_pid = 2,
                  .started_wall = clock_wall(),
                  .started_boot = clock_boot(),
              });
}

void fake_says_start_failed(struct fake_init *init, enum spawn_failure failure, int code,
                            const char *sentence)
{
    struct state_progress progress = {
        .phase = STATE_PHASE_START_FAILED,
        .failure = failure,
        .error_code = code,
    };

    snprintf(progress.sentence, sizeof(progress.sentence), "%s", sentence);
    say(init, progress);
}

void fake_says_stopping(struct fake_init *init, enum state_stop_reason reason, int64_t kill)
{
    say(init, (struct state_progress){
                  .phase = STATE_PHASE_STOPPING,
                  .command_pid = 2,
                  .started_wall = clock_wall(),
                  .started_boot = clock_boot(),
                  .stop_reason = reason,
                  .stop_signal = 15,
                  .stop_wall = clock_wall(),
                  .kill_boot = (usec_t)((int64_t)clock_boot() + kill),
              });
}

void fake_says_exit(struct fake_init *init, int code, int status, uint32_t flags)
{
    usec_t wall = clock_wall(), boot = clock_boot();
    const struct state_exit end = {
        .flags = flags,
        .code = code,
        .status = status,
        .stop_reason = flags & STATE_EXIT_TIMED_OUT ? STATE_STOP_TIMEOUT
                       : flags & STATE_EXIT_STOPPED ? STATE_STOP_REQUEST
                                                    : STATE_STOP_NONE,
        .stop_signal = flags & STATE_EXIT_STOPPED ? 15 : 0,
        .started_wall = wall - USEC_PER_SEC,
        .ended_wall = wall,
        .started_boot = boot - USEC_PER_SEC,
        .ended_boot = boot,
        .totals = {10, 5},
        .output_end = 15,
    };

    assert(state_file_write_exit(init->state, &end) == 0);
}

void fake_dies(struct fake_init *init)
{
    init->life = fd_close(init->life);
}

void fake_runs(struct fake_init *init, int code, int status, uint32_t flags)
{
    fake_says_started(init);
    fake_says_exit(init, code, status, flags);
    fake_dies(init);
}
