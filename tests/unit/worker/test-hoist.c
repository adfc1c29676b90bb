/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hoist/hoist.h>

/*
 * libhoist as a program sees it, linked as a program links it, with real jobs under the hoist-init
 * that HOIST_INIT names. As root: isolated; as an ordinary user: in a user namespace.
 */

#define NOBODYS_UID 54321

struct fixture {
    char dir[64];
    struct hoist *hoist;
    unsigned ended;
};

static void ended(const struct hoist_job *job, void *userdata)
{
    struct fixture *fixture = userdata;

    assert_true(job->state >= HOIST_STATE_SUCCEEDED);
    fixture->ended++;
}

static void open_hoist(struct fixture *fixture)
{
    struct hoist_options options = HOIST_OPTIONS_INIT;
    struct hoist_error error = {.code = 0};

    options.state_dir = fixture->dir;
    options.init_path = getenv("HOIST_INIT");
    options.ended = ended;
    options.userdata = fixture;
    if (hoist_open(&options, &fixture->hoist, &error) < 0)
        print_message("hoist_open: %s\n", error.text);
    assert_non_null(fixture->hoist);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->dir, "/tmp/hoist-library-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    open_hoist(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[96];

    hoist_close(fixture->hoist);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->dir);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static struct hoist_job *start(struct fixture *fixture, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct hoist_start_input input = HOIST_START_INPUT_INIT;
    struct hoist_error error = {.code = 0};
    struct hoist_job *job = NULL;

    input.argv = argv;
    if (hoist_start(fixture->hoist, &input, &job, &error) < 0)
        print_message("hoist_start: %s\n", error.text);
    assert_non_null(job);
    return job;
}

static struct hoist_job *wait_end(struct fixture *fixture, const char *name)
{
    struct hoist_wait_input input = HOIST_WAIT_INPUT_INIT;
    struct hoist_job *job = NULL;

    input.name = name;
    assert_int_equal(hoist_wait(fixture->hoist, &input, &job, NULL), 0);
    return job;
}

struct gathered {
    char text[2][4096];
    size_t size[2];
    uint64_t next;
};

static int gather(const struct hoist_chunk *chunk, void *userdata)
{
    struct gathered *gathered = userdata;
    unsigned stream = chunk->stream == HOIST_STREAM_STDERR;

    assert_true(gathered->size[stream] + chunk->data_size < sizeof(gathered->text[stream]));
    assert_int_equal(chunk->offset, gathered->next);
    gathered->next += chunk->data_size;
    memcpy(gathered->text[stream] + gathered->size[stream], chunk->data, chunk->data_size);
    gathered->size[stream] += chunk->data_size;
    return 0;
}

static void read_output(struct fixture *fixture, const char *name, struct gathered *gathered)
{
    struct hoist_output_input input = HOIST_OUTPUT_INPUT_INIT;
    struct hoist_output_summary summary = HOIST_OUTPUT_SUMMARY_INIT;

    input.name = name;
    input.follow = 1;
    input.chunk = gather;
    input.userdata = gathered;
    assert_int_equal(hoist_output(fixture->hoist, &input, &summary, NULL), 0);
    assert_true(summary.complete);
    assert_int_equal(summary.bytes, gathered->size[0] + gathered->size[1]);
}

static void test_job_runs_and_its_output_and_code_come_back(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_job *job = start(fixture, "echo out; echo err >&2; hostname; exit 7"), *end;
    struct gathered gathered = {.next = 0};

    assert_true(job->state == HOIST_STATE_RUNNING || job->state >= HOIST_STATE_SUCCEEDED);
    read_output(fixture, job->id, &gathered);
    assert_string_equal(gathered.text[0], "out\nsandbox\n");
    assert_string_equal(gathered.text[1], "err\n");
    end = wait_end(fixture, job->id);
    assert_int_equal(end->state, HOIST_STATE_FAILED);
    assert_int_equal(end->cause, HOIST_CAUSE_EXITED);
    assert_true(end->has_exit_code);
    assert_int_equal(end->exit_code, 7);
    assert_int_equal(end->stdout_bytes, 12);
    assert_true(end->output_complete);
    assert_int_equal(fixture->ended, 1);
    hoist_job_free(job);
    hoist_job_free(end);
}

static void test_missing_command_fails_the_start(void **state)
{
    struct fixture *fixture = *state;
    const char *const argv[] = {"no-such-command", NULL};
    struct hoist_start_input input = HOIST_START_INPUT_INIT;
    struct hoist_error error;

    input.argv = argv;
    assert_int_equal(hoist_start(fixture->hoist, &input, NULL, &error), -ENOENT);
    assert_int_equal(error.reason, HOIST_REASON_COMMAND_NOT_FOUND);
    assert_non_null(strstr(error.text, "no-such-command"));
}

static int end_at_first_chunk(const struct hoist_chunk *chunk, void *userdata)
{
    return 42;
}

static void test_stop_ends_a_tree_that_ignores_term(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_job *job = start(fixture, "trap '' TERM; echo ready; sleep 100 & "
                                           "while :; do sleep 1; done"),
                     *end = NULL;
    struct hoist_output_input output = HOIST_OUTPUT_INPUT_INIT;
    struct hoist_stop_input input = HOIST_STOP_INPUT_INIT;

    output.name = job->id;
    output.follow = 1;
    output.chunk = end_at_first_chunk;
    assert_int_equal(hoist_output(fixture->hoist, &output, NULL, NULL), 42);

    input.name = job->id;
    input.grace_usec = 50000;
    assert_int_equal(hoist_stop(fixture->hoist, &input, &end, NULL), 0);
    assert_int_equal(end->state, HOIST_STATE_STOPPED);
    assert_int_equal(end->cause, HOIST_CAUSE_STOPPED_BY_USER);
    assert_int_equal(end->signal, SIGKILL);
    hoist_job_free(job);
    hoist_job_free(end);
}

static void test_timeout_is_told_as_the_cause(void **state)
{
    struct fixture *fixture = *state;
    const char *const argv[] = {"sleep", "100", NULL};
    struct hoist_start_input input = HOIST_START_INPUT_INIT;
    struct hoist_job *job = NULL, *end;

    input.argv = argv;
    input.timeout_usec = 50000;
    assert_int_equal(hoist_start(fixture->hoist, &input, &job, NULL), 0);
    end = wait_end(fixture, job->id);
    assert_int_equal(end->cause, HOIST_CAUSE_TIMED_OUT);
    assert_int_equal(end->signal, SIGTERM);
    hoist_job_free(job);
    hoist_job_free(end);
}

static void test_job_outlives_the_program(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_job *job = start(fixture, "echo first; sleep 0.3; echo last; exit 4"), *end;
    struct gathered gathered = {.next = 0};

    fixture->hoist = hoist_close(fixture->hoist);
    open_hoist(fixture);
    read_output(fixture, job->id, &gathered);
    assert_string_equal(gathered.text[0], "first\nlast\n");
    end = wait_end(fixture, job->id);
    assert_int_equal(end->exit_code, 4);
    hoist_job_free(job);
    hoist_job_free(end);
}

static void test_call_is_cancelled_by_its_descriptor(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_job *job = start(fixture, "sleep 100");
    struct hoist_wait_input wait = HOIST_WAIT_INPUT_INIT;
    struct hoist_output_input output = HOIST_OUTPUT_INPUT_INIT;
    struct hoist_delete_input delete = HOIST_DELETE_INPUT_INIT;
    struct hoist_error error;
    int cancel = eventfd(1, EFD_CLOEXEC);

    wait.name = output.name = delete.name = job->id;
    wait.cancel_fd = output.cancel_fd = cancel;
    output.follow = 1;
    assert_int_equal(hoist_wait(fixture->hoist, &wait, NULL, &error), -ECANCELED);
    assert_int_equal(hoist_output(fixture->hoist, &output, NULL, &error), -ECANCELED);
    close(cancel);
    assert_int_equal(hoist_delete(fixture->hoist, &delete, &error), -EBUSY);
    assert_int_equal(error.reason, HOIST_REASON_JOB_RUNNING);
    delete.force = 1;
    assert_int_equal(hoist_delete(fixture->hoist, &delete, NULL), 0);
    hoist_job_free(job);
}

static void test_wait_ends_at_its_timeout(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_job *job = start(fixture, "sleep 100"), *now = NULL;
    struct hoist_wait_input wait = HOIST_WAIT_INPUT_INIT;
    struct hoist_stop_input stop = HOIST_STOP_INPUT_INIT;

    wait.name = stop.name = job->id;
    wait.timeout_usec = 10000;
    stop.at_once = 1;
    assert_int_equal(hoist_wait(fixture->hoist, &wait, &now, NULL), 0);
    assert_int_equal(now->state, HOIST_STATE_RUNNING);
    assert_true(now->pid > 0);
    assert_int_equal(hoist_stop(fixture->hoist, &stop, NULL, NULL), 0);
    hoist_job_free(job);
    hoist_job_free(now);
}

/* As a program with an event loop of its own does it. */
static void test_descriptor_tells_when_to_dispatch(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_job *job = start(fixture, "sleep 0.1");
    struct pollfd fd = {.fd = hoist_fd(fixture->hoist), .events = POLLIN};

    while (fixture->ended == 0) {
        assert_int_equal(poll(&fd, 1, 10000), 1);
        assert_int_equal(hoist_dispatch(fixture->hoist, NULL), 0);
    }
    hoist_job_free(job);
}

static void test_list_shows_the_jobs(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_job *first = start(fixture, "exit 0"), *second = start(fixture, "exit 0");
    struct hoist_list_input input = HOIST_LIST_INPUT_INIT;
    struct hoist_list *list = NULL;

    hoist_job_free(wait_end(fixture, first->id));
    hoist_job_free(wait_end(fixture, second->id));
    assert_int_equal(hoist_list(fixture->hoist, &input, &list, NULL), 0);
    assert_int_equal(list->count, 2);
    assert_string_equal(list->jobs[0]->id, second->id);
    assert_string_equal(list->jobs[1]->id, first->id);
    assert_string_equal(list->next_page_token, "");
    hoist_list_free(list);
    hoist_job_free(first);
    hoist_job_free(second);
}

static void test_inputs_are_checked(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_start_input start = HOIST_START_INPUT_INIT;
    struct hoist_status_input status = {.size = 0};
    struct {
        struct hoist_status_input known;
        uint64_t later;
    } newer = {.known = {.size = sizeof(newer), .name = "x"}, .later = 1};
    struct hoist_error error;
    struct hoist_job *job = NULL;

    start.cwd = "here";
    assert_int_equal(hoist_start(fixture->hoist, &start, &job, &error), -EINVAL);
    assert_int_equal(error.reason, HOIST_REASON_INVALID_FIELD);
    assert_non_null(strstr(error.text, "command"));
    assert_non_null(strstr(error.text, "cwd"));
    assert_int_equal(hoist_status(fixture->hoist, &status, &job, &error), -EINVAL);
    assert_int_equal(hoist_status(fixture->hoist, &newer.known, &job, &error), -EINVAL);
    newer.later = 0;
    assert_int_equal(hoist_status(fixture->hoist, &newer.known, &job, &error), -ENOENT);
    assert_null(job);
}

static void test_state_directory_is_locked(void **state)
{
    struct fixture *fixture = *state;
    struct hoist_options options = HOIST_OPTIONS_INIT;
    struct hoist_error error;
    struct hoist *second = NULL;

    options.state_dir = fixture->dir;
    options.init_path = getenv("HOIST_INIT");
    assert_int_equal(hoist_open(&options, &second, &error), -EBUSY);
    assert_non_null(strstr(error.text, "another agent"));
}

/* The same as somebody without any privilege. Returns what the child found. */
static int as_ordinary_user(void)
{
    struct fixture fixture = {.dir = "/tmp/hoist-library-XXXXXX"};
    struct gathered gathered = {.next = 0};
    struct hoist_job *job, *end;
    char command[96];
    int r;

    if (setresgid(NOBODYS_UID, NOBODYS_UID, NOBODYS_UID) < 0 ||
        setresuid(NOBODYS_UID, NOBODYS_UID, NOBODYS_UID) < 0 ||
        access(getenv("HOIST_INIT"), R_OK) < 0)
        return 77;
    /* A process that changed its uid may not write its own uid_map until its next exec, or this. */
    prctl(PR_SET_DUMPABLE, 1);
    if (!mkdtemp(fixture.dir))
        return 1;
    open_hoist(&fixture);
    job = start(&fixture, "id -u; echo $$; exit 3");
    read_output(&fixture, job->id, &gathered);
    end = wait_end(&fixture, job->id);
    r = strcmp(gathered.text[0], "0\n2\n") == 0 && end->exit_code == 3 ? 0 : 2;
    hoist_job_free(job);
    hoist_job_free(end);
    hoist_close(fixture.hoist);
    snprintf(command, sizeof(command), "rm -rf %s", fixture.dir);
    return r != 0 || system(command) != 0 ? 2 : 0;
}

static void test_ordinary_users_jobs_run_in_a_user_namespace(void **state)
{
    int status;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        skip(); /* then all the tests above were it */
    child = fork();
    if (child == 0)
        _exit(as_ordinary_user());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* hoist-init lies where others can't read it */
    assert_int_equal(status, 0);
}

int main(void)
{
#define WITH_LIBRARY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_LIBRARY(test_job_runs_and_its_output_and_code_come_back),
        WITH_LIBRARY(test_missing_command_fails_the_start),
        WITH_LIBRARY(test_stop_ends_a_tree_that_ignores_term),
        WITH_LIBRARY(test_timeout_is_told_as_the_cause),
        WITH_LIBRARY(test_job_outlives_the_program),
        WITH_LIBRARY(test_call_is_cancelled_by_its_descriptor),
        WITH_LIBRARY(test_wait_ends_at_its_timeout),
        WITH_LIBRARY(test_descriptor_tells_when_to_dispatch),
        WITH_LIBRARY(test_list_shows_the_jobs),
        WITH_LIBRARY(test_inputs_are_checked),
        WITH_LIBRARY(test_state_directory_is_locked),
        cmocka_unit_test(test_ordinary_users_jobs_run_in_a_user_namespace),
    };

    if (!getenv("HOIST_INIT")) {
        puts("1..0 # SKIP HOIST_INIT names no hoist-init");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
