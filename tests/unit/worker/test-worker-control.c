/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "store/store-memory.h"
#include "worker/disk-thread.h"
#include "worker/registry.h"

/* Stopping, signalling and deleting jobs on a host that does what the test says. */

static void stop(struct fixture *fixture, const char *id, usec_t grace, struct answer *answer)
{
    assert_int_equal(worker_stop(fixture->worker, &alice, id, 0, grace, answer_done, answer, NULL),
                     0);
}

static void test_stop_asks_init_and_answers_with_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    stop(fixture, id, 3 * USEC_PER_SEC, &answer);
    fixture_settle(fixture);
    assert_int_equal(init->control.op, CONTROL_STOP);
    assert_int_equal(init->control.signal, SIGTERM);
    assert_int_equal(init->control.grace, 3 * USEC_PER_SEC);
    job = fixture_get(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_STOPPING);
    assert_int_equal(job->cause, HOIST_CAUSE_UNSPECIFIED);
    job_info_free(job);

    fake_says_exit(init, CLD_EXITED, 0, STATE_EXIT_STOPPED);
    fake_dies(init);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.job->state, HOIST_STATE_STOPPED);
    assert_int_equal(answer.reply.job->cause, HOIST_CAUSE_STOPPED_BY_USER);
    assert_string_equal(answer.reply.job->stopped_by, "alice");
    answer_clear(&answer);
}

static void test_stop_of_a_tree_that_stays_answers_in_time(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    usec_t asked = clock_boot();

    fixture->host.usage = (struct cgroup_usage){.known = CGROUP_KNOWS_PIDS, .pids_current = 3};
    fixture->host.blocked = (struct spawn_task){.pid = 12, .state = 'D', .name = "dd"};
    stop(fixture, id, 0, &answer);
    fixture_wait(fixture, &answer);
    assert_true(clock_boot() - asked < 3 * USEC_PER_SEC);
    assert_int_equal(answer.reply.job->state, HOIST_STATE_STOPPING);
    assert_int_equal(answer.reply.job->processes_blocked, 3);
    assert_int_equal(answer.reply.job->blocked_task_count, 1);
    assert_int_equal(answer.reply.job->blocked_tasks[0].pid, 12);
    assert_int_equal(init->kills, 1);
    assert_int_equal(init->control.op, CONTROL_KILL);
    answer_clear(&answer);
}

static void test_stop_of_an_ended_job_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);

    fake_says_exit(init, CLD_EXITED, 4, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
    stop(fixture, id, 0, &answer);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.job->state, HOIST_STATE_FAILED);
    assert_int_equal(answer.reply.job->exit_code, 4);
    assert_string_equal(answer.reply.job->stopped_by, "");
    assert_int_equal(init->controls, 0);
    answer_clear(&answer);
}

static void test_stop_before_the_command_was_executed_waits_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct job_spec spec = spec_true();
    struct answer start = {.come = false}, stopped = {.come = false};
    struct fake_init *init;
    char id[ID_TEXT_MAX];

    assert_int_equal(worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &start, NULL),
                     0);
    fixture_wait_spawns(fixture, 1);
    init = fake_last(&fixture->host);
    stop(fixture, id_format(&init->id, id), 0, &stopped);
    fixture_settle(fixture);
    assert_int_equal(init->controls, 0);
    fake_says_started(init);
    fixture_wait(fixture, &start);
    fixture_settle(fixture);
    assert_int_equal(init->control.op, CONTROL_STOP);
    fake_says_exit(init, CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED);
    fake_dies(init);
    fixture_wait(fixture, &stopped);
    assert_int_equal(stopped.reply.job->state, HOIST_STATE_STOPPED);
    answer_clear(&start);
    answer_clear(&stopped);
}

static void test_timeout_shows_as_stopping_and_then_timed_out(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fake_says_stopping(init, STATE_STOP_TIMEOUT, 10 * (int64_t)USEC_PER_SEC);
    fixture_settle(fixture);
    job = fixture_get(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_STOPPING);
    job_info_free(job);
    fake_says_exit(init, CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED | STATE_EXIT_TIMED_OUT);
    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->cause, HOIST_CAUSE_TIMED_OUT);
    assert_string_equal(job->error, "stopped at its timeout, after 1.0s");
    job_info_free(job);
}

static void test_signal_reaches_the_command(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);

    assert_int_equal(worker_signal(fixture->worker, &alice, id, SIGHUP, answer_done, &answer, NULL),
                     0);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.job->state, HOIST_STATE_RUNNING);
    assert_int_equal(init->control.op, CONTROL_SIGNAL);
    assert_int_equal(init->control.signal, SIGHUP);
    answer_clear(&answer);

    fake_says_exit(init, CLD_KILLED, SIGHUP, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
    assert_int_equal(worker_signal(fixture->worker, &alice, id, SIGHUP, answer_done, &answer, NULL),
                     0);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_JOB_ENDED);
    answer_clear(&answer);
}

static void delete (struct fixture *fixture, const char *id, bool force, struct answer *answer)
{
    assert_int_equal(worker_delete(fixture->worker, &alice, id, force, answer_done, answer, NULL),
                     0);
}

static void test_delete_needs_force_while_the_job_runs(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct worker_counts counts;

    delete (fixture, id, false, &answer);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_JOB_RUNNING);
    answer_clear(&answer);

    delete (fixture, id, true, &answer);
    fixture_settle(fixture);
    assert_int_equal(init->control.op, CONTROL_STOP);
    fake_says_exit(init, CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED);
    fake_dies(init);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    answer_clear(&answer);
    fixture_settle(fixture);
    assert_int_equal(fixture_directories(fixture), 0);
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.running + counts.kept, 0);

    delete (fixture, id, true, &answer);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_JOB_NOT_FOUND);
    answer_clear(&answer);
}

static void test_stop_all_ends_everything_as_the_agents_doing(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[3][ID_TEXT_MAX];

    for (unsigned i = 0; i < 3; i++)
        fixture_start(fixture, id[i]);
    assert_int_equal(worker_stop_all(fixture->worker, USEC_INFINITY, answer_done, &answer, NULL),
                     0);
    for (unsigned i = 0; i < 3; i++) {
        fixture_settle(fixture);
        assert_false(answer.come);
        fake_says_exit(&fixture->host.inits[2 - i], CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED);
        fake_dies(&fixture->host.inits[2 - i]);
    }
    fixture_wait(fixture, &answer);
    answer_clear(&answer);
    for (unsigned i = 0; i < 3; i++) {
        struct job_info *job = fixture_get(fixture, id[i]);

        assert_int_equal(job->cause, HOIST_CAUSE_AGENT_SHUTDOWN);
        assert_int_equal(job->state, HOIST_STATE_STOPPED);
        assert_string_equal(job->stopped_by, "");
        job_info_free(job);
    }
}

/* One whose record can't be written is dropped: the others are waited for all the same. */
static void test_stop_all_outlasts_a_start_that_fails(void **state)
{
    struct fixture *fixture = *state;
    struct job_spec spec = spec_true();
    struct answer start = {.come = false}, answer = {.come = false};
    struct fake_init *failing, *init;
    char id[ID_TEXT_MAX];

    store_memory_fail(fixture->store, -EIO, 1);
    worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &start, NULL);
    fixture_wait_spawns(fixture, 1);
    fixture_settle(fixture);
    failing = fake_last(&fixture->host);
    init = fixture_start(fixture, id);
    worker_stop_all(fixture->worker, USEC_INFINITY, answer_done, &answer, NULL);
    fake_says_started(failing);
    fixture_wait(fixture, &start);
    assert_int_equal(start.reply.failure->reason, HOIST_REASON_STORE_FAILED);
    answer_clear(&start);
    fixture_settle(fixture);
    assert_false(answer.come);
    fake_says_exit(init, CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED);
    fake_dies(init);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
}

/* What a disk's thread does that a disk keeps waiting. */
struct slow_task {
    struct disk_task task;
    int go_on[2];
    bool done;
};

static void wait_for_disk(struct disk_task *base)
{
    char byte;

    (void)!read(((struct slow_task *)(void *)base)->go_on[0], &byte, 1);
}

static void slow_task_done(struct disk_task *base)
{
    ((struct slow_task *)(void *)base)->done = true;
}

/* A gigabyte takes time to be given back: the others are answered meanwhile. */
static void test_delete_waits_for_the_disk_and_nobody_else_does(void **state)
{
    struct fixture *fixture = *state;
    struct slow_task slow = {.task = {.run = wait_for_disk, .done = slow_task_done}};
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct worker_counts counts;

    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
    assert_int_equal(pipe2(slow.go_on, O_CLOEXEC), 0);
    disk_thread_ask(fixture->worker->disk, &slow.task);
    delete (fixture, id, false, &answer);
    do {
        fixture_settle(fixture);
        worker_count(fixture->worker, &counts);
    } while (counts.kept > 0); /* the record is gone */
    assert_int_equal(fixture_directories(fixture), 1);
    fixture_start(fixture, other);
    job_info_free(fixture_get(fixture, other));
    assert_false(answer.come || slow.done);
    assert_int_equal(write(slow.go_on[1], "", 1), 1);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    answer_clear(&answer);
    assert_int_equal(fixture_directories(fixture), 1); /* the other one */
    close(slow.go_on[0]);
    close(slow.go_on[1]);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_stop_asks_init_and_answers_with_the_end),
        WITH_FIXTURE(test_stop_of_a_tree_that_stays_answers_in_time),
        WITH_FIXTURE(test_stop_of_an_ended_job_changes_nothing),
        WITH_FIXTURE(test_stop_before_the_command_was_executed_waits_for_it),
        WITH_FIXTURE(test_timeout_shows_as_stopping_and_then_timed_out),
        WITH_FIXTURE(test_signal_reaches_the_command),
        WITH_FIXTURE(test_delete_needs_force_while_the_job_runs),
        WITH_FIXTURE(test_delete_waits_for_the_disk_and_nobody_else_does),
        WITH_FIXTURE(test_stop_all_ends_everything_as_the_agents_doing),
        WITH_FIXTURE(test_stop_all_outlasts_a_start_that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
