/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "wire/launcher-codec.h"
#include "wire/launcher-messages.h"

/*
 * Requests, from hoistd to the launcher. One check of the meaning (request_check) serves both
 * directions; the coding around it only moves values.
 */

static const char *const request_names[] = {
    [LAUNCHER_REQUEST_HELLO] = "Hello",
    [LAUNCHER_REQUEST_LISTEN] = "Listen",
    [LAUNCHER_REQUEST_READY] = "Ready",
    [LAUNCHER_REQUEST_SPAWN] = "Spawn",
    [LAUNCHER_REQUEST_KILL] = "Kill",
    [LAUNCHER_REQUEST_REMOVE] = "Remove",
    [LAUNCHER_REQUEST_LIST_GROUPS] = "ListGroups",
    [LAUNCHER_REQUEST_FIND] = "Find",
    [LAUNCHER_REQUEST_LIST_TASKS] = "ListTasks",
};

static_assert(ARRAY_SIZE(request_names) == _LAUNCHER_REQUEST_MAX, "each request has a name");

const char *launcher_request_name(enum launcher_request_type type)
{
    return request_names[type];
}

void launcher_request_done(struct launcher_request *request)
{
    free(request->memory);
    *request = LAUNCHER_REQUEST_NULL;
}

/* Adds the texts of a list to *total: -E2BIG beyond `max` of them or LAUNCHER_TEXT_MAX bytes. */
static int list_check(char *const *list, size_t max, const char *what, size_t *total,
                      struct error *err)
{
    for (size_t i = 0; list[i]; i++) {
        if (i >= max)
            return error_set(err, -E2BIG, "more than %zu %s", max, what);
        *total += strlen(list[i]) + 1;
        if (*total > LAUNCHER_TEXT_MAX)
            return error_set(err, -E2BIG,
                             "arguments and variables are longer than %d bytes together",
                             LAUNCHER_TEXT_MAX);
    }
    return 0;
}

static int command_check(const struct spawn_spec *spec, struct error *err)
{
    size_t total = 0;
    int r;

    if (!spec->argv || !spec->argv[0] || !spec->argv[0][0])
        return error_set(err, -EINVAL, "a command without a name");
    r = list_check(spec->argv, LAUNCHER_ARGS_MAX, "arguments", &total, err);
    if (r < 0)
        return r;
    if (!spec->env)
        return error_set(err, -EINVAL, "a command without an environment");
    r = list_check(spec->env, LAUNCHER_ENV_MAX, "variables", &total, err);
    if (r < 0)
        return r;
    for (char *const *entry = spec->env; *entry; entry++)
        if (**entry == '=' || !strchr(*entry, '='))
            return error_set(err, -EINVAL, "a variable isn't NAME=VALUE");
    if (!spec->cwd || (spec->cwd[0] && spec->cwd[0] != '/'))
        return error_set(err, -EINVAL, "the working directory isn't absolute");
    if (strlen(spec->cwd) >= LAUNCHER_CWD_MAX)
        return error_set(err, -E2BIG, "the working directory is longer than %d bytes",
                         LAUNCHER_CWD_MAX - 1);
    return 0;
}

static int spawn_check(const struct spawn_spec *spec, struct error *err)
{
    int r = codec_check_job(spec->group ?: "", &spec->id, err);

    if (r < 0)
        return r;
    r = command_check(spec, err);
    if (r < 0)
        return r;
    if (spec->profile && strlen(spec->profile) >= SPAWN_PROFILE_MAX)
        return error_set(err, -EINVAL, "the name of a profile is too long");
    if (spec->uid == (uid_t)-1)
        return error_set(err, -EINVAL, "the uid of a job is no uid");
    if ((unsigned)spec->network >= _SPAWN_NETWORK_MAX)
        return error_set(err, -EINVAL, "network %u doesn't exist", (unsigned)spec->network);
    if (spec->limits.given >= LIMIT_BIT(_LIMIT_MAX))
        return error_set(err, -EINVAL, "a limit that doesn't exist");
    if (spec->timeout > LAUNCHER_DURATION_MAX || spec->grace > LAUNCHER_DURATION_MAX ||
        spec->adopt_wait > LAUNCHER_DURATION_MAX)
        return error_set(err, -EINVAL,
                         "a timeout, grace period or wait for an agent of more than 366 days");
    if (spec->stop_signal < 1 || spec->stop_signal > SIGRTMAX)
        return error_set(err, -EINVAL, "the stop signal %d doesn't exist", spec->stop_signal);
    return 0;
}

/* It goes to the service manager as a line of several (sd_notify(3)): none may hide in it. */
static int address_check(const char *address, struct error *err)
{
    for (const char *c = address; *c; c++)
        if (*c <= ' ' || *c > '~')
            return error_set(err, -EINVAL, "an address holds a character that addresses don't");
    return 0;
}

static int request_check(const struct launcher_request *request, struct error *err)
{
    if (request->id == 0)
        return error_set(err, -EINVAL, "a request without an id");
    switch (request->type) {
    case LAUNCHER_REQUEST_SPAWN:
        return spawn_check(&request->spawn, err);
    case LAUNCHER_REQUEST_KILL:
    case LAUNCHER_REQUEST_REMOVE:
    case LAUNCHER_REQUEST_LIST_TASKS:
        return codec_check_job(request->job.group, &request->job.id, err);
    case LAUNCHER_REQUEST_LIST_GROUPS:
        if (request->list_groups.from_start)
            return 0;
        return codec_check_job(request->list_groups.after.group, &request->list_groups.after.id,
                               err);
    case LAUNCHER_REQUEST_FIND:
        return codec_check_job(request->find.job.group, &request->find.job.id, err);
    case LAUNCHER_REQUEST_READY:
        return address_check(request->ready_address, err);
    case LAUNCHER_REQUEST_HELLO:
    case LAUNCHER_REQUEST_LISTEN:
        return 0;
    case _LAUNCHER_REQUEST_MAX:
    default:
        return error_set(err, -EINVAL, "request %u doesn't exist", (unsigned)request->type);
    }
}

/* --- encoding ------------------------------------------------------------------------------- */

/* All that a packed request points to; what isn't here is borrowed from the request itself. */
struct request_parts {
    Hoist__Internal__Request message;
    union {
        Hoist__Internal__Hello hello;
        Hoist__Internal__Listen listen;
        Hoist__Internal__Ready ready;
        Hoist__Internal__JobRef job;
        struct {
            Hoist__Internal__ListGroups message;
            Hoist__Internal__JobRef after;
        } list_groups;
        struct {
            Hoist__Internal__Find message;
            Hoist__Internal__JobRef job;
        } find;
        struct {
            Hoist__Internal__Spawn message;
            struct codec_limits limits;
            ProtobufCBinaryData argv[LAUNCHER_ARGS_MAX];
            ProtobufCBinaryData env[LAUNCHER_ENV_MAX];
        } spawn;
    };
};

static size_t put_list(char *const *list, ProtobufCBinaryData *ret)
{
    size_t count = 0;

    for (; list[count]; count++)
        ret[count] = codec_put_text(list[count]);
    return count;
}

static void put_spawn(const struct spawn_spec *spec, struct request_parts *parts)
{
    Hoist__Internal__Spawn *message = &parts->spawn.message;

    *message = (Hoist__Internal__Spawn)HOIST__INTERNAL__SPAWN__INIT;
    message->job = codec_put_id(&spec->id);
    message->group = codec_put_text(spec->group);
    message->argv = parts->spawn.argv;
    message->n_argv = put_list(spec->argv, parts->spawn.argv);
    message->env = parts->spawn.env;
    message->n_env = put_list(spec->env, parts->spawn.env);
    message->cwd = codec_put_text(spec->cwd);
    message->profile = codec_put_text(spec->profile ?: "");
    message->uid = spec->uid;
    message->network = spec->network;
    codec_put_limits(&spec->limits, &parts->spawn.limits);
    message->limits = &parts->spawn.limits.message;
    message->warn_unenforced = spec->warn_unenforced;
    message->timeout_usec = spec->timeout;
    message->grace_usec = spec->grace;
    message->adopt_wait_usec = spec->adopt_wait;
    message->stop_signal = (uint32_t)spec->stop_signal;
    message->merged = spec->merged;
    message->output_rate = spec->output.rate;
    message->output_cap = spec->output.cap;
    message->output_head = spec->output.head;
    message->output_stop_at_cap = spec->output.stop_at_cap;
    message->output_read_buffer = spec->output.read_buffer;
    parts->message.spawn = message;
}

static void put_list_groups(const struct launcher_request *request, struct request_parts *parts)
{
    parts->list_groups.message = (Hoist__Internal__ListGroups)HOIST__INTERNAL__LIST_GROUPS__INIT;
    if (!request->list_groups.from_start) {
        codec_put_job(&request->list_groups.after, &parts->list_groups.after);
        parts->list_groups.message.after = &parts->list_groups.after;
    }
    parts->message.list_groups = &parts->list_groups.message;
}

static void put_hello(const struct launcher_request *request, struct request_parts *parts)
{
    parts->hello = (Hoist__Internal__Hello)HOIST__INTERNAL__HELLO__INIT;
    parts->hello.protocol = request->hello.protocol;
    parts->hello.version = codec_put_text(request->hello.version);
    parts->message.hello = &parts->hello;
}

static void put_listen(const struct launcher_request *request, struct request_parts *parts)
{
    parts->listen = (Hoist__Internal__Listen)HOIST__INTERNAL__LISTEN__INIT;
    parts->listen.host = codec_put_text(request->listen.host);
    parts->listen.port = request->listen.port;
    parts->message.listen = &parts->listen;
}

static void put_ready(const struct launcher_request *request, struct request_parts *parts)
{
    parts->ready = (Hoist__Internal__Ready)HOIST__INTERNAL__READY__INIT;
    parts->ready.address = codec_put_text(request->ready_address);
    parts->message.ready = &parts->ready;
}

static void put_job(const struct launcher_request *request, struct request_parts *parts)
{
    codec_put_job(&request->job, &parts->job);
    parts->message.kill = &parts->job; /* `remove` and `list_tasks` share the union with it */
}

static void put_find(const struct launcher_request *request, struct request_parts *parts)
{
    parts->find.message = (Hoist__Internal__Find)HOIST__INTERNAL__FIND__INIT;
    codec_put_job(&request->find.job, &parts->find.job);
    parts->find.message.job = &parts->find.job;
    parts->find.message.pid = (uint32_t)request->find.known.pid;
    parts->find.message.start_time = request->find.known.start_time;
    parts->message.find = &parts->find.message;
}

static void put_spawn_request(const struct launcher_request *request, struct request_parts *parts)
{
    put_spawn(&request->spawn, parts);
}

static int get_hello(const Hoist__Internal__Request *message, struct launcher_request *ret,
                     struct error *err)
{
    ret->hello.protocol = message->hello->protocol;
    return codec_get_text(&message->hello->version, ret->hello.version, sizeof(ret->hello.version),
                          "the version", err);
}

static int get_listen(const Hoist__Internal__Request *message, struct launcher_request *ret,
                      struct error *err)
{
    if (message->listen->port > UINT16_MAX)
        return error_set(err, -EPROTO, "%u is no port", message->listen->port);
    ret->listen.port = (uint16_t)message->listen->port;
    return codec_get_text(&message->listen->host, ret->listen.host, sizeof(ret->listen.host),
                          "the host", err);
}

static int get_ready(const Hoist__Internal__Request *message, struct launcher_request *ret,
                     struct error *err)
{
    return codec_get_text(&message->ready->address, ret->ready_address, sizeof(ret->ready_address),
                          "the address", err);
}

static int get_job(const Hoist__Internal__Request *message, struct launcher_request *ret,
                   struct error *err)
{
    return codec_get_job(message->kill, &ret->job, err);
}

static int get_list_groups(const Hoist__Internal__Request *message, struct launcher_request *ret,
                           struct error *err)
{
    ret->list_groups.from_start = !message->list_groups->after;
    if (ret->list_groups.from_start)
        return 0;
    return codec_get_job(message->list_groups->after, &ret->list_groups.after, err);
}

static int get_find(const Hoist__Internal__Request *message, struct launcher_request *ret,
                    struct error *err)
{
    if (message->find->pid > INT32_MAX)
        return error_set(err, -EPROTO, "%u is no process id", message->find->pid);
    ret->find.known = (struct spawn_process){
        .pid = (pid_t)message->find->pid,
        .start_time = message->find->start_time,
    };
    return codec_get_job(message->find->job, &ret->find.job, err);
}

/* --- decoding a Spawn: its texts are copied into one block ------------------------------------ */

struct text_block {
    char *next;
    size_t left;
};

static int block_add(struct text_block *block, const ProtobufCBinaryData *bytes, const char *what,
                     char **ret, struct error *err)
{
    int r = codec_get_text(bytes, block->next, block->left, what, err);

    if (r < 0)
        return r;
    *ret = block->next;
    block->next += bytes->len + 1;
    block->left -= bytes->len + 1;
    return 0;
}

static int block_add_list(struct text_block *block, const ProtobufCBinaryData *list, size_t count,
                          const char *what, char **ret, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int r = block_add(block, &list[i], what, &ret[i], err);

        if (r < 0)
            return r;
    }
    ret[count] = NULL;
    return 0;
}

/* The lists' pointers come first in the block, since they want alignment. */
static int get_spawn_texts(const Hoist__Internal__Spawn *message, struct launcher_request *ret,
                           struct error *err)
{
    size_t pointers = (message->n_argv + 1 + message->n_env + 1) * sizeof(char *);
    size_t texts = LAUNCHER_TEXT_MAX + LAUNCHER_CWD_MAX + SPAWN_GROUP_MAX + SPAWN_PROFILE_MAX;
    char **argv, **env, *cwd, *group, *profile;
    struct text_block block;
    int r;

    if (message->n_argv > LAUNCHER_ARGS_MAX || message->n_env > LAUNCHER_ENV_MAX)
        return error_set(err, -EPROTO, "%zu arguments, %zu variables: more than %d, %d",
                         message->n_argv, message->n_env, LAUNCHER_ARGS_MAX, LAUNCHER_ENV_MAX);
    ret->memory = malloc(pointers + texts);
    if (!ret->memory)
        return error_set(err, -ENOMEM, "no memory for a specification");
    argv = ret->memory;
    env = argv + message->n_argv + 1;
    block = (struct text_block){.next = (char *)ret->memory + pointers, .left = texts};

    r = block_add_list(&block, message->argv, message->n_argv, "an argument", argv, err);
    if (r < 0)
        return r;
    r = block_add_list(&block, message->env, message->n_env, "a variable", env, err);
    if (r < 0)
        return r;
    r = block_add(&block, &message->cwd, "the working directory", &cwd, err);
    if (r < 0)
        return r;
    r = block_add(&block, &message->group, "the group", &group, err);
    if (r < 0)
        return r;
    r = block_add(&block, &message->profile, "the profile", &profile, err);
    if (r < 0)
        return r;
    ret->spawn.profile = profile;
    ret->spawn.argv = argv;
    ret->spawn.env = env;
    ret->spawn.cwd = cwd;
    ret->spawn.group = group;
    return 0;
}

static int get_spawn(const Hoist__Internal__Request *request, struct launcher_request *ret,
                     struct error *err)
{
    const Hoist__Internal__Spawn *message = request->spawn;
    struct spawn_spec *spec = &ret->spawn;
    int r;

    if (message->network >= _SPAWN_NETWORK_MAX || message->stop_signal > (uint32_t)SIGRTMAX)
        return error_set(err, -EPROTO, "a network or signal that doesn't exist");
    spec->uid = message->uid;
    spec->network = message->network;
    spec->warn_unenforced = message->warn_unenforced;
    spec->timeout = message->timeout_usec;
    spec->grace = message->grace_usec;
    spec->adopt_wait = message->adopt_wait_usec;
    spec->stop_signal = (int)message->stop_signal;
    spec->merged = message->merged;
    spec->output.rate = message->output_rate;
    spec->output.cap = message->output_cap;
    spec->output.head = message->output_head;
    spec->output.stop_at_cap = message->output_stop_at_cap;
    spec->output.read_buffer = message->output_read_buffer;
    r = codec_get_id(&message->job, &spec->id, err);
    if (r < 0)
        return r;
    r = codec_get_limits(message->limits, &spec->limits, err);
    if (r < 0)
        return r;
    return get_spawn_texts(message, ret, err);
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct request_coding {
    Hoist__Internal__Request__RequestCase tag;
    void (*put)(const struct launcher_request *request, struct request_parts *parts);
    int (*get)(const Hoist__Internal__Request *message, struct launcher_request *ret,
               struct error *err);
} request_codings[] = {
    [LAUNCHER_REQUEST_HELLO] = {HOIST__INTERNAL__REQUEST__REQUEST_HELLO, put_hello, get_hello},
    [LAUNCHER_REQUEST_LISTEN] = {HOIST__INTERNAL__REQUEST__REQUEST_LISTEN, put_listen, get_listen},
    [LAUNCHER_REQUEST_READY] = {HOIST__INTERNAL__REQUEST__REQUEST_READY, put_ready, get_ready},
    [LAUNCHER_REQUEST_SPAWN] = {HOIST__INTERNAL__REQUEST__REQUEST_SPAWN, put_spawn_request,
                                get_spawn},
    [LAUNCHER_REQUEST_KILL] = {HOIST__INTERNAL__REQUEST__REQUEST_KILL, put_job, get_job},
    [LAUNCHER_REQUEST_REMOVE] = {HOIST__INTERNAL__REQUEST__REQUEST_REMOVE, put_job, get_job},
    [LAUNCHER_REQUEST_LIST_GROUPS] = {HOIST__INTERNAL__REQUEST__REQUEST_LIST_GROUPS,
                                      put_list_groups, get_list_groups},
    [LAUNCHER_REQUEST_FIND] = {HOIST__INTERNAL__REQUEST__REQUEST_FIND, put_find, get_find},
    [LAUNCHER_REQUEST_LIST_TASKS] = {HOIST__INTERNAL__REQUEST__REQUEST_LIST_TASKS, put_job,
                                     get_job},
};

static_assert(ARRAY_SIZE(request_codings) == _LAUNCHER_REQUEST_MAX, "each request has a coding");

int launcher_request_encode(const struct launcher_request *request, struct buffer *out,
                            struct error *err)
{
    _cleanup_free_ struct request_parts *parts = NULL;
    int r = request_check(request, err);

    if (r < 0)
        return r;
    parts = malloc(sizeof(*parts));
    if (!parts)
        return error_set(err, -ENOMEM, "no memory for a request");
    parts->message = (Hoist__Internal__Request)HOIST__INTERNAL__REQUEST__INIT;
    parts->message.id = request->id;
    parts->message.request_case = request_codings[request->type].tag;
    request_codings[request->type].put(request, parts);
    return codec_pack(&parts->message.base, LAUNCHER_REQUEST_MAX, out, err);
}

static int request_type(const Hoist__Internal__Request *message, enum launcher_request_type *ret,
                        struct error *err)
{
    for (unsigned type = 0; type < _LAUNCHER_REQUEST_MAX; type++)
        if (message->request_case == request_codings[type].tag) {
            *ret = type;
            return 0;
        }
    return error_set(err, -EPROTO, "a packet without a request that this version knows");
}

static int request_get(const Hoist__Internal__Request *message, struct launcher_request *ret,
                       struct error *err)
{
    int r = request_type(message, &ret->type, err);

    if (r < 0)
        return r;
    /* A later version may have more to say in its Hello; it still wants to hear that it is later.
     */
    if (ret->type != LAUNCHER_REQUEST_HELLO && !codec_is_known(&message->base))
        return error_set(err, -EPROTO, "a %s with a field that this version doesn't know",
                         launcher_request_name(ret->type));
    ret->id = message->id;
    r = request_codings[ret->type].get(message, ret, err);
    if (r < 0)
        return r;
    return request_check(ret, err);
}

int launcher_request_decode(const void *data, size_t size, struct launcher_request *ret,
                            struct error *err)
{
    _cleanup_launcher_request_ struct launcher_request request = LAUNCHER_REQUEST_NULL;
    struct codec_memory memory;
    ProtobufCMessage *message;
    int r;

    if (size > LAUNCHER_REQUEST_MAX)
        return error_set(err, -EPROTO, "a request of %zu bytes", size);
    codec_memory_init(&memory);
    message = codec_unpack(&hoist__internal__request__descriptor, data, size, &memory, err);
    if (!message)
        return -EPROTO;
    r = request_get((const Hoist__Internal__Request *)message, &request, err);
    protobuf_c_message_free_unpacked(message, &memory.allocator);
    if (r < 0) {
        /* However it is wrong, it is a breach of protocol for whoever receives it. */
        if (err && r != -ENOMEM)
            err->code = -EPROTO;
        return r == -ENOMEM ? r : -EPROTO;
    }
    *ret = request;
    request = LAUNCHER_REQUEST_NULL;
    return 0;
}
