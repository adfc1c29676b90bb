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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "launcher/connection.h"
#include "wire/launcher-client.h"
#include "wire/packet.h"

/*
 * Both ends of the socket in one process: hoistd's real client, or bytes that no client of ours
 * would send, against the launcher's real connection. No job is started: there is no spawn context.
 */

struct talk {
    struct launcher_config config;
    struct launcher launcher;
    struct connection connection;
    struct launcher_client *client; /* owns hoistd's end */
    struct launcher_lifeline lifeline;
    int hoistd; /* the same descriptor, for sending past the client */
    unsigned called;
    int code;
    char words[ERROR_TEXT_MAX]; /* of the last failure */
    uint16_t port;
    struct launcher_hello hello;
    bool stopping;
    struct launcher_hello reloaded;
};

static void on_stopping(void *owner)
{
    ((struct talk *)owner)->stopping = true;
}

static void on_reloaded(const struct launcher_hello *hello, void *owner)
{
    ((struct talk *)owner)->reloaded = *hello;
}

static const struct launcher_notices notices = {on_stopping, on_reloaded};

static struct launcher_lifeline make_lifeline(void)
{
    char directory[] = "/tmp/hoist-test-XXXXXX", path[64];
    struct launcher_lifeline lifeline;

    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/lifeline", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    lifeline.hold = open(path, O_RDWR | O_CLOEXEC);
    lifeline.watch = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(lifeline.hold >= 0 && lifeline.watch >= 0);
    assert_int_equal(unlink(path) | rmdir(directory), 0);
    return lifeline;
}

static int setup(void **state)
{
    static struct talk talk;
    struct error err;
    int ends[2];

    talk = (struct talk){.config = {.job_uid_min = 100000, .job_uid_max = 100010}};
    talk.config.agent_uid = geteuid();
    talk.launcher.config = &talk.config;
    talk.launcher.lifeline = LIFELINE_NULL;
    talk.lifeline = make_lifeline();
    talk.launcher.facts = (struct launcher_hello){
        .protocol = LAUNCHER_PROTOCOL_VERSION, .version = "1.2.3", .boot_id = {{1}}};
    assert_int_equal(packet_pair(LAUNCHER_REQUEST_MAX, ends, &err), 0);
    connection_init(&talk.connection, ends[0]);
    talk.hoistd = ends[1];
    assert_int_equal(launcher_client_new(ends[1], &notices, &talk, &talk.client, &err), 0);
    *state = &talk;
    return 0;
}

static int teardown(void **state)
{
    struct talk *talk = *state;

    launcher_client_free(talk->client);
    connection_done(&talk->connection);
    listeners_done(&talk->launcher.listeners);
    lifeline_done(&talk->launcher.lifeline);
    fd_close(talk->lifeline.hold);
    fd_close(talk->lifeline.watch);
    return 0;
}

static void note(struct talk *talk, const struct error *err)
{
    talk->called++;
    talk->code = err ? err->code : 0;
    snprintf(talk->words, sizeof(talk->words), "%s", err ? err->text : "");
}

static void on_hello(const struct launcher_hello *hello, int *cgroups, const struct error *err,
                     void *owner)
{
    struct talk *talk = owner;

    assert_int_equal(*cgroups, FD_NONE); /* the launcher has no root of cgroups here */

    note(talk, err);
    if (hello)
        talk->hello = *hello;
}

static void on_listen(int *fd, uint16_t port, const struct error *err, void *owner)
{
    struct talk *talk = owner;

    (void)fd; /* not taken: the client closes it */
    note(talk, err);
    talk->port = port;
}

static void on_done(const struct error *err, void *owner)
{
    note(owner, err);
}

static void on_spawn(struct spawn_result *result, int *cgroups, enum spawn_failure failure,
                     const struct error *err, void *owner)
{
    (void)result;
    (void)cgroups;
    (void)failure;
    note(owner, err);
}

/* Lets the launcher hear and answer, and hoistd hear the answer. */
static int go(struct talk *talk)
{
    struct error err;
    int r = connection_dispatch(&talk->connection, &talk->launcher, &err);

    if (r < 0)
        return r;
    return launcher_client_dispatch(talk->client, &err);
}

static void greet(struct talk *talk)
{
    struct error err;

    assert_int_equal(launcher_client_hello(talk->client, on_hello, talk, &err), 0);
    assert_int_equal(go(talk), 0);
    assert_int_equal(talk->code, 0);
}

static void send_request(struct talk *talk, const struct launcher_request *request, size_t fds)
{
    static const int standard[] = {0, 1, 2};
    _cleanup_buffer_ struct buffer packet = {.limit = 0};
    struct error err;

    assert_int_equal(launcher_request_encode(request, &packet, &err), 0);
    assert_int_equal(
        packet_send(talk->hoistd, buffer_bytes(&packet), buffer_size(&packet), standard, fds, &err),
        0);
}

static int hear(struct talk *talk)
{
    struct error err;

    return connection_dispatch(&talk->connection, &talk->launcher, &err);
}

static void test_connection_goes_from_greeting_to_ready(void **state)
{
    struct talk *talk = *state;
    struct error err;

    greet(talk);
    assert_string_equal(talk->hello.version, "1.2.3");
    assert_int_equal(talk->connection.state, CONNECTION_SETTING_UP);
    assert_int_equal(launcher_client_listen(talk->client, "127.0.0.1", 0, on_listen, talk, &err),
                     0);
    assert_int_equal(go(talk), 0);
    assert_true(talk->port > 0);
    assert_int_equal(
        launcher_client_ready(talk->client, "127.0.0.1:1", &talk->lifeline, on_done, talk, &err),
        0);
    assert_int_equal(go(talk), 0);
    assert_int_equal(talk->connection.state, CONNECTION_READY);
    assert_int_equal(talk->called, 3);
}

static void test_connection_takes_no_lifeline_that_is_none(void **state)
{
    struct talk *talk = *state;
    const struct launcher_lifeline other = make_lifeline();
    const struct {
        struct launcher_lifeline lifeline;
        const char *words;
    } wrong[] = {
        {{STDIN_FILENO, talk->lifeline.watch}, "lifeline"},
        {{talk->lifeline.watch, talk->lifeline.hold}, "isn't open"},
        {{talk->hoistd, talk->lifeline.watch}, "no FIFO"},
        {{talk->lifeline.hold, other.watch}, "of two FIFOs"},
    };
    struct error err;

    greet(talk);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(
            launcher_client_ready(talk->client, "x", &wrong[i].lifeline, on_done, talk, &err), 0);
        assert_int_equal(go(talk), 0);
        assert_int_equal(talk->code, -EPERM);
        assert_non_null(strstr(talk->words, wrong[i].words));
        assert_int_equal(talk->connection.state, CONNECTION_SETTING_UP);
    }
    talk->config.agent_uid++;
    assert_int_equal(launcher_client_ready(talk->client, "x", &talk->lifeline, on_done, talk, &err),
                     0);
    assert_int_equal(go(talk), 0);
    assert_non_null(strstr(talk->words, "belongs to uid"));
    fd_close(other.hold);
    fd_close(other.watch);
}

static void test_connection_answers_a_failure_and_goes_on(void **state)
{
    struct talk *talk = *state;
    struct error err;

    greet(talk);
    assert_int_equal(launcher_client_listen(talk->client, "127.0.0.1", 22, on_listen, talk, &err),
                     0);
    assert_int_equal(go(talk), 0);
    assert_int_equal(talk->code, -EACCES);
    assert_int_equal(launcher_client_listen(talk->client, "127.0.0.1", 0, on_listen, talk, &err),
                     0);
    assert_int_equal(go(talk), 0);
    assert_int_equal(talk->code, 0);
}

static void test_connection_tells_another_version_and_stays_in_greeting(void **state)
{
    struct talk *talk = *state;
    static uint8_t packet[LAUNCHER_ANSWER_MAX];
    static struct launcher_answer answer;
    struct packet_fds fds;
    struct error err;
    ssize_t size;

    send_request(talk,
                 &(struct launcher_request){
                     .id = 1, .type = LAUNCHER_REQUEST_HELLO, .hello = {.protocol = 99}},
                 0);
    assert_int_equal(hear(talk), 0);
    size = packet_receive(talk->hoistd, packet, sizeof(packet), &fds, &err);
    assert_int_equal(launcher_answer_decode(packet, (size_t)size, &answer, &err), 0);
    assert_int_equal(answer.type, LAUNCHER_ANSWER_FAILURE);
    assert_int_equal(answer.failure.error.code, -EPROTONOSUPPORT);
    assert_int_equal(talk->connection.state, CONNECTION_GREETING);
}

static void test_connection_ends_on_an_illegal_request(void **state)
{
    struct talk *talk = *state;

    send_request(talk, &(struct launcher_request){.id = 1, .type = LAUNCHER_REQUEST_READY}, 0);
    assert_int_equal(hear(talk), -EPROTO);
}

static void test_connection_ends_on_unasked_descriptors(void **state)
{
    struct talk *talk = *state;

    send_request(talk,
                 &(struct launcher_request){
                     .id = 1, .type = LAUNCHER_REQUEST_HELLO, .hello = {.protocol = 1}},
                 1);
    assert_int_equal(hear(talk), -EPROTO);
}

static void test_connection_ends_on_bytes_that_are_no_message(void **state)
{
    struct talk *talk = *state;
    struct error err;

    assert_int_equal(packet_send(talk->hoistd, "GET / HTTP/1.1", 14, NULL, 0, &err), 0);
    assert_int_equal(hear(talk), -EPROTO);
}

static void test_connection_notices_that_hoistd_is_gone(void **state)
{
    struct talk *talk = *state;

    talk->client = launcher_client_free(talk->client);
    assert_int_equal(hear(talk), -EPIPE);
}

static void test_connection_reads_nothing_while_an_answer_waits(void **state)
{
    struct talk *talk = *state;
    const struct launcher_request request = {
        .id = 1, .type = LAUNCHER_REQUEST_HELLO, .hello = {.protocol = 99}};

    /* hoistd asks and asks and never listens. */
    for (int i = 0; i < 2000; i++) {
        _cleanup_buffer_ struct buffer packet = {.limit = 0};
        struct error err;

        assert_int_equal(launcher_request_encode(&request, &packet, &err), 0);
        (void)packet_send(talk->hoistd, buffer_bytes(&packet), buffer_size(&packet), NULL, 0, &err);
        assert_int_equal(hear(talk), 0);
    }
    assert_int_equal(connection_events(&talk->connection), POLLOUT);
    assert_true(buffer_size(&talk->connection.answer) <= LAUNCHER_ANSWER_MAX);
}

static void test_connection_refuses_jobs_above_the_ceilings(void **state)
{
    static const char *const argv[] = {"true", NULL}, *const env[] = {NULL};
    struct talk *talk = *state;
    const struct spawn_spec spec = {
        .id = {{1}},
        .group = "p-a",
        .argv = (char *const *)argv,
        .env = (char *const *)env,
        .cwd = "",
        .uid = 100000,
        .stop_signal = SIGTERM,
        .network = SPAWN_NETWORK_HOST,
    };
    const struct spawn_files files = {0, 1, 2};
    struct error err;

    greet(talk);
    assert_int_equal(launcher_client_ready(talk->client, "x", &talk->lifeline, on_done, talk, &err),
                     0);
    assert_int_equal(go(talk), 0);
    assert_int_equal(launcher_client_spawn(talk->client, &spec, &files, on_spawn, talk, &err), 0);
    assert_int_equal(go(talk), 0);
    assert_int_equal(talk->code, -EPERM);
    talk->launcher.stopping = true;
    assert_int_equal(launcher_client_spawn(talk->client, &spec, &files, on_spawn, talk, &err), 0);
    assert_int_equal(go(talk), 0);
    assert_int_equal(talk->code, -ESHUTDOWN);
}

static void test_connection_tells_stopping_once_greeted(void **state)
{
    struct talk *talk = *state;

    connection_tell_stopping(&talk->connection, &talk->launcher);
    assert_int_equal(go(talk), 0);
    assert_false(talk->stopping);
    greet(talk);
    connection_tell_stopping(&talk->connection,
                             &talk->launcher); /* sent at once: a signal may follow */
    assert_int_equal(connection_events(&talk->connection), POLLIN);
    assert_int_equal(go(talk), 0);
    assert_true(talk->stopping);
    assert_int_equal(connection_events(&talk->connection), POLLIN);
}

static void test_connection_tells_of_a_reload_once_greeted(void **state)
{
    struct talk *talk = *state;

    connection_tell_reloaded(&talk->connection, &talk->launcher);
    assert_int_equal(go(talk), 0);
    assert_string_equal(talk->reloaded.version, "");
    greet(talk);
    talk->launcher.facts.network_host = true;
    connection_tell_reloaded(&talk->connection, &talk->launcher);
    connection_tell_stopping(&talk->connection, &talk->launcher);
    assert_int_equal(go(talk), 0);
    assert_true(talk->reloaded.network_host && talk->stopping);
    assert_string_equal(talk->reloaded.version, "1.2.3");
    assert_int_equal(connection_events(&talk->connection), POLLIN);
}

static void test_connection_tells_later_what_it_could_not_pack(void **state)
{
    struct talk *talk = *state;

    greet(talk);
    talk->launcher.facts.network_host = true;
    talk->connection.answer.limit = 1; /* no memory for more */
    connection_tell_reloaded(&talk->connection, &talk->launcher);
    connection_tell_stopping(&talk->connection, &talk->launcher);
    assert_int_equal(connection_events(&talk->connection), POLLOUT);
    talk->connection.answer.limit = 0;
    assert_int_equal(go(talk), 0);
    assert_true(talk->reloaded.network_host && talk->stopping);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connection_goes_from_greeting_to_ready),
        TEST(test_connection_takes_no_lifeline_that_is_none),
        TEST(test_connection_answers_a_failure_and_goes_on),
        TEST(test_connection_tells_another_version_and_stays_in_greeting),
        TEST(test_connection_ends_on_an_illegal_request),
        TEST(test_connection_ends_on_unasked_descriptors),
        TEST(test_connection_ends_on_bytes_that_are_no_message),
        TEST(test_connection_notices_that_hoistd_is_gone),
        TEST(test_connection_reads_nothing_while_an_answer_waits),
        TEST(test_connection_refuses_jobs_above_the_ceilings),
        TEST(test_connection_tells_stopping_once_greeted),
        TEST(test_connection_tells_of_a_reload_once_greeted),
        TEST(test_connection_tells_later_what_it_could_not_pack),
    };

    log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
