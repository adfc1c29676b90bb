/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "store/store-memory.h"

/* The life of a job, cause by cause, on a host that does what the test says. */

struct ending {
    int code, status;
    uint32_t flags;
    uint64_t oom_kill;
    enum hoist_state state;
    enum hoist_cause cause;
};

static const struct ending endings[] = {
    {CLD_EXITED, 0, 0, 0, HOIST_STATE_SUCCEEDED, HOIST_CAUSE_EXITED},
    {CLD_EXITED, 7, 0, 0, HOIST_STATE_FAILED, HOIST_CAUSE_EXITED},
    {CLD_EXITED, 0, 0, 3, HOIST_STATE_SUCCEEDED, HOIST_CAUSE_EXITED},
    {CLD_KILLED, SIGSEGV, 0, 0, HOIST_STATE_FAILED, HOIST_CAUSE_SIGNALED},
    {CLD_DUMPED, SIGABRT, 0, 0, HOIST_STATE_FAILED, HOIST_CAUSE_SIGNALED},
    {CLD_KILLED, SIGKILL, 0, 0, HOIST_STATE_FAILED, HOIST_CAUSE_SIGNALED},
    {CLD_KILLED, SIGKILL, 0, 1, HOIST_STATE_FAILED, HOIST_CAUSE_OOM_KILLED},
    {CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED | STATE_EXIT_TIMED_OUT, 0, HOIST_STATE_FAILED,
     HOIST_CAUSE_TIMED_OUT},
    {CLD_EXITED, 0, STATE_EXIT_STOPPED, 0, HOIST_STATE_STOPPED, HOIST_CAUSE_STOPPED_BY_USER},
    {CLD_KILLED, SIGKILL, STATE_EXIT_STOPPED | STATE_EXIT_KILLED, 1, HOIST_STATE_STOPPED,
     HOIST_CAUSE_STOPPED_BY_USER},
    /* The cap of output: its own signal or code stays, who asked for the end before wins. */
    {CLD_KILLED, SIGTERM, STATE_EXIT_BEYOND_CAP, 0, HOIST_STATE_FAILED, HOIST_CAUSE_OUTPUT_LIMIT},
    {CLD_EXITED, 0, STATE_EXIT_BEYOND_CAP, 0, HOIST_STATE_FAILED, HOIST_CAUSE_OUTPUT_LIMIT},
    {CLD_KILLED, SIGTERM, STATE_EXIT_BEYOND_CAP | STATE_EXIT_STOPPED, 0, HOIST_STATE_STOPPED,
     HOIST_CAUSE_STOPPED_BY_USER},
};

static void test_job_ends_with_state_and_cause_of_its_exit(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        const struct ending *ending = &endings[i];
        char id[ID_TEXT_MAX];
        struct fake_init *init = fixture_start(fixture, id);
        struct job_info *job;

        fixture->host.usage =
            (struct cgroup_usage){.known = CGROUP_KNOWS_MEMORY, .oom_kill = ending->oom_kill};
        fake_says_exit(init, ending->code, ending->status, ending->flags);
        fake_dies(init);
        job = fixture_wait_end(fixture, id);
        assert_int_equal(job->state, ending->state);
        assert_int_equal(job->cause, ending->cause);
        assert_int_equal(job->has_exit_code, ending->code == CLD_EXITED);
        assert_int_equal(job->exit_code, ending->code == CLD_EXITED ? ending->status : 0);
        assert_int_equal(job->signal, ending->code == CLD_EXITED ? 0 : ending->status);
        assert_int_equal(job->core_dumped, ending->code == CLD_DUMPED);
        assert_int_equal(job->run_time, USEC_PER_SEC);
        assert_int_equal(job->output.end_offset, 15);
        assert_int_equal(job->output.stdout_bytes, 10);
        assert_int_equal(job->output.complete, !(ending->flags & STATE_EXIT_BEYOND_CAP));
        assert_int_equal(job->pid, 0);
        assert_int_equal(fixture->ended, i + 1);
        assert_false(init->grouped);
        job_info_free(job);
    }
}

static void test_job_that_was_recorded_reads_as_it_ended(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job, *again;
    struct worker_counts counts;

    fake_says_exit(init, CLD_EXITED, 7, 0);
    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    fixture_settle(fixture);
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.running, 0);
    assert_int_equal(counts.kept, 1);
    again = fixture_get(fixture, id);
    assert_int_equal(again->exit_code, 7);
    assert_string_equal(again->error, "the command exited with 7");
    assert_string_equal(again->error, job->error);
    assert_int_equal(again->end_time, job->end_time);
    assert_string_equal(again->created_by, "alice");
    job_info_free(job);
    job_info_free(again);
}

static void test_job_without_an_exit_record_is_lost(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_LOST);
    assert_int_equal(job->reason, HOIST_REASON_INIT_LOST);
    assert_false(job->has_exit_code);
    assert_true(job->output.complete);
    job_info_free(job);
}

static void start(struct fixture *fixture, struct answer *answer)
{
    struct job_spec spec = spec_true();

    assert_int_equal(worker_start(fixture->worker, &alice, &spec, NULL, answer_done, answer, NULL),
                     0);
    assert_false(answer->come);
}

static void assert_start_failed(struct fixture *fixture, struct answer *answer,
                                enum hoist_reason reason, bool leaves_record)
{
    char id[ID_TEXT_MAX];
    struct job_info *job;

    fixture_wait(fixture, answer);
    assert_non_null(answer->reply.failure);
    assert_int_equal(answer->reply.failure->reason, reason);
    assert_int_equal(id_is_nil(&answer->reply.failure->job), !leaves_record);
    fixture_settle(fixture);
    assert_int_equal(fixture_directories(fixture), leaves_record);
    if (leaves_record) {
        job = fixture_get(fixture, id_format(&answer->reply.failure->job, id));
        assert_int_equal(job->state, HOIST_STATE_FAILED);
        assert_int_equal(job->cause, HOIST_CAUSE_START_FAILED);
        assert_int_equal(job->reason, reason);
        assert_string_equal(job->error, answer->reply.failure->error.text);
        assert_int_equal(job->start_time, 0);
        job_info_free(job);
    }
    for (unsigned i = 0; i < fixture->host.count; i++)
        assert_false(fixture->host.inits[i].grouped);
    answer_clear(answer);
}

static void test_start_of_a_missing_command_leaves_a_failed_record(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};

    start(fixture, &answer);
    fixture_wait_spawns(fixture, 1);
    fake_says_start_failed(fake_last(&fixture->host), SPAWN_FAILURE_COMMAND_NOT_FOUND, -ENOENT,
                           "nginx was not found in PATH");
    fake_dies(fake_last(&fixture->host));
    assert_start_failed(fixture, &answer, HOIST_REASON_COMMAND_NOT_FOUND, true);
}

static void test_start_fails_when_init_dies(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};

    start(fixture, &answer);
    fixture_wait_spawns(fixture, 1);
    fake_dies(fake_last(&fixture->host));
    assert_start_failed(fixture, &answer, HOIST_REASON_INIT_DIED, true);
}

static void test_start_that_the_spawner_fails(void **state)
{
    static const struct {
        enum spawn_failure failure;
        enum hoist_reason reason;
        bool leaves_record;
    } rows[] = {
        {SPAWN_FAILURE_REFUSED, HOIST_REASON_REFUSED_BY_LAUNCHER, false},
        {SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE, HOIST_REASON_LIMIT_NOT_ENFORCEABLE, false},
        {SPAWN_FAILURE_CGROUP, HOIST_REASON_CGROUP_FAILED, true},
        {SPAWN_FAILURE_SPAWN, HOIST_REASON_SPAWN_FAILED, true},
        {SPAWN_FAILURE_UNAVAILABLE, HOIST_REASON_LAUNCHER_UNAVAILABLE, false},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct answer answer = {.come = false};

        fixture->host.failure = rows[i].failure;
        fixture->host.failure_code = -EIO;
        start(fixture, &answer);
        fixture_wait(fixture, &answer);
        assert_non_null(answer.reply.failure);
        assert_int_equal(answer.reply.failure->reason, rows[i].reason);
        assert_int_equal(!id_is_nil(&answer.reply.failure->job), rows[i].leaves_record);
        answer_clear(&answer);
        fixture_settle(fixture);
    }
    assert_int_equal(fixture_directories(fixture), 2);
}

/* "Try again" is meant: the request id doesn't keep the first answer. */
static void test_retry_after_a_launcher_that_was_away_starts(void **state)
{
    struct fixture *fixture = *state;
    struct job_spec spec = spec_true();
    struct answer answer = {.come = false};

    fixture->host.failure = SPAWN_FAILURE_UNAVAILABLE;
    fixture->host.failure_code = -EPIPE;
    worker_start(fixture->worker, &alice, &spec, "again", answer_done, &answer, NULL);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_LAUNCHER_UNAVAILABLE);
    answer_clear(&answer);
    fixture_settle(fixture);
    worker_start(fixture->worker, &alice, &spec, "again", answer_done, &answer, NULL);
    fixture_wait_spawns(fixture, 2);
    fixture_settle(fixture);
    fake_says_started(fake_last(&fixture->host));
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    answer_clear(&answer);
}

static void test_start_that_cannot_be_recorded_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};

    store_memory_fail(fixture->store, -ENOSPC, 2);
    start(fixture, &answer);
    fixture_wait_spawns(fixture, 1);
    fake_says_started(fake_last(&fixture->host));
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->error.code, -ENOSPC);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_STORE_FAILED);
    assert_int_equal(fake_last(&fixture->host)->control.op, CONTROL_KILL);
    answer_clear(&answer);
    fake_says_exit(fake_last(&fixture->host), CLD_KILLED, SIGKILL, STATE_EXIT_KILLED);
    fake_dies(fake_last(&fixture->host));
    fixture_settle(fixture);
    assert_int_equal(fixture_directories(fixture), 0);
    assert_false(fake_last(&fixture->host)->grouped);
}

static void test_start_beyond_the_uids_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *first = fixture_start(fixture, id);

    for (unsigned i = 1; i < 4; i++)
        fixture_start(fixture, (char[ID_TEXT_MAX]){0});
    start(fixture, &answer);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_TOO_MANY_JOBS);
    answer_clear(&answer);

    first = &fixture->host.inits[0];
    fake_says_exit(first, CLD_EXITED, 0, 0);
    fake_dies(first);
    job_info_free(fixture_wait_end(fixture, id));
    fixture_settle(fixture);
    fixture_start(fixture, id);
    assert_int_equal(fake_last(&fixture->host)->spec.uid, first->spec.uid);
}

static void test_start_answers_only_after_the_command_was_executed(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};

    start(fixture, &answer);
    fixture_wait_spawns(fixture, 1);
    fixture_settle(fixture);
    assert_false(answer.come);
    fake_says_started(fake_last(&fixture->host));
    fixture_wait(fixture, &answer);
    assert_non_null(answer.reply.job);
    answer_clear(&answer);
}

static void test_start_of_a_short_command_succeeds(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct job_info *job;

    fixture->host.hold_spawn = true;
    start(fixture, &answer);
    fixture_wait_spawns(fixture, 1);
    fake_runs(fake_last(&fixture->host), CLD_EXITED, 0, 0);
    fixture->host.hold_spawn = false;
    fixture_start(fixture, (char[ID_TEXT_MAX]){0}); /* turns the spawner's queue */
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    job = fixture_wait_end(fixture, id_format(&answer.reply.job->id, id));
    assert_int_equal(job->state, HOIST_STATE_SUCCEEDED);
    job_info_free(job);
    answer_clear(&answer);
}

static void test_start_gives_the_job_its_environment(void **state)
{
    struct fixture *fixture = *state;
    char *env[] = {(char[]){"LANG=de"}, (char[]){"SECRET=42"}, NULL};
    struct job_spec spec = spec_true();
    struct answer answer = {.come = false};
    struct fake_init *init;

    spec.env = env;
    assert_int_equal(worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &answer, NULL),
                     0);
    fixture_wait_spawns(fixture, 1);
    init = fake_last(&fixture->host);
    fake_says_started(init);
    fixture_wait(fixture, &answer);
    assert_string_equal(answer.reply.job->spec.env[1], "SECRET");
    assert_string_equal(init->group, "p-alice");
    assert_string_equal(init->argv[0], "/bin/true");
    assert_string_equal(init->env[1], "HOME=/job");
    assert_string_equal(init->env[3], "LANG=de");
    assert_string_equal(init->env[4], "SECRET=42");
    assert_null(init->env[5]);
    answer_clear(&answer);
}

/* hoist-init isn't billed for writing, so without a rate it keeps to the job's own limit. */
static void test_start_gives_the_job_the_rules_of_output(void **state)
{
    struct fixture *fixture = *state;
    const struct output_rules rules = {.cap = 1 << 20, .rate = OUTPUT_RATE_OF_LIMITS};
    struct job_spec spec = spec_true();
    struct answer answer = {.come = false};
    struct fake_init *init;

    fixture->options.rules.output = rules;
    fixture_reopen(fixture);
    init = fixture_start(fixture, (char[ID_TEXT_MAX]){0});
    assert_int_equal(init->spec.output.cap, 1 << 20);
    assert_int_equal(init->spec.output.rate, 0);
    limit_set(&spec.limits, LIMIT_IO_WRITE_BPS, 5000000);
    assert_int_equal(worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &answer, NULL),
                     0);
    fixture_wait_spawns(fixture, 2);
    init = fake_last(&fixture->host);
    fake_says_started(init);
    fixture_wait(fixture, &answer);
    assert_int_equal(init->spec.output.rate, 5000000);
    answer_clear(&answer);
}

static void test_cancelled_start_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct job_spec spec = spec_true();
    struct worker_operation *op;
    struct answer answer = {.come = false};
    struct worker_counts counts;

    assert_int_equal(worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &answer, &op),
                     0);
    worker_cancel(op);
    fixture_wait_spawns(fixture, 1);
    fake_says_started(fake_last(&fixture->host));
    fixture_settle(fixture);
    assert_false(answer.come);
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.running, 1);
}

static void test_removal_that_is_busy_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture->host.busy = 3;
    fixture->host.usage = (struct cgroup_usage){.known = CGROUP_KNOWS_CPU, .cpu_usec = 99};
    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->usage.cgroup.cpu_usec, 99);
    assert_int_equal(fixture->host.busy, 0);
    assert_false(init->grouped);
    job_info_free(job);
}

/* As with a task in it that waits for a dead server: PID 1 can't go before it. */
static void test_exit_record_is_believed_although_init_does_not_go(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture->host.busy = 1;
    fake_says_exit(init, CLD_EXITED, 7, 0);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_FAILED);
    assert_int_equal(job->exit_code, 7);
    assert_true(job->output.complete);
    assert_int_equal(job->pid, 0);
    job_info_free(job);
    fake_dies(init);
    fixture_settle(fixture);
    assert_int_equal(fixture->ended, 1);
    assert_false(init->grouped);
}

static void test_end_is_told_although_the_disk_is_full(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_settle(fixture);
    store_memory_fail(fixture->store, -ENOSPC, 2);
    fake_says_exit(init, CLD_EXITED, 3, 0);
    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->exit_code, 3);
    assert_int_equal(fixture->troubles, 1);
    assert_int_equal(fixture->ended, 1);
    job_info_free(job);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_job_ends_with_state_and_cause_of_its_exit),
        WITH_FIXTURE(test_job_that_was_recorded_reads_as_it_ended),
        WITH_FIXTURE(test_job_without_an_exit_record_is_lost),
        WITH_FIXTURE(test_start_of_a_missing_command_leaves_a_failed_record),
        WITH_FIXTURE(test_start_fails_when_init_dies),
        WITH_FIXTURE(test_start_that_the_spawner_fails),
        WITH_FIXTURE(test_retry_after_a_launcher_that_was_away_starts),
        WITH_FIXTURE(test_start_that_cannot_be_recorded_leaves_nothing),
        WITH_FIXTURE(test_start_beyond_the_uids_is_refused),
        WITH_FIXTURE(test_start_answers_only_after_the_command_was_executed),
        WITH_FIXTURE(test_start_of_a_short_command_succeeds),
        WITH_FIXTURE(test_start_gives_the_job_its_environment),
        WITH_FIXTURE(test_start_gives_the_job_the_rules_of_output),
        WITH_FIXTURE(test_cancelled_start_goes_on),
        WITH_FIXTURE(test_removal_that_is_busy_is_tried_again),
        WITH_FIXTURE(test_exit_record_is_believed_although_init_does_not_go),
        WITH_FIXTURE(test_end_is_told_although_the_disk_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
