/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/launcher-codec.h"
#include "wire/launcher-messages.h"

/*
 * Answers, from the launcher to hoistd: one putter and one getter for each, joined by a table.
 */

/* All that a packed answer points to; what isn't here is borrowed from the answer itself. */
struct answer_parts {
    Hoist__Internal__Answer message;
    union {
        Hoist__Internal__Failure failure;
        Hoist__Internal__Done done;
        Hoist__Internal__ListenAnswer listen;
        struct {
            Hoist__Internal__HelloAnswer message;
            struct codec_limits ceilings;
            ProtobufCBinaryData lacks[LAUNCHER_LACKS_MAX];
            Hoist__Internal__Profile profiles[LAUNCHER_PROFILES_MAX];
            Hoist__Internal__Profile *pointers[LAUNCHER_PROFILES_MAX];
        } hello;
        struct {
            Hoist__Internal__SpawnAnswer message;
            Hoist__Internal__LimitDetail *pointers[_LIMIT_MAX];
            Hoist__Internal__LimitDetail details[_LIMIT_MAX];
        } spawn;
        Hoist__Internal__FindAnswer find;
        struct {
            Hoist__Internal__ListTasksAnswer message;
            Hoist__Internal__Task *pointers[SPAWN_TASKS_MAX];
            Hoist__Internal__Task list[SPAWN_TASKS_MAX];
        } tasks;
        struct {
            Hoist__Internal__RemoveAnswer message;
            Hoist__Internal__Usage usage;
        } remove;
        struct {
            Hoist__Internal__ListGroupsAnswer message;
            Hoist__Internal__Group *pointers[LAUNCHER_PAGE_MAX];
            Hoist__Internal__Group groups[LAUNCHER_PAGE_MAX];
            Hoist__Internal__JobRef jobs[LAUNCHER_PAGE_MAX];
        } page;
    };
};

/* --- Failure, Done, Stopping, Listen --------------------------------------------------------- */

static void put_failure(const struct launcher_answer *answer, struct answer_parts *parts)
{
    parts->failure = (Hoist__Internal__Failure)HOIST__INTERNAL__FAILURE__INIT;
    parts->failure.code = answer->failure.error.code;
    parts->failure.sentence = codec_put_text(answer->failure.error.text);
    parts->failure.failure = answer->failure.spawn;
    parts->failure.refused = answer->failure.refused;
    parts->message.failure = &parts->failure;
}

static int get_failure(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                       struct error *err)
{
    const Hoist__Internal__Failure *failure = message->failure;

    if (failure->code >= 0 || failure->code < -4095)
        return error_set(err, -EPROTO, "a failure with the code %d", failure->code);
    if (failure->failure >= _SPAWN_FAILURE_MAX)
        return error_set(err, -EPROTO, "failure number %u doesn't exist", failure->failure);
    if (failure->refused >= LIMIT_BIT(_LIMIT_MAX) || failure->refused & (failure->refused - 1))
        return error_set(err, -EPROTO, "no limit has the bit %x", failure->refused);
    ret->failure.error.code = failure->code;
    ret->failure.spawn = failure->failure;
    ret->failure.refused = failure->refused;
    return codec_get_text(&failure->sentence, ret->failure.error.text,
                          sizeof(ret->failure.error.text), "the sentence", err);
}

/* Of Done and of Stopping: the members of the union share their type. */
static void put_done(const struct launcher_answer *answer, struct answer_parts *parts)
{
    (void)answer;
    parts->done = (Hoist__Internal__Done)HOIST__INTERNAL__DONE__INIT;
    parts->message.done = &parts->done;
}

static int get_done(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                    struct error *err)
{
    (void)message;
    (void)ret;
    (void)err;
    return 0;
}

static void put_listen(const struct launcher_answer *answer, struct answer_parts *parts)
{
    parts->listen = (Hoist__Internal__ListenAnswer)HOIST__INTERNAL__LISTEN_ANSWER__INIT;
    parts->listen.port = answer->listen_port;
    parts->message.listen = &parts->listen;
}

static int get_listen(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                      struct error *err)
{
    if (message->listen->port == 0 || message->listen->port > UINT16_MAX)
        return error_set(err, -EPROTO, "%u is no port", message->listen->port);
    ret->listen_port = (uint16_t)message->listen->port;
    return 0;
}

/* --- Hello ----------------------------------------------------------------------------------- */

/* Of Hello and of Reloaded: the members of the union share their type. */
static void put_hello(const struct launcher_answer *answer, struct answer_parts *parts)
{
    const struct launcher_hello *hello = &answer->hello;
    Hoist__Internal__HelloAnswer *message = &parts->hello.message;

    *message = (Hoist__Internal__HelloAnswer)HOIST__INTERNAL__HELLO_ANSWER__INIT;
    message->protocol = hello->protocol;
    message->version = codec_put_text(hello->version);
    message->boot_id = codec_put_id(&hello->boot_id);
    message->cgroup_root = codec_put_text(hello->cgroup_root);
    message->cgroups = hello->cgroups;
    message->job_uid_min = hello->job_uid_min;
    message->job_uid_max = hello->job_uid_max;
    message->agent_uid = hello->agent_uid;
    message->rootless = hello->rootless;
    message->network_host = hello->network_host;
    codec_put_limits(&hello->ceilings, &parts->hello.ceilings);
    message->ceilings = &parts->hello.ceilings.message;
    message->enforceable = hello->enforceable;
    message->unlimited_place = codec_put_text(hello->unlimited_place);
    message->room_memory = hello->room.memory;
    message->room_cpu_millis = hello->room.cpu_millis;
    message->degradations = parts->hello.lacks;
    message->n_degradations = MIN(hello->lack_count, (size_t)LAUNCHER_LACKS_MAX);
    for (size_t i = 0; i < message->n_degradations; i++)
        parts->hello.lacks[i] = codec_put_text(hello->lacks[i]);
    message->profiles = parts->hello.pointers;
    message->n_profiles = MIN(hello->profile_count, (size_t)LAUNCHER_PROFILES_MAX);
    for (size_t i = 0; i < message->n_profiles; i++) {
        parts->hello.profiles[i] = (Hoist__Internal__Profile)HOIST__INTERNAL__PROFILE__INIT;
        parts->hello.profiles[i].name = codec_put_text(hello->profiles[i].name);
        parts->hello.profiles[i].uid = hello->profiles[i].uid;
        parts->hello.pointers[i] = &parts->hello.profiles[i];
    }
    parts->message.hello = message;
}

static int get_hello_texts(const Hoist__Internal__HelloAnswer *message, struct launcher_hello *ret,
                           struct error *err)
{
    int r =
        codec_get_text(&message->version, ret->version, sizeof(ret->version), "the version", err);

    if (r < 0)
        return r;
    r = codec_get_text(&message->cgroup_root, ret->cgroup_root, sizeof(ret->cgroup_root),
                       "the cgroup root", err);
    if (r < 0)
        return r;
    r = codec_get_text(&message->unlimited_place, ret->unlimited_place,
                       sizeof(ret->unlimited_place), "the place without limits", err);
    if (r < 0)
        return r;
    if (message->n_degradations > LAUNCHER_LACKS_MAX)
        return error_set(err, -EPROTO, "%zu degradations, at most %d are told",
                         message->n_degradations, LAUNCHER_LACKS_MAX);
    ret->lack_count = message->n_degradations;
    for (size_t i = 0; i < ret->lack_count; i++) {
        r = codec_get_text(&message->degradations[i], ret->lacks[i], sizeof(ret->lacks[i]),
                           "a degradation", err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int get_hello_profiles(const Hoist__Internal__HelloAnswer *message,
                              struct launcher_hello *ret, struct error *err)
{
    if (message->n_profiles > LAUNCHER_PROFILES_MAX)
        return error_set(err, -EPROTO, "%zu profiles, at most %d are told", message->n_profiles,
                         LAUNCHER_PROFILES_MAX);
    ret->profile_count = message->n_profiles;
    for (size_t i = 0; i < ret->profile_count; i++) {
        int r = codec_get_text(&message->profiles[i]->name, ret->profiles[i].name,
                               sizeof(ret->profiles[i].name), "the name of a profile", err);

        if (r < 0)
            return r;
        ret->profiles[i].uid = message->profiles[i]->uid;
    }
    return 0;
}

static int get_hello(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                     struct error *err)
{
    const Hoist__Internal__HelloAnswer *hello = message->hello;
    int r;

    ret->hello.protocol = hello->protocol;
    ret->hello.cgroups = hello->cgroups;
    ret->hello.job_uid_min = hello->job_uid_min;
    ret->hello.job_uid_max = hello->job_uid_max;
    ret->hello.agent_uid = hello->agent_uid;
    ret->hello.rootless = hello->rootless;
    ret->hello.network_host = hello->network_host;
    ret->hello.enforceable = hello->enforceable;
    ret->hello.room = (struct spawn_room){hello->room_memory, hello->room_cpu_millis};
    r = codec_get_id(&hello->boot_id, &ret->hello.boot_id, err);
    if (r < 0)
        return r;
    r = codec_get_limits(hello->ceilings, &ret->hello.ceilings, err);
    if (r < 0)
        return r;
    r = get_hello_profiles(hello, &ret->hello, err);
    return r < 0 ? r : get_hello_texts(hello, &ret->hello, err);
}

/* --- Spawn ----------------------------------------------------------------------------------- */

/* A limit that was not asked for has no detail and is not enforced: nothing to say. */
static void put_spawn(const struct launcher_answer *answer, struct answer_parts *parts)
{
    const struct spawn_result *result = &answer->spawn.result;
    Hoist__Internal__SpawnAnswer *message = &parts->spawn.message;

    *message = (Hoist__Internal__SpawnAnswer)HOIST__INTERNAL__SPAWN_ANSWER__INIT;
    message->pid = (uint32_t)result->pid;
    message->start_time = result->start_time;
    message->cgroup = codec_put_text(result->cgroup);
    message->cgroups = answer->spawn.cgroups;
    message->limits = parts->spawn.pointers;
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        Hoist__Internal__LimitDetail *detail = &parts->spawn.details[message->n_limits];
        bool enforced = result->limits.enforced & LIMIT_BIT(limit);

        if (!enforced && !result->limits.detail[limit][0])
            continue;
        *detail = (Hoist__Internal__LimitDetail)HOIST__INTERNAL__LIMIT_DETAIL__INIT;
        detail->limit = limit;
        detail->enforced = enforced;
        detail->detail = codec_put_text(result->limits.detail[limit]);
        parts->spawn.pointers[message->n_limits++] = detail;
    }
    parts->message.spawn = message;
}

static int get_details(const Hoist__Internal__SpawnAnswer *message, struct limit_report *ret,
                       struct error *err)
{
    for (size_t i = 0; i < message->n_limits; i++) {
        const Hoist__Internal__LimitDetail *detail = message->limits[i];
        int r;

        if (detail->limit >= _LIMIT_MAX)
            return error_set(err, -EPROTO, "limit number %u doesn't exist", detail->limit);
        if (detail->enforced)
            ret->enforced |= LIMIT_BIT(detail->limit);
        r = codec_get_text(&detail->detail, ret->detail[detail->limit], LIMIT_DETAIL_MAX,
                           "what became of a limit", err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int get_process(uint32_t pid, uint64_t start_time, const ProtobufCBinaryData *cgroup,
                       struct spawn_result *ret, struct error *err)
{
    if (pid == 0 || pid > INT32_MAX)
        return error_set(err, -EPROTO, "%u is no process id", pid);
    *ret = SPAWN_RESULT_NULL;
    ret->pid = (pid_t)pid;
    ret->start_time = start_time;
    return codec_get_text(cgroup, ret->cgroup, sizeof(ret->cgroup), "the cgroup", err);
}

static int get_spawn(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                     struct error *err)
{
    const Hoist__Internal__SpawnAnswer *spawn = message->spawn;
    struct spawn_result *result = &ret->spawn.result;
    int r = get_process(spawn->pid, spawn->start_time, &spawn->cgroup, result, err);

    if (r < 0)
        return r;
    ret->spawn.cgroups = spawn->cgroups;
    return get_details(spawn, &result->limits, err);
}

/* --- Find ------------------------------------------------------------------------------------ */

static void put_find(const struct launcher_answer *answer, struct answer_parts *parts)
{
    parts->find = (Hoist__Internal__FindAnswer)HOIST__INTERNAL__FIND_ANSWER__INIT;
    parts->find.pid = (uint32_t)answer->find.pid;
    parts->find.start_time = answer->find.start_time;
    parts->find.cgroup = codec_put_text(answer->find.cgroup);
    parts->message.find = &parts->find;
}

static int get_find(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                    struct error *err)
{
    const Hoist__Internal__FindAnswer *find = message->find;

    return get_process(find->pid, find->start_time, &find->cgroup, &ret->find, err);
}

/* --- ListTasks ------------------------------------------------------------------------------- */

static void put_tasks(const struct launcher_answer *answer, struct answer_parts *parts)
{
    const struct launcher_tasks *tasks = &answer->tasks;
    Hoist__Internal__ListTasksAnswer *message = &parts->tasks.message;

    *message = (Hoist__Internal__ListTasksAnswer)HOIST__INTERNAL__LIST_TASKS_ANSWER__INIT;
    message->tasks = parts->tasks.pointers;
    message->n_tasks = MIN(tasks->count, (size_t)SPAWN_TASKS_MAX);
    for (size_t i = 0; i < message->n_tasks; i++) {
        Hoist__Internal__Task *task = &parts->tasks.list[i];

        *task = (Hoist__Internal__Task)HOIST__INTERNAL__TASK__INIT;
        task->pid = (uint32_t)tasks->list[i].pid;
        task->state = (unsigned char)tasks->list[i].state;
        task->name = codec_put_text(tasks->list[i].name);
        parts->tasks.pointers[i] = task;
    }
    parts->message.list_tasks = message;
}

static int get_tasks(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                     struct error *err)
{
    const Hoist__Internal__ListTasksAnswer *tasks = message->list_tasks;

    if (tasks->n_tasks > SPAWN_TASKS_MAX)
        return error_set(err, -EPROTO, "%zu tasks, at most %d are told", tasks->n_tasks,
                         SPAWN_TASKS_MAX);
    ret->tasks.count = tasks->n_tasks;
    for (size_t i = 0; i < tasks->n_tasks; i++) {
        const Hoist__Internal__Task *from = tasks->tasks[i];
        struct spawn_task *task = &ret->tasks.list[i];
        int r;

        if (from->pid > INT32_MAX || from->state <= ' ' || from->state > '~')
            return error_set(err, -EPROTO, "a task %u in the state %u", from->pid, from->state);
        task->pid = (pid_t)from->pid;
        task->state = (char)from->state;
        r = codec_get_text(&from->name, task->name, sizeof(task->name), "the name of a task", err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- Remove ---------------------------------------------------------------------------------- */

static void put_remove(const struct launcher_answer *answer, struct answer_parts *parts)
{
    const struct cgroup_usage *usage = &answer->remove.usage;

    parts->remove.message = (Hoist__Internal__RemoveAnswer)HOIST__INTERNAL__REMOVE_ANSWER__INIT;
    parts->remove.message.busy = answer->remove.busy;
    if (!answer->remove.busy) {
        parts->remove.usage = (Hoist__Internal__Usage)HOIST__INTERNAL__USAGE__INIT;
#define PUT(figure) parts->remove.usage.figure = usage->figure;
        parts->remove.usage.known = usage->known;
        CGROUP_USAGE_FIGURES(PUT)
#undef PUT
        parts->remove.message.usage = &parts->remove.usage;
    }
    parts->message.remove = &parts->remove.message;
}

static int get_remove(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                      struct error *err)
{
    const Hoist__Internal__Usage *usage = message->remove->usage;

    ret->remove.busy = message->remove->busy;
    if (ret->remove.busy)
        return 0;
    if (!usage)
        return error_set(err, -EPROTO, "a removed job without its usage");
#define GET(figure) ret->remove.usage.figure = usage->figure;
    ret->remove.usage.known = usage->known;
    CGROUP_USAGE_FIGURES(GET)
#undef GET
    return 0;
}

/* --- ListGroups ------------------------------------------------------------------------------ */

static void put_page(const struct launcher_answer *answer, struct answer_parts *parts)
{
    const struct launcher_page *page = &answer->page;
    Hoist__Internal__ListGroupsAnswer *message = &parts->page.message;

    *message = (Hoist__Internal__ListGroupsAnswer)HOIST__INTERNAL__LIST_GROUPS_ANSWER__INIT;
    message->more = page->more;
    message->groups = parts->page.pointers;
    message->n_groups = MIN(page->count, (size_t)LAUNCHER_PAGE_MAX);
    for (size_t i = 0; i < message->n_groups; i++) {
        Hoist__Internal__Group *group = &parts->page.groups[i];

        *group = (Hoist__Internal__Group)HOIST__INTERNAL__GROUP__INIT;
        codec_put_job(&page->groups[i].job, &parts->page.jobs[i]);
        group->job = &parts->page.jobs[i];
        group->populated = page->groups[i].populated;
        parts->page.pointers[i] = group;
    }
    parts->message.list_groups = message;
}

static int get_page(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                    struct error *err)
{
    const Hoist__Internal__ListGroupsAnswer *page = message->list_groups;

    if (page->n_groups > LAUNCHER_PAGE_MAX)
        return error_set(err, -EPROTO, "a page of %zu jobs, at most %d are sent", page->n_groups,
                         LAUNCHER_PAGE_MAX);
    if (page->more && page->n_groups == 0)
        return error_set(err, -EPROTO, "an empty page that isn't the last one");
    ret->page.more = page->more;
    ret->page.count = page->n_groups;
    for (size_t i = 0; i < page->n_groups; i++) {
        int r = codec_get_job(page->groups[i]->job, &ret->page.groups[i].job, err);

        if (r < 0)
            return r;
        ret->page.groups[i].populated = page->groups[i]->populated;
    }
    return 0;
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct answer_coding {
    Hoist__Internal__Answer__AnswerCase tag;
    void (*put)(const struct launcher_answer *answer, struct answer_parts *parts);
    int (*get)(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
               struct error *err);
} answer_codings[] = {
    [LAUNCHER_ANSWER_FAILURE] = {HOIST__INTERNAL__ANSWER__ANSWER_FAILURE, put_failure, get_failure},
    [LAUNCHER_ANSWER_HELLO] = {HOIST__INTERNAL__ANSWER__ANSWER_HELLO, put_hello, get_hello},
    [LAUNCHER_ANSWER_LISTEN] = {HOIST__INTERNAL__ANSWER__ANSWER_LISTEN, put_listen, get_listen},
    [LAUNCHER_ANSWER_DONE] = {HOIST__INTERNAL__ANSWER__ANSWER_DONE, put_done, get_done},
    [LAUNCHER_ANSWER_SPAWN] = {HOIST__INTERNAL__ANSWER__ANSWER_SPAWN, put_spawn, get_spawn},
    [LAUNCHER_ANSWER_REMOVE] = {HOIST__INTERNAL__ANSWER__ANSWER_REMOVE, put_remove, get_remove},
    [LAUNCHER_ANSWER_LIST_GROUPS] = {HOIST__INTERNAL__ANSWER__ANSWER_LIST_GROUPS, put_page,
                                     get_page},
    [LAUNCHER_ANSWER_STOPPING] = {HOIST__INTERNAL__ANSWER__ANSWER_STOPPING, put_done, get_done},
    [LAUNCHER_ANSWER_FIND] = {HOIST__INTERNAL__ANSWER__ANSWER_FIND, put_find, get_find},
    [LAUNCHER_ANSWER_LIST_TASKS] = {HOIST__INTERNAL__ANSWER__ANSWER_LIST_TASKS, put_tasks,
                                    get_tasks},
    [LAUNCHER_ANSWER_RELOADED] = {HOIST__INTERNAL__ANSWER__ANSWER_RELOADED, put_hello, get_hello},
};

static_assert(ARRAY_SIZE(answer_codings) == _LAUNCHER_ANSWER_MAX, "each answer has a coding");

int launcher_answer_encode(const struct launcher_answer *answer, struct buffer *out,
                           struct error *err)
{
    _cleanup_free_ struct answer_parts *parts = malloc(sizeof(*parts));

    if (!parts)
        return error_set(err, -ENOMEM, "no memory for an answer");
    parts->message = (Hoist__Internal__Answer)HOIST__INTERNAL__ANSWER__INIT;
    parts->message.id = answer->id;
    parts->message.answer_case = answer_codings[answer->type].tag;
    answer_codings[answer->type].put(answer, parts);
    return codec_pack(&parts->message.base, LAUNCHER_ANSWER_MAX, out, err);
}

bool launcher_answer_is_notice(enum launcher_answer_type type)
{
    return type == LAUNCHER_ANSWER_STOPPING || type == LAUNCHER_ANSWER_RELOADED;
}

static int answer_get(const Hoist__Internal__Answer *message, struct launcher_answer *ret,
                      struct error *err)
{
    unsigned type = 0;

    while (type < _LAUNCHER_ANSWER_MAX && message->answer_case != answer_codings[type].tag)
        type++;
    if (type == _LAUNCHER_ANSWER_MAX)
        return error_set(err, -EPROTO, "a packet without an answer that this version knows");
    if ((message->id == 0) != launcher_answer_is_notice(type))
        return error_set(err, -EPROTO, "an answer with the id %llu",
                         (unsigned long long)message->id);
    memset(ret, 0, sizeof(*ret));
    ret->type = type;
    ret->id = message->id;
    return answer_codings[type].get(message, ret, err);
}

int launcher_answer_decode(const void *data, size_t size, struct launcher_answer *ret,
                           struct error *err)
{
    _cleanup_free_ struct launcher_answer *answer = NULL;
    struct codec_memory memory;
    ProtobufCMessage *message;
    int r;

    if (size > LAUNCHER_ANSWER_MAX)
        return error_set(err, -EPROTO, "an answer of %zu bytes", size);
    answer = malloc(sizeof(*answer));
    if (!answer)
        return error_set(err, -ENOMEM, "no memory for an answer");
    codec_memory_init(&memory);
    message = codec_unpack(&hoist__internal__answer__descriptor, data, size, &memory, err);
    if (!message)
        return -EPROTO;
    r = answer_get((const Hoist__Internal__Answer *)message, answer, err);
    protobuf_c_message_free_unpacked(message, &memory.allocator);
    if (r < 0) {
        if (err)
            err->code = -EPROTO;
        return -EPROTO;
    }
    *ret = *answer;
    return 0;
}
