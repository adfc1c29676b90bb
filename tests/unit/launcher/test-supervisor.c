/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/strv.h"
#include "launcher/hoistd-process.h"
#include "launcher/supervisor.h"

/* The supervisor with shell scripts in hoistd's place. Time is the test's own. */

#define NOW (1000 * USEC_PER_SEC)

struct stage {
    struct launcher_config config;
    struct launcher launcher;
    struct supervisor supervisor;
};

static int setup(void **state)
{
    static struct stage stage;

    stage = (struct stage){
        .config =
            {
                .hoistd = (char *)(uintptr_t) "/bin/sh",
                .agent_uid = geteuid() == 0 ? 65534 : geteuid(),
                .agent_gid = geteuid() == 0 ? 65534 : getegid(),
                .stop_timeout = 30 * USEC_PER_SEC,
            },
    };
    stage.launcher.config = &stage.config;
    supervisor_init(&stage.supervisor, &stage.launcher, NOW);
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    if (stage->supervisor.hoistd.pid > 0) {
        (void)pidref_kill(&stage->supervisor.hoistd, SIGKILL);
        (void)waitpid(stage->supervisor.hoistd.pid, NULL, 0);
    }
    supervisor_done(&stage->supervisor);
    strv_free(stage->config.hoistd_args);
    strv_free(stage->config.environment);
    return 0;
}

static void start(struct stage *stage, const char *script)
{
    strv_free(stage->config.hoistd_args);
    stage->config.hoistd_args = NULL;
    assert_int_equal(strv_append(&stage->config.hoistd_args, "-c"), 0);
    assert_int_equal(strv_append(&stage->config.hoistd_args, script), 0);
    supervisor_tick(&stage->supervisor, stage->supervisor.deadline);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_RUNNING);
}

/* Waits for the script's end and tells the supervisor; returns the status. */
static int end(struct stage *stage, usec_t now)
{
    pid_t pid = stage->supervisor.hoistd.pid;
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    supervisor_reaped(&stage->supervisor, pid, status, now);
    assert_int_equal(stage->supervisor.hoistd.pid, 0);
    return status;
}

static void wait_for_socket(struct stage *stage)
{
    struct pollfd waiting = {.fd = stage->supervisor.connection.fd, .events = POLLIN};

    assert_int_equal(poll(&waiting, 1, 10000), 1);
}

static void test_supervisor_restarts_with_a_growing_wait(void **state)
{
    static const usec_t waits[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000}; /* ms */
    struct stage *stage = *state;
    usec_t now = NOW;

    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        start(stage, "exit 1");
        end(stage, now);
        assert_int_equal(stage->supervisor.state, SUPERVISOR_WAITING);
        assert_int_equal(stage->supervisor.deadline - now, waits[i] * USEC_PER_MSEC);
        supervisor_tick(&stage->supervisor, stage->supervisor.deadline - 1);
        assert_int_equal(stage->supervisor.state, SUPERVISOR_WAITING);
        now = stage->supervisor.deadline;
    }
}

static void test_supervisor_forgets_the_wait_after_a_good_while(void **state)
{
    struct stage *stage = *state;

    stage->supervisor.backoff = SUPERVISOR_BACKOFF_MAX;
    start(stage, "exit 1");
    stage->supervisor.ready_since = NOW;
    end(stage, NOW + SUPERVISOR_GOOD_AFTER - 1);
    assert_int_equal(stage->supervisor.deadline,
                     NOW + SUPERVISOR_GOOD_AFTER - 1 + SUPERVISOR_BACKOFF_MAX);
    start(stage, "exit 1");
    stage->supervisor.ready_since = NOW;
    end(stage, NOW + SUPERVISOR_GOOD_AFTER);
    assert_int_equal(stage->supervisor.deadline,
                     NOW + SUPERVISOR_GOOD_AFTER + SUPERVISOR_BACKOFF_MIN);
}

static void test_supervisor_gives_up_on_a_configuration_error(void **state)
{
    struct stage *stage = *state;

    start(stage, "exit 78");
    end(stage, NOW);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_ENDED);
    assert_int_equal(stage->supervisor.exit_status, HOISTD_EXIT_CONFIG);
}

static void test_supervisor_waits_when_hoistd_cannot_be_executed(void **state)
{
    struct stage *stage = *state;
    struct pidref ignored;
    struct error err;

    stage->config.hoistd = (char *)(uintptr_t) "/nonexistent/hoistd";
    supervisor_tick(&stage->supervisor, NOW);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_WAITING);
    assert_int_equal(hoistd_process_start(&stage->config, 0, &ignored, &err), -ENOENT);
    assert_string_equal(err.text, "can't execute /nonexistent/hoistd: No such file or directory");
}

static void test_supervisor_kills_whoever_breaks_the_protocol(void **state)
{
    struct stage *stage = *state;
    int status;

    start(stage, "echo nonsense >&3; exec sleep 1000");
    wait_for_socket(stage);
    supervisor_dispatch(&stage->supervisor, NOW);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_LEAVING);
    status = end(stage, NOW);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_WAITING);
}

static void test_supervisor_gives_time_to_whoever_closes_its_socket(void **state)
{
    struct stage *stage = *state;
    int status;

    start(stage, "exec 3>&-; exec sleep 1000");
    wait_for_socket(stage);
    supervisor_dispatch(&stage->supervisor, NOW);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_LEAVING);
    assert_int_equal(stage->supervisor.deadline, NOW + SUPERVISOR_EXIT_GRACE);
    assert_false(pidref_has_ended(&stage->supervisor.hoistd));
    supervisor_tick(&stage->supervisor, NOW + SUPERVISOR_EXIT_GRACE);
    status = end(stage, NOW);
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_supervisor_stop_asks_first_and_kills_later(void **state)
{
    struct stage *stage = *state;
    int status;

    start(stage, "trap '' TERM; echo >&3; exec sleep 1000");
    wait_for_socket(stage); /* the trap is set */
    supervisor_stop(&stage->supervisor, NOW);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_STOPPING);
    assert_true(stage->launcher.stopping);
    assert_int_equal(stage->supervisor.deadline, NOW + stage->config.stop_timeout);
    assert_false(pidref_has_ended(&stage->supervisor.hoistd));
    supervisor_tick(&stage->supervisor, NOW + stage->config.stop_timeout);
    status = end(stage, NOW);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_ENDED);
    assert_int_equal(stage->supervisor.exit_status, 0);
}

static void test_supervisor_stop_ends_at_once_while_waiting(void **state)
{
    struct stage *stage = *state;

    start(stage, "exit 1");
    end(stage, NOW);
    supervisor_stop(&stage->supervisor, NOW);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_ENDED);
    assert_int_equal(stage->supervisor.exit_status, 0);
}

static void test_supervisor_stop_takes_every_end_for_a_good_one(void **state)
{
    struct stage *stage = *state;

    start(stage, "exec sleep 1000");
    supervisor_stop(&stage->supervisor, NOW);
    assert_int_equal(WTERMSIG(end(stage, NOW)), SIGTERM);
    assert_int_equal(stage->supervisor.exit_status, 0);
}

static void test_supervisor_reaped_ignores_other_children(void **state)
{
    struct stage *stage = *state;

    start(stage, "exec sleep 1000");
    supervisor_reaped(&stage->supervisor, stage->supervisor.hoistd.pid + 1, 0, NOW);
    assert_int_equal(stage->supervisor.state, SUPERVISOR_RUNNING);
}

/* What hoistd inherits, as it sees it itself: each check has its own exit status. */
static void test_hoistd_process_start_hands_on_nothing_else(void **state)
{
    struct stage *stage = *state;
    char *script;
    int status;

    assert_int_equal(strv_append(&stage->config.environment, "TZ=UTC"), 0);
    script = text_format(
        "test \"$(id -u)\" = %u || exit 10\n"
        "test \"$(id -G)\" = %u || test %u != 65534 || exit 11\n"
        "grep -q '^CapEff:.0000000000000000$' /proc/self/status || exit 12\n"
        "grep -q '^CapBnd:.0000000000000000$' /proc/self/status || test %u != 65534 || exit 13\n"
        "grep -q '^NoNewPrivs:.1$' /proc/self/status || exit 14\n"
        "test \"$(ulimit -c)\" = 0 || exit 15\n"
        "test \"$(ulimit -Sn)\" = \"$(ulimit -Hn)\" || test \"$(ulimit -Sn)\" = 1048576 || exit "
        "16\n"
        "test \"$(umask)\" = 0077 || exit 17\n"
        "test \"$PWD\" = / || exit 18\n"
        "test \"$HOIST_LAUNCHER_FD\" = 3 || exit 19\n"
        "test \"$TZ\" = UTC || exit 20\n"
        "test -z \"$LEAKED\" || exit 21\n"
        "test -e /proc/$$/fd/3 || exit 22\n"
        "for n in 4 5 6 7 8 9 10 11 12 13 14 15 16; do test ! -e /proc/$$/fd/$n || exit 23; done\n"
        "test \"$(readlink /proc/self/fd/0)\" = /dev/null || exit 24\n"
        "grep -q '^SigBlk:.0000000000000000$' /proc/self/status || exit 25\n"
        "grep -q '^SigIgn:.0000000000000000$' /proc/self/status || exit 26\n",
        stage->config.agent_uid, stage->config.agent_gid, stage->config.agent_uid,
        stage->config.agent_uid);
    setenv("LEAKED", "secret", 1);
    signal(SIGPIPE, SIG_IGN);
    start(stage, script);
    status = end(stage, NOW);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(script);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_supervisor_restarts_with_a_growing_wait),
        TEST(test_supervisor_forgets_the_wait_after_a_good_while),
        TEST(test_supervisor_gives_up_on_a_configuration_error),
        TEST(test_supervisor_waits_when_hoistd_cannot_be_executed),
        TEST(test_supervisor_kills_whoever_breaks_the_protocol),
        TEST(test_supervisor_gives_time_to_whoever_closes_its_socket),
        TEST(test_supervisor_stop_asks_first_and_kills_later),
        TEST(test_supervisor_stop_ends_at_once_while_waiting),
        TEST(test_supervisor_stop_takes_every_end_for_a_good_one),
        TEST(test_supervisor_reaped_ignores_other_children),
        TEST(test_hoistd_process_start_hands_on_nothing_else),
    };

    /* What the supervisor reports is expected here. */
    assert_non_null(freopen("/dev/null", "w", stderr));
    log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
