/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "wire/launcher-client.h"
#include "wire/packet.h"

/* The client against a launcher that the test plays by hand, packet by packet. */

static const char *const argv[] = {"true", NULL}, *const env[] = {NULL};

struct play {
    struct launcher_client *client;
    int launcher; /* the other end */
    unsigned called;
    int code; /* of the last callback's error; 0 */
    int taken;
    uint16_t port;
    enum spawn_failure failure;
    struct cgroup_usage usage;
    bool stopping, network_host;
    bool again; /* make another request from the callback */
};

static const struct spawn_spec spec = {
    .id = {{1}},
    .group = "p-a",
    .argv = (char *const *)argv,
    .env = (char *const *)env,
    .cwd = "",
    .uid = 100000,
    .stop_signal = SIGTERM,
};

/* Any will do: the client only sends them. */
static const struct spawn_files files = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
static const struct launcher_lifeline lifeline = {STDIN_FILENO, STDERR_FILENO};

static void on_stopping(void *owner)
{
    ((struct play *)owner)->stopping = true;
}

static void on_reloaded(const struct launcher_hello *hello, void *owner)
{
    ((struct play *)owner)->network_host = hello->network_host;
}

static const struct launcher_notices notices = {on_stopping, on_reloaded};

static void note(struct play *play, const struct error *err)
{
    play->called++;
    play->code = err ? err->code : 0;
}

static void on_done(const struct error *err, void *owner)
{
    struct play *play = owner;
    struct error ignored;

    note(play, err);
    if (play->again) {
        play->again = false;
        play->code =
            launcher_client_ready(play->client, "again", &lifeline, on_done, play, &ignored);
    }
}

static void on_listen(int *fd, uint16_t port, const struct error *err, void *owner)
{
    struct play *play = owner;

    note(play, err);
    play->port = port;
    play->taken = TAKE_FD(*fd);
}

static void on_spawn(struct spawn_result *result, int *cgroups, enum spawn_failure failure,
                     const struct error *err, void *owner)
{
    struct play *play = owner;

    note(play, err);
    if (*cgroups >= 0)
        play->taken = TAKE_FD(*cgroups);
    play->failure = failure;
    if (!err)
        assert_true(fcntl(result->pidfd, F_GETFD) >= 0);
}

static void on_remove(const struct cgroup_usage *usage, const struct error *err, void *owner)
{
    struct play *play = owner;

    note(play, err);
    if (usage)
        play->usage = *usage;
}

static int setup(void **state)
{
    static struct play play;
    struct error err;
    int ends[2];

    play = (struct play){.taken = FD_NONE};
    assert_int_equal(packet_pair(LAUNCHER_REQUEST_MAX, ends, &err), 0);
    play.launcher = ends[1];
    assert_int_equal(launcher_client_new(ends[0], &notices, &play, &play.client, &err), 0);
    *state = &play;
    return 0;
}

static int teardown(void **state)
{
    struct play *play = *state;

    launcher_client_free(play->client);
    fd_close(play->launcher);
    fd_close(play->taken);
    return 0;
}

static struct launcher_request hear(struct play *play, struct packet_fds *fds)
{
    static uint8_t packet[LAUNCHER_REQUEST_MAX];
    struct launcher_request request;
    struct error err;
    ssize_t size = packet_receive(play->launcher, packet, sizeof(packet), fds, &err);

    assert_true(size > 0);
    assert_int_equal(launcher_request_decode(packet, (size_t)size, &request, &err), 0);
    return request;
}

static void say_with(struct play *play, const struct launcher_answer *answer, const int *fds,
                     size_t count)
{
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct error err;

    assert_int_equal(launcher_answer_encode(answer, &packet, &err), 0);
    assert_int_equal(
        packet_send(play->launcher, buffer_bytes(&packet), buffer_size(&packet), fds, count, &err),
        0);
}

static void say(struct play *play, const struct launcher_answer *answer, int fd)
{
    say_with(play, answer, &fd, fd >= 0 ? 1 : 0);
}

static void say_done(struct play *play, uint64_t id)
{
    static struct launcher_answer answer;

    answer = (struct launcher_answer){.id = id, .type = LAUNCHER_ANSWER_DONE};
    say(play, &answer, FD_NONE);
}

static int dispatch(struct play *play)
{
    struct error err;

    return launcher_client_dispatch(play->client, &err);
}

static int ask(struct play *play)
{
    struct error err;

    return launcher_client_ready(play->client, "here", &lifeline, on_done, play, &err);
}

static void test_launcher_client_calls_back_in_dispatch_only(void **state)
{
    struct play *play = *state;
    struct packet_fds fds;

    assert_int_equal(ask(play), 0);
    say_done(play, hear(play, &fds).id);
    assert_int_equal(play->called, 0);
    assert_int_equal(launcher_client_pending(play->client), 1);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->called, 1);
    assert_int_equal(launcher_client_pending(play->client), 0);
}

static void test_launcher_client_matches_answers_in_any_order(void **state)
{
    struct play *play = *state;
    struct packet_fds fds;
    uint64_t first, second;
    struct error err;

    assert_int_equal(ask(play), 0);
    assert_int_equal(launcher_client_listen(play->client, "127.0.0.1", 0, on_listen, play, &err),
                     0);
    first = hear(play, &fds).id;
    second = hear(play, &fds).id;
    say(play,
        &(struct launcher_answer){.id = second, .type = LAUNCHER_ANSWER_LISTEN, .listen_port = 99},
        play->launcher);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->port, 99);
    assert_true(play->taken >= 0);
    say_done(play, first);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->called, 2);
}

static void test_launcher_client_lets_a_callback_make_requests(void **state)
{
    struct play *play = *state;
    struct packet_fds fds;

    play->again = true;
    assert_int_equal(ask(play), 0);
    say_done(play, hear(play, &fds).id);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->code, 0);
    assert_int_equal(launcher_client_pending(play->client), 1);
    say_done(play, hear(play, &fds).id);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->called, 2);
}

static void test_launcher_client_spawn_sends_three_descriptors(void **state)
{
    struct play *play = *state;
    struct launcher_answer answer = {.type = LAUNCHER_ANSWER_SPAWN};
    _cleanup_packet_fds_ struct packet_fds fds = PACKET_FDS_NULL;
    struct launcher_request request;
    struct error err;

    assert_int_equal(launcher_client_spawn(play->client, &spec, &files, on_spawn, play, &err), 0);
    request = hear(play, &fds);
    assert_int_equal(fds.count, LAUNCHER_SPAWN_FDS);
    assert_string_equal(request.spawn.argv[0], "true");
    answer.id = request.id;
    answer.spawn.result.pid = 5;
    say(play, &answer, play->launcher);
    launcher_request_done(&request);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->called, 1);
    assert_int_equal(play->failure, SPAWN_FAILURE_NONE);
}

static void ask_to_spawn(struct play *play, struct launcher_answer *answer)
{
    _cleanup_packet_fds_ struct packet_fds fds = PACKET_FDS_NULL;
    struct launcher_request request;

    assert_int_equal(launcher_client_spawn(play->client, &spec, &files, on_spawn, play, NULL), 0);
    request = hear(play, &fds);
    *answer = (struct launcher_answer){.id = request.id, .type = LAUNCHER_ANSWER_SPAWN};
    answer->spawn.result.pid = 5;
    answer->spawn.cgroups = true;
    launcher_request_done(&request);
}

static void test_launcher_client_spawn_brings_a_root_that_is_announced(void **state)
{
    struct play *play = *state;
    const int fds[] = {play->launcher, STDIN_FILENO};
    static struct launcher_answer answer;

    ask_to_spawn(play, &answer);
    say_with(play, &answer, fds, 2);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->code, 0);
    assert_true(play->taken >= 0);
    ask_to_spawn(play, &answer);
    say_with(play, &answer, fds, 1);
    assert_int_equal(dispatch(play), -EPROTO);
}

static void on_find(struct spawn_result *result, const struct error *err, void *owner)
{
    struct play *play = owner;

    note(play, err);
    if (result)
        play->taken = TAKE_FD(result->pidfd);
}

static void on_tasks(const struct launcher_tasks *tasks, const struct error *err, void *owner)
{
    struct play *play = owner;

    note(play, err);
    if (tasks)
        play->port = (uint16_t)tasks->count;
}

static void test_launcher_client_finds_processes_and_lists_tasks(void **state)
{
    struct play *play = *state;
    const struct spawn_process known = {7, 8};
    const struct id id = {{1}};
    static struct launcher_answer answer;
    struct launcher_request request;
    struct packet_fds fds;
    struct error err;

    assert_int_equal(launcher_client_find(play->client, "p-a", &id, &known, on_find, play, &err),
                     0);
    request = hear(play, &fds);
    assert_int_equal(request.find.known.pid, 7);
    assert_int_equal(request.find.known.start_time, 8);
    answer = (struct launcher_answer){.id = request.id, .type = LAUNCHER_ANSWER_FIND};
    answer.find.pid = 7;
    say(play, &answer, STDIN_FILENO);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->code, 0);
    assert_true(play->taken >= 0);

    assert_int_equal(launcher_client_list_tasks(play->client, "p-a", &id, on_tasks, play, &err), 0);
    answer =
        (struct launcher_answer){.id = hear(play, &fds).id, .type = LAUNCHER_ANSWER_LIST_TASKS};
    answer.tasks.count = 1;
    answer.tasks.list[0] = (struct spawn_task){9, 'D', "dd"};
    say(play, &answer, FD_NONE);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->called, 2);
    assert_int_equal(play->port, 1);

    assert_int_equal(launcher_client_find(play->client, "p-a", &id, &known, on_find, play, &err),
                     0);
    assert_int_equal(launcher_client_list_tasks(play->client, "p-a", &id, on_tasks, play, &err), 0);
    play->launcher = fd_close(play->launcher);
    assert_int_equal(dispatch(play), -EPIPE);
    assert_int_equal(play->called, 4);
    assert_int_equal(play->code, -EPIPE);
}

static void test_launcher_client_spawn_refuses_what_the_launcher_would(void **state)
{
    struct play *play = *state;
    const struct spawn_spec bad = {
        .group = "p-a", .argv = (char *const *)argv, .env = (char *const *)env, .cwd = ""};
    struct error err;

    assert_int_equal(launcher_client_spawn(play->client, &bad, &files, on_spawn, play, &err),
                     -EINVAL);
    assert_int_equal(launcher_client_pending(play->client), 0);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->called, 0);
}

static void test_launcher_client_tells_failures(void **state)
{
    struct play *play = *state;
    const struct id id = {{1}};
    struct launcher_answer answer = {.type = LAUNCHER_ANSWER_FAILURE};
    struct packet_fds fds;
    struct error err;

    assert_int_equal(launcher_client_remove(play->client, "p-a", &id, on_remove, play, &err), 0);
    answer.id = hear(play, &fds).id;
    error_set(&answer.failure.error, -ENOENT, "there is no such job");
    say(play, &answer, FD_NONE);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->code, -ENOENT);
}

static void test_launcher_client_tells_busy_as_an_error(void **state)
{
    struct play *play = *state;
    const struct id id = {{1}};
    struct launcher_answer answer = {.type = LAUNCHER_ANSWER_REMOVE, .remove = {.busy = true}};
    struct packet_fds fds;
    struct error err;

    assert_int_equal(launcher_client_remove(play->client, "p-a", &id, on_remove, play, &err), 0);
    answer.id = hear(play, &fds).id;
    say(play, &answer, FD_NONE);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->code, -EBUSY);

    assert_int_equal(launcher_client_remove(play->client, "p-a", &id, on_remove, play, &err), 0);
    answer = (struct launcher_answer){
        .id = hear(play, &fds).id,
        .type = LAUNCHER_ANSWER_REMOVE,
        .remove = {.usage = {.cpu_usec = 5}},
    };
    say(play, &answer, FD_NONE);
    assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->code, 0);
    assert_int_equal(play->usage.cpu_usec, 5);
}

static void test_launcher_client_hears_stopping(void **state)
{
    struct play *play = *state;
    struct launcher_answer answer = {.type = LAUNCHER_ANSWER_STOPPING};

    say(play, &answer, FD_NONE);
    assert_int_equal(dispatch(play), 0);
    assert_true(play->stopping);
}

static void test_launcher_client_hears_of_a_reload(void **state)
{
    struct play *play = *state;
    struct launcher_answer answer = {.type = LAUNCHER_ANSWER_RELOADED,
                                     .hello = {.protocol = 1, .network_host = true}};

    say(play, &answer, FD_NONE);
    assert_int_equal(dispatch(play), 0);
    assert_true(play->network_host);
}

static void test_launcher_client_tells_everybody_when_the_launcher_is_gone(void **state)
{
    struct play *play = *state;
    struct packet_fds fds;

    assert_int_equal(ask(play), 0);
    assert_int_equal(ask(play), 0);
    say_done(play, hear(play, &fds).id);
    play->launcher = fd_close(play->launcher);
    assert_int_equal(dispatch(play), -EPIPE);
    assert_int_equal(play->called, 2); /* the answer that came before, and the end */
    assert_int_equal(play->code, -EPIPE);
    assert_int_equal(ask(play), -EPIPE);
    assert_int_equal(dispatch(play), -EPIPE);
    assert_int_equal(play->called, 2);
}

static void test_launcher_client_ends_on_answers_that_make_no_sense(void **state)
{
    struct play *play = *state;
    struct packet_fds fds;

    assert_int_equal(ask(play), 0);
    say(play,
        &(struct launcher_answer){
            .id = hear(play, &fds).id, .type = LAUNCHER_ANSWER_LISTEN, .listen_port = 1},
        play->launcher);
    assert_int_equal(dispatch(play), -EPROTO);
    assert_int_equal(play->code, -EPROTO);
}

static void test_launcher_client_ends_on_an_answer_to_nothing(void **state)
{
    struct play *play = *state;

    say_done(play, 12);
    assert_int_equal(dispatch(play), -EPROTO);
}

static void test_launcher_client_queues_within_bounds_and_in_order(void **state)
{
    struct play *play = *state;
    unsigned accepted = 0;
    struct packet_fds fds;
    int r;

    while ((r = ask(play)) == 0)
        accepted++;
    assert_int_equal(r, -ENOBUFS);
    assert_true(accepted <= LAUNCHER_CLIENT_PENDING_MAX);
    assert_int_equal(launcher_client_pending(play->client), accepted);
    if (accepted < LAUNCHER_CLIENT_PENDING_MAX)
        assert_int_equal(launcher_client_events(play->client), POLLIN | POLLOUT);
    for (uint64_t id = 1; id <= accepted; id++) {
        assert_int_equal(dispatch(play), 0);
        assert_int_equal(hear(play, &fds).id, id);
        say_done(play, id);
    }
    while (launcher_client_pending(play->client) > 0)
        assert_int_equal(dispatch(play), 0);
    assert_int_equal(play->called, accepted);
    assert_int_equal(launcher_client_events(play->client), POLLIN);
}

static void test_launcher_client_free_calls_what_is_pending(void **state)
{
    struct play *play = *state;

    assert_int_equal(ask(play), 0);
    play->client = launcher_client_free(play->client);
    assert_int_equal(play->called, 1);
    assert_int_equal(play->code, -ECANCELED);
}

static void test_launcher_client_wait_gives_up_in_time(void **state)
{
    struct play *play = *state;
    struct error err;

    assert_int_equal(launcher_client_wait(play->client, USEC_PER_MSEC, &err), -ETIMEDOUT);
}

static void test_launcher_client_fd_from_env_checks_the_descriptor(void **state)
{
    struct play *play = *state;
    char number[16];
    struct error err;
    int fd;

    unsetenv(LAUNCHER_CLIENT_ENV);
    assert_int_equal(launcher_client_fd_from_env(&fd, &err), -ENOENT);
    setenv(LAUNCHER_CLIENT_ENV, "x", 1);
    assert_int_equal(launcher_client_fd_from_env(&fd, &err), -EINVAL);
    setenv(LAUNCHER_CLIENT_ENV, "0", 1);
    assert_int_equal(launcher_client_fd_from_env(&fd, &err), -EINVAL);
    snprintf(number, sizeof(number), "%d", play->launcher);
    setenv(LAUNCHER_CLIENT_ENV, number, 1);
    assert_int_equal(launcher_client_fd_from_env(&fd, &err), 0);
    play->launcher = fd;
    assert_null(getenv(LAUNCHER_CLIENT_ENV));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_launcher_client_calls_back_in_dispatch_only),
        TEST(test_launcher_client_matches_answers_in_any_order),
        TEST(test_launcher_client_lets_a_callback_make_requests),
        TEST(test_launcher_client_spawn_sends_three_descriptors),
        TEST(test_launcher_client_spawn_refuses_what_the_launcher_would),
        TEST(test_launcher_client_spawn_brings_a_root_that_is_announced),
        TEST(test_launcher_client_finds_processes_and_lists_tasks),
        TEST(test_launcher_client_tells_failures),
        TEST(test_launcher_client_tells_busy_as_an_error),
        TEST(test_launcher_client_hears_stopping),
        TEST(test_launcher_client_hears_of_a_reload),
        TEST(test_launcher_client_tells_everybody_when_the_launcher_is_gone),
        TEST(test_launcher_client_ends_on_answers_that_make_no_sense),
        TEST(test_launcher_client_ends_on_an_answer_to_nothing),
        TEST(test_launcher_client_queues_within_bounds_and_in_order),
        TEST(test_launcher_client_free_calls_what_is_pending),
        TEST(test_launcher_client_wait_gives_up_in_time),
        TEST(test_launcher_client_fd_from_env_checks_the_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
