/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/internal/launcher.pb-c.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/strv.h"
#include "wire/launcher-messages.h"

#define LIST(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})

static const char *const some_argv[] = {"/bin/echo", "", "b\xff", NULL};
static const char *const some_env[] = {"PATH=/bin", "EMPTY=", NULL};

static struct launcher_request some_spawn(void)
{
    struct launcher_request request = {
        .id = 42,
        .type = LAUNCHER_REQUEST_SPAWN,
        .spawn =
            {
                .id = {{1, 2, 3}},
                .group = "p-alice",
                .argv = (char *const *)some_argv,
                .env = (char *const *)some_env,
                .cwd = "/tmp",
                .uid = 100007,
                .network = SPAWN_NETWORK_HOST,
                .warn_unenforced = true,
                .timeout = 3 * USEC_PER_SEC,
                .grace = 10 * USEC_PER_SEC,
                .adopt_wait = 30 * USEC_PER_SEC,
                .stop_signal = SIGTERM,
                .merged = true,
                .output =
                    {
                        .rate = 1 << 20,
                        .cap = UINT64_MAX,
                        .head = 5,
                        .stop_at_cap = true,
                        .read_buffer = 6,
                    },
            },
    };

    limit_set(&request.spawn.limits, LIMIT_MEMORY_MAX, 1 << 30);
    limit_set(&request.spawn.limits, LIMIT_SWAP_MAX, 0);
    return request;
}

static void encode(const struct launcher_request *request, struct buffer *out)
{
    struct error err;

    assert_int_equal(launcher_request_encode(request, out, &err), 0);
}

static void decode(const struct buffer *packet, struct launcher_request *ret)
{
    struct error err;

    assert_int_equal(launcher_request_decode(buffer_bytes(packet), buffer_size(packet), ret, &err),
                     0);
}

static void assert_lists_equal(char *const *a, char *const *b)
{
    size_t i = 0;

    for (; a[i] && b[i]; i++)
        assert_string_equal(a[i], b[i]);
    assert_ptr_equal(a[i], b[i]);
}

static void test_launcher_request_encode_and_decode_a_spawn(void **unused)
{
    _cleanup_launcher_request_ struct launcher_request got = LAUNCHER_REQUEST_NULL;
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct launcher_request sent = some_spawn();

    encode(&sent, &packet);
    decode(&packet, &got);
    assert_int_equal(got.id, 42);
    assert_int_equal(got.type, LAUNCHER_REQUEST_SPAWN);
    assert_true(id_equal(&got.spawn.id, &sent.spawn.id));
    assert_string_equal(got.spawn.group, "p-alice");
    assert_lists_equal(got.spawn.argv, (char *const *)some_argv);
    assert_lists_equal(got.spawn.env, (char *const *)some_env);
    assert_string_equal(got.spawn.cwd, "/tmp");
    assert_int_equal(got.spawn.uid, 100007);
    assert_int_equal(got.spawn.network, SPAWN_NETWORK_HOST);
    assert_true(got.spawn.warn_unenforced);
    assert_int_equal(got.spawn.timeout, 3 * USEC_PER_SEC);
    assert_int_equal(got.spawn.grace, 10 * USEC_PER_SEC);
    assert_int_equal(got.spawn.adopt_wait, 30 * USEC_PER_SEC);
    assert_int_equal(got.spawn.stop_signal, SIGTERM);
    assert_true(got.spawn.merged);
    assert_int_equal(got.spawn.output.rate, 1 << 20);
    assert_true(got.spawn.output.cap == UINT64_MAX);
    assert_int_equal(got.spawn.output.head, 5);
    assert_true(got.spawn.output.stop_at_cap);
    assert_int_equal(got.spawn.output.read_buffer, 6);
    assert_int_equal(got.spawn.limits.given, sent.spawn.limits.given);
    assert_int_equal(got.spawn.limits.value[LIMIT_MEMORY_MAX], 1 << 30);
}

static void test_launcher_request_encode_and_decode_the_small_ones(void **unused)
{
    static const struct launcher_request requests[] = {
        {.id = 1, .type = LAUNCHER_REQUEST_HELLO, .hello = {.protocol = 1, .version = "0.1.0"}},
        {.id = 2, .type = LAUNCHER_REQUEST_LISTEN, .listen = {.host = "::1", .port = 7443}},
        {.id = 3, .type = LAUNCHER_REQUEST_READY, .ready_address = "[::1]:7443"},
        {.id = 4, .type = LAUNCHER_REQUEST_KILL, .job = {"p-bob", {{9}}}},
        {.id = 5, .type = LAUNCHER_REQUEST_REMOVE, .job = {"p-bob", {{9}}}},
        {.id = 6, .type = LAUNCHER_REQUEST_LIST_GROUPS, .list_groups = {.from_start = true}},
        {.id = 7, .type = LAUNCHER_REQUEST_LIST_GROUPS, .list_groups = {.after = {"p-a", {{8}}}}},
        {.id = 8, .type = LAUNCHER_REQUEST_FIND, .find = {{"p-a", {{8}}}, {7, UINT64_MAX}}},
        {.id = 9, .type = LAUNCHER_REQUEST_LIST_TASKS, .job = {"p-bob", {{9}}}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        _cleanup_buffer_ struct buffer packet = {.limit = 0}, again = {.limit = 0};
        struct launcher_request got;

        encode(&requests[i], &packet);
        decode(&packet, &got);
        assert_int_equal(got.id, requests[i].id);
        assert_int_equal(got.type, requests[i].type);
        encode(&got, &again);
        assert_int_equal(buffer_size(&again), buffer_size(&packet));
        assert_memory_equal(buffer_bytes(&again), buffer_bytes(&packet), buffer_size(&packet));
    }
}

static void refuse(const struct launcher_request *request, int code, const char *words)
{
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct error err;

    assert_int_equal(launcher_request_encode(request, &packet, &err), code);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" doesn't say \"%s\"", err.text, words);
}

static void test_launcher_request_encode_refuses_what_makes_no_sense(void **unused)
{
    struct launcher_request request;

#define REFUSE(change, words)                                                                      \
    do {                                                                                           \
        request = some_spawn();                                                                    \
        change;                                                                                    \
        refuse(&request, -EINVAL, words);                                                          \
    } while (0)
    REFUSE(request.id = 0, "without an id");
    REFUSE(request.spawn.id = (struct id){{0}}, "all zero");
    REFUSE(request.spawn.group = "alice", "isn't \"p-\"");
    REFUSE(request.spawn.group = "p-", "isn't \"p-\"");
    REFUSE(request.spawn.group = "p-../x", "isn't \"p-\"");
    REFUSE(request.spawn.argv = LIST(NULL), "without a name");
    REFUSE(request.spawn.argv = LIST(""), "without a name");
    REFUSE(request.spawn.env = LIST("NAME"), "NAME=VALUE");
    REFUSE(request.spawn.env = LIST("=VALUE"), "NAME=VALUE");
    REFUSE(request.spawn.cwd = "tmp", "isn't absolute");
    REFUSE(request.spawn.uid = (uid_t)-1, "no uid");
    REFUSE(request.spawn.network = _SPAWN_NETWORK_MAX, "network");
    REFUSE(request.spawn.limits.given = LIMIT_BIT(_LIMIT_MAX), "a limit");
    REFUSE(request.spawn.timeout = LAUNCHER_DURATION_MAX + 1, "366 days");
    REFUSE(request.spawn.grace = USEC_INFINITY, "366 days");
    REFUSE(request.spawn.stop_signal = 0, "signal");
    REFUSE(request.spawn.stop_signal = 65, "signal");
    REFUSE(request.type = _LAUNCHER_REQUEST_MAX, "doesn't exist");
#undef REFUSE
}

/* `count` texts of `size` bytes each ("A=" and filling). */
static char **make_list(size_t count, size_t size)
{
    char **list = NULL, *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "A=", MIN(size, 2UL));
    text[size] = 0;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(strv_append(&list, text), 0);
    free(text);
    return list;
}

/* sd_notify(3) takes lines: a second one could name any process as the service's. */
static void test_launcher_request_encode_refuses_an_address_of_two_lines(void **unused)
{
    struct launcher_request request = {.id = 1, .type = LAUNCHER_REQUEST_READY};

    snprintf(request.ready_address, sizeof(request.ready_address), "127.0.0.1:1\nMAINPID=1");
    refuse(&request, -EINVAL, "a character that addresses don't");
    snprintf(request.ready_address, sizeof(request.ready_address), "127.0.0.1:1\x7f");
    refuse(&request, -EINVAL, "a character that addresses don't");
}

static void test_launcher_request_encode_names_the_limit_that_was_passed(void **unused)
{
    _cleanup_strv_ char **many = make_list(LAUNCHER_ARGS_MAX + 1, 2),
                        **long_one = make_list(1, LAUNCHER_TEXT_MAX);
    struct launcher_request request = some_spawn();

    request.spawn.argv = many;
    refuse(&request, -E2BIG, "more than 1025 arguments");
    request.spawn.argv = long_one;
    refuse(&request, -E2BIG, "132096 bytes together");
    request = some_spawn();
    request.spawn.env = many;
    refuse(&request, -E2BIG, "more than 260 variables");
}

static void test_launcher_request_decode_takes_a_spawn_at_all_its_limits(void **unused)
{
    /* 1025 × 100 + 260 × 112 is 129 KiB without 476 bytes, NULs included. */
    _cleanup_strv_ char **argv = make_list(LAUNCHER_ARGS_MAX, 99),
                        **env = make_list(LAUNCHER_ENV_MAX, 110);
    _cleanup_launcher_request_ struct launcher_request got = LAUNCHER_REQUEST_NULL;
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct launcher_request request = some_spawn();
    char cwd[LAUNCHER_CWD_MAX];

    memset(cwd, '/', sizeof(cwd) - 1);
    cwd[sizeof(cwd) - 1] = 0;
    request.spawn.argv = argv;
    request.spawn.env = env;
    request.spawn.cwd = cwd;
    encode(&request, &packet);
    assert_true(buffer_size(&packet) > 128 * 1024);
    decode(&packet, &got);
    assert_lists_equal(got.spawn.argv, argv);
    assert_lists_equal(got.spawn.env, env);
}

/* --- hostile bytes --------------------------------------------------------------------------- */

static void refuse_bytes(const void *data, size_t size)
{
    struct launcher_request got = {.id = 77};
    struct error err = {.code = 0};

    assert_int_equal(launcher_request_decode(data, size, &got, &err), -EPROTO);
    assert_int_equal(err.code, -EPROTO);
    assert_int_equal(got.id, 77); /* untouched */
}

static void test_launcher_request_decode_refuses_every_prefix(void **unused)
{
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct launcher_request request = some_spawn();

    encode(&request, &packet);
    for (size_t size = 0; size < buffer_size(&packet); size++)
        refuse_bytes(buffer_bytes(&packet), size);
}

static void test_launcher_request_decode_survives_every_flipped_bit(void **unused)
{
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct launcher_request request = some_spawn();

    encode(&request, &packet);
    for (size_t bit = 0; bit < 8 * buffer_size(&packet); bit++) {
        _cleanup_launcher_request_ struct launcher_request got = LAUNCHER_REQUEST_NULL;
        struct error err;

        packet.data[packet.start + bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (launcher_request_decode(buffer_bytes(&packet), buffer_size(&packet), &got, &err) == 0)
            assert_true(got.type < _LAUNCHER_REQUEST_MAX);
        packet.data[packet.start + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* Packs a request as protobuf-c's own user would, past our checks. */
static size_t pack(Hoist__Internal__Spawn *spawn, uint8_t *room)
{
    Hoist__Internal__Request message = HOIST__INTERNAL__REQUEST__INIT;

    message.id = 1;
    message.request_case = HOIST__INTERNAL__REQUEST__REQUEST_SPAWN;
    message.spawn = spawn;
    return hoist__internal__request__pack(&message, room);
}

#define TEXT(text)                                                                                 \
    ((ProtobufCBinaryData){.len = sizeof(text) - 1, .data = (uint8_t *)(uintptr_t)(text)})

static Hoist__Internal__Spawn valid_message(ProtobufCBinaryData *argv)
{
    static uint8_t id[ID_SIZE] = {1};
    Hoist__Internal__Spawn message = HOIST__INTERNAL__SPAWN__INIT;

    argv[0] = TEXT("/bin/true");
    message.job = (ProtobufCBinaryData){.len = sizeof(id), .data = id};
    message.group = TEXT("p-alice");
    message.n_argv = 1;
    message.argv = argv;
    message.stop_signal = SIGTERM;
    return message;
}

static void test_launcher_request_decode_refuses_what_an_encoder_would_not_send(void **unused)
{
    static uint8_t room[LAUNCHER_REQUEST_MAX];
    ProtobufCBinaryData argv[1];
    Hoist__Internal__Spawn message;
    Hoist__Internal__LimitValue twice = HOIST__INTERNAL__LIMIT_VALUE__INIT;
    Hoist__Internal__LimitValue *both[] = {&twice, &twice};
    Hoist__Internal__LimitValues limits = HOIST__INTERNAL__LIMIT_VALUES__INIT;
    struct launcher_request got;
    struct error err;

    limits.values = both;
    message = valid_message(argv);
    assert_int_equal(launcher_request_decode(room, pack(&message, room), &got, &err), 0);
    launcher_request_done(&got);

#define REFUSE(change)                                                                             \
    do {                                                                                           \
        message = valid_message(argv);                                                             \
        change;                                                                                    \
        refuse_bytes(room, pack(&message, room));                                                  \
    } while (0)
    REFUSE(argv[0] = TEXT("/bin/true\0hidden"));
    REFUSE(message.group = TEXT("p-alice\0"));
    REFUSE(message.group = TEXT("p-"));
    REFUSE(message.cwd = TEXT("etc"));
    REFUSE(message.job.len = 15);
    REFUSE(message.n_argv = 0);
    REFUSE(message.network = 1u << 31);
    REFUSE(message.stop_signal = UINT32_MAX);
    REFUSE(message.timeout_usec = UINT64_MAX);
    REFUSE(message.uid = UINT32_MAX);
    REFUSE((limits.n_values = 2, message.limits = &limits));
    REFUSE((limits.n_values = 1, twice.limit = _LIMIT_MAX, message.limits = &limits));
#undef REFUSE
}

static void test_launcher_request_decode_bounds_its_memory(void **unused)
{
    static uint8_t bytes[LAUNCHER_REQUEST_MAX];
    size_t size = 0;

    /* id = 1; spawn = { argv = "" × 80,000 }: two bytes each, forty of memory. */
    bytes[size++] = 0x08;
    bytes[size++] = 1;
    bytes[size++] = 0x2a;
    bytes[size++] = 0x80 | (160000 & 0x7f);
    bytes[size++] = 0x80 | ((160000 >> 7) & 0x7f);
    bytes[size++] = 160000 >> 14;
    for (int i = 0; i < 80000; i++) {
        bytes[size++] = 0x1a;
        bytes[size++] = 0;
    }
    refuse_bytes(bytes, size);
}

static void test_launcher_request_decode_refuses_unknown_fields(void **unused)
{
    _cleanup_buffer_ struct buffer hello = {.limit = 0}, kill = {.limit = 0};
    const struct launcher_request kill_request = {
        .id = 1, .type = LAUNCHER_REQUEST_KILL, .job = {"p-bob", {{9}}}};
    const struct launcher_request hello_request = {
        .id = 1, .type = LAUNCHER_REQUEST_HELLO, .hello = {.protocol = 9, .version = "9.0"}};
    static const uint8_t unknown[] = {0xf8, 0x01, 0x01}; /* field 31, a varint */
    struct launcher_request got;

    encode(&kill_request, &kill);
    assert_int_equal(buffer_append(&kill, unknown, sizeof(unknown)), 0);
    refuse_bytes(buffer_bytes(&kill), buffer_size(&kill));
    /* A later Hello is understood as far as it goes, so that it can be told which version we are.
     */
    encode(&hello_request, &hello);
    assert_int_equal(buffer_append(&hello, unknown, sizeof(unknown)), 0);
    decode(&hello, &got);
    assert_int_equal(got.hello.protocol, 9);
}

/* --- answers --------------------------------------------------------------------------------- */

static struct launcher_answer *answer_round_trip(const struct launcher_answer *answer)
{
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct launcher_answer *got = malloc(sizeof(*got));
    struct error err;

    assert_non_null(got);
    assert_int_equal(launcher_answer_encode(answer, &packet, &err), 0);
    assert_int_equal(launcher_answer_decode(buffer_bytes(&packet), buffer_size(&packet), got, &err),
                     0);
    assert_int_equal(got->id, answer->id);
    assert_int_equal(got->type, answer->type);
    for (size_t size = 0; size < buffer_size(&packet); size++) {
        struct launcher_answer *untouched = got;

        (void)launcher_answer_decode(buffer_bytes(&packet), size, untouched, &err);
    }
    assert_int_equal(launcher_answer_decode(buffer_bytes(&packet), buffer_size(&packet), got, &err),
                     0);
    return got;
}

static void test_launcher_answer_round_trip_of_hello(void **unused)
{
    struct launcher_answer *sent = calloc(1, sizeof(*sent));
    _cleanup_free_ struct launcher_answer *got = NULL, *owned = sent;

    *sent = (struct launcher_answer){
        .id = 1,
        .type = LAUNCHER_ANSWER_HELLO,
        .hello =
            {
                .protocol = 1,
                .version = "0.1.0",
                .boot_id = {{7}},
                .cgroup_root = "hoist",
                .cgroups = true,
                .job_uid_min = 100000,
                .job_uid_max = 165535,
                .agent_uid = 990,
                .network_host = true,
                .enforceable = 5,
                .unlimited_place = "/srv/net",
                .lack_count = 2,
                .lacks = {"no memory controller", "no io controller"},
            },
    };
    limit_set(&sent->hello.ceilings, LIMIT_PIDS_MAX, 500);
    got = answer_round_trip(sent);
    (void)owned;
    assert_string_equal(got->hello.cgroup_root, "hoist");
    assert_true(got->hello.cgroups);
    assert_string_equal(got->hello.unlimited_place, "/srv/net");
    assert_string_equal(got->hello.lacks[1], "no io controller");
    assert_int_equal(got->hello.lack_count, 2);
    assert_int_equal(got->hello.ceilings.value[LIMIT_PIDS_MAX], 500);
    assert_int_equal(got->hello.ceilings.given, LIMIT_BIT(LIMIT_PIDS_MAX));
    assert_int_equal(got->hello.job_uid_max, 165535);
    assert_true(got->hello.network_host);
    assert_false(got->hello.rootless);
    assert_int_equal(got->hello.boot_id.bytes[0], 7);
}

static void test_launcher_answer_round_trip_of_a_spawn(void **unused)
{
    _cleanup_free_ struct launcher_answer *sent = calloc(1, sizeof(*sent)), *got = NULL;

    sent->id = 8;
    sent->type = LAUNCHER_ANSWER_SPAWN;
    sent->spawn.cgroups = true;
    sent->spawn.result = (struct spawn_result){
        .pid = 4711,
        .start_time = UINT64_MAX,
        .pidfd = -1,
        .cgroup = "hoist/p-alice/x/cmd",
        .limits = {.enforced = LIMIT_BIT(LIMIT_PIDS_MAX)},
    };
    snprintf(sent->spawn.result.limits.detail[LIMIT_PIDS_MAX], LIMIT_DETAIL_MAX, "%s",
             "pids.max 100");
    snprintf(sent->spawn.result.limits.detail[LIMIT_MEMORY_MAX], LIMIT_DETAIL_MAX, "%s",
             "the controller memory is missing");
    got = answer_round_trip(sent);
    assert_int_equal(got->spawn.result.pid, 4711);
    assert_true(got->spawn.result.start_time == UINT64_MAX);
    assert_int_equal(got->spawn.result.pidfd, FD_NONE);
    assert_string_equal(got->spawn.result.cgroup, "hoist/p-alice/x/cmd");
    assert_int_equal(got->spawn.result.limits.enforced, LIMIT_BIT(LIMIT_PIDS_MAX));
    assert_string_equal(got->spawn.result.limits.detail[LIMIT_PIDS_MAX], "pids.max 100");
    assert_string_equal(got->spawn.result.limits.detail[LIMIT_MEMORY_MAX],
                        "the controller memory is missing");
}

static void test_launcher_answer_round_trip_of_find_and_tasks(void **unused)
{
    _cleanup_free_ struct launcher_answer *sent = calloc(1, sizeof(*sent)), *found = NULL,
                                          *tasks = NULL;

    *sent = (struct launcher_answer){.id = 6, .type = LAUNCHER_ANSWER_FIND};
    sent->find = (struct spawn_result){.pid = 7, .start_time = 8, .cgroup = "a/b", .pidfd = -1};
    found = answer_round_trip(sent);
    assert_int_equal(found->find.pid, 7);
    assert_int_equal(found->find.start_time, 8);
    assert_string_equal(found->find.cgroup, "a/b");
    assert_int_equal(found->find.pidfd, FD_NONE);

    *sent = (struct launcher_answer){.id = 7, .type = LAUNCHER_ANSWER_LIST_TASKS};
    sent->tasks.count = SPAWN_TASKS_MAX;
    for (size_t i = 0; i < SPAWN_TASKS_MAX; i++)
        sent->tasks.list[i] = (struct spawn_task){(pid_t)i + 1, 'D', "fifteen letters"};
    tasks = answer_round_trip(sent);
    assert_int_equal(tasks->tasks.count, SPAWN_TASKS_MAX);
    assert_int_equal(tasks->tasks.list[7].pid, 8);
    assert_int_equal(tasks->tasks.list[7].state, 'D');
    assert_string_equal(tasks->tasks.list[7].name, "fifteen letters");
}

static void test_launcher_answer_round_trip_of_failure_and_remove(void **unused)
{
    _cleanup_free_ struct launcher_answer *sent = calloc(1, sizeof(*sent)), *failed = NULL,
                                          *removed = NULL, *busy = NULL;

    sent->id = 3;
    sent->type = LAUNCHER_ANSWER_FAILURE;
    error_set(&sent->failure.error, -EADDRINUSE, "port 7443 is in use");
    sent->failure.spawn = SPAWN_FAILURE_CGROUP;
    sent->failure.refused = LIMIT_BIT(LIMIT_PIDS_MAX);
    failed = answer_round_trip(sent);
    assert_int_equal(failed->failure.error.code, -EADDRINUSE);
    assert_string_equal(failed->failure.error.text, "port 7443 is in use");
    assert_int_equal(failed->failure.spawn, SPAWN_FAILURE_CGROUP);
    assert_int_equal(failed->failure.refused, LIMIT_BIT(LIMIT_PIDS_MAX));

    *sent = (struct launcher_answer){.id = 4, .type = LAUNCHER_ANSWER_REMOVE};
    sent->remove.usage = (struct cgroup_usage){.known = 3, .cpu_usec = 99, .pids_refused = 1};
    removed = answer_round_trip(sent);
    assert_false(removed->remove.busy);
    assert_memory_equal(&removed->remove.usage, &sent->remove.usage, sizeof(struct cgroup_usage));

    sent->remove.busy = true;
    busy = answer_round_trip(sent);
    assert_true(busy->remove.busy);
    assert_int_equal(busy->remove.usage.known, 0);
}

static void test_launcher_answer_round_trip_of_a_full_page(void **unused)
{
    _cleanup_free_ struct launcher_answer *sent = calloc(1, sizeof(*sent)), *got = NULL;

    sent->id = 5;
    sent->type = LAUNCHER_ANSWER_LIST_GROUPS;
    sent->page.count = LAUNCHER_PAGE_MAX;
    sent->page.more = true;
    for (size_t i = 0; i < LAUNCHER_PAGE_MAX; i++) {
        struct launcher_group *group = &sent->page.groups[i];

        memset(group->job.group, 'a', SPAWN_GROUP_MAX - 1);
        memcpy(group->job.group, "p-", 2);
        group->job.group[65] = 0;
        group->job.id.bytes[0] = 1;
        group->job.id.bytes[1] = (uint8_t)i;
        group->populated = i % 2;
    }
    got = answer_round_trip(sent);
    assert_int_equal(got->page.count, LAUNCHER_PAGE_MAX);
    assert_true(got->page.more);
    assert_true(got->page.groups[255].populated);
    assert_int_equal(got->page.groups[200].job.id.bytes[1], 200);
}

static void test_launcher_answer_decode_refuses_an_id_where_none_belongs(void **unused)
{
    _cleanup_free_ struct launcher_answer *answer = calloc(1, sizeof(*answer));
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct error err;

    answer->type = LAUNCHER_ANSWER_STOPPING;
    answer->id = 1;
    assert_int_equal(launcher_answer_encode(answer, &packet, &err), 0);
    assert_int_equal(
        launcher_answer_decode(buffer_bytes(&packet), buffer_size(&packet), answer, &err), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launcher_request_encode_and_decode_a_spawn),
        cmocka_unit_test(test_launcher_request_encode_and_decode_the_small_ones),
        cmocka_unit_test(test_launcher_request_encode_refuses_what_makes_no_sense),
        cmocka_unit_test(test_launcher_request_encode_refuses_an_address_of_two_lines),
        cmocka_unit_test(test_launcher_request_encode_names_the_limit_that_was_passed),
        cmocka_unit_test(test_launcher_request_decode_takes_a_spawn_at_all_its_limits),
        cmocka_unit_test(test_launcher_request_decode_refuses_every_prefix),
        cmocka_unit_test(test_launcher_request_decode_survives_every_flipped_bit),
        cmocka_unit_test(test_launcher_request_decode_refuses_what_an_encoder_would_not_send),
        cmocka_unit_test(test_launcher_request_decode_bounds_its_memory),
        cmocka_unit_test(test_launcher_request_decode_refuses_unknown_fields),
        cmocka_unit_test(test_launcher_answer_round_trip_of_hello),
        cmocka_unit_test(test_launcher_answer_round_trip_of_a_spawn),
        cmocka_unit_test(test_launcher_answer_round_trip_of_find_and_tasks),
        cmocka_unit_test(test_launcher_answer_round_trip_of_failure_and_remove),
        cmocka_unit_test(test_launcher_answer_round_trip_of_a_full_page),
        cmocka_unit_test(test_launcher_answer_decode_refuses_an_id_where_none_belongs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
