/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"

/* Finding, listing and waiting for jobs, and who sees which. */

static struct failure *get_fails(struct fixture *fixture, const struct worker_caller *caller,
                                 const char *name)
{
    struct answer answer = {.come = false};

    assert_int_equal(worker_get(fixture->worker, caller, name, false, answer_done, &answer, NULL),
                     0);
    assert_false(answer.come);
    fixture_wait(fixture, &answer);
    assert_non_null(answer.reply.failure);
    return answer.reply.failure;
}

static void assert_not_found(struct fixture *fixture, const struct worker_caller *caller,
                             const char *name)
{
    struct failure *failure = get_fails(fixture, caller, name);

    assert_int_equal(failure->reason, HOIST_REASON_JOB_NOT_FOUND);
    failure_free(failure);
}

static void assert_found(struct fixture *fixture, const struct worker_caller *caller,
                         const char *name, const char *id)
{
    struct answer answer = {.come = false};
    char found[ID_TEXT_MAX];

    assert_int_equal(worker_get(fixture->worker, caller, name, false, answer_done, &answer, NULL),
                     0);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    assert_string_equal(id_format(&answer.reply.job->id, found), id);
    answer_clear(&answer);
}

static void end(struct fixture *fixture, struct fake_init *init, const char *id)
{
    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
    fixture_settle(fixture);
}

static void test_job_is_found_by_each_of_its_names(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX], full[ID_TEXT_MAX + 8], prefix[9];
    struct fake_init *init = fixture_start(fixture, id);

    snprintf(full, sizeof(full), "jobs/%s", id);
    memcpy(prefix, id, 8);
    prefix[8] = 0;
    for (unsigned round = 0; round < 2; round++) {
        assert_found(fixture, &alice, id, id);
        assert_found(fixture, &alice, full, id);
        assert_found(fixture, &alice, prefix, id);
        assert_found(fixture, &admin, id, id);
        assert_found(fixture, &admin, prefix, id);
        assert_not_found(fixture, &bob, id);
        assert_not_found(fixture, &bob, prefix);
        assert_not_found(fixture, &alice, "");
        assert_not_found(fixture, &alice, "jobs/");
        assert_not_found(fixture, &alice, "abc");
        assert_not_found(fixture, &alice, "../../etc/passwd");
        if (round == 0)
            end(fixture, init, id);
    }
}

static struct fake_init *start_named(struct fixture *fixture, const struct worker_caller *caller,
                                     const char *display_name, const char *request_id,
                                     struct answer *answer)
{
    struct job_spec spec = spec_true();
    unsigned spawns = fixture->host.spawns;
    struct fake_init *init;

    spec.display_name = (char *)(uintptr_t)display_name;
    assert_int_equal(
        worker_start(fixture->worker, caller, &spec, request_id, answer_done, answer, NULL), 0);
    fixture_settle(fixture);
    if (fixture->host.spawns == spawns)
        return NULL;
    init = fake_last(&fixture->host);
    fake_says_started(init);
    fixture_wait(fixture, answer);
    return init;
}

static void test_display_names_are_each_owners_own(void **state)
{
    struct fixture *fixture = *state;
    struct answer first = {.come = false}, second = {.come = false}, third = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = start_named(fixture, &alice, "dead", NULL, &first);

    id_format(&first.reply.job->id, id);
    assert_found(fixture, &alice, "dead", id);
    assert_not_found(fixture, &bob, "dead");
    assert_not_found(fixture, &admin, "dead");

    assert_null(start_named(fixture, &alice, "dead", NULL, &second));
    assert_int_equal(second.reply.failure->reason, HOIST_REASON_NAME_TAKEN);
    end(fixture, init, id);
    answer_clear(&second);
    assert_null(start_named(fixture, &alice, "dead", NULL, &second));
    assert_int_equal(second.reply.failure->reason, HOIST_REASON_NAME_TAKEN);
    assert_found(fixture, &alice, "dead", id);

    assert_non_null(start_named(fixture, &bob, "dead", NULL, &third));
    assert_null(third.reply.failure);
    answer_clear(&first);
    answer_clear(&second);
    answer_clear(&third);
}

static void test_ambiguous_prefix_lists_only_what_may_be_seen(void **state)
{
    struct fixture *fixture = *state;
    struct fake_init *init;
    struct failure *failure = NULL;
    char prefix[5] = "", id[ID_TEXT_MAX];
    unsigned tries = 0;

    /* With 65,536 prefixes two that agree come after some hundred jobs. */
    fixture->options.rules.retain = USEC_INFINITY;
    for (; !failure && tries < 2000; tries++) {
        struct answer answer = {.come = false};

        init = fixture_start(fixture, id);
        fixture->host.count = 1;
        fake_runs(init, CLD_EXITED, 0, 0);
        job_info_free(fixture_wait_end(fixture, id));
        fake_host_done(&fixture->host);
        memcpy(prefix, id, 4);
        worker_get(fixture->worker, &alice, prefix, false, answer_done, &answer, NULL);
        fixture_wait(fixture, &answer);
        failure = TAKE_PTR(answer.reply.failure);
        answer_clear(&answer);
    }
    assert_non_null(failure);
    assert_int_equal(failure->reason, HOIST_REASON_AMBIGUOUS_ID);
    assert_int_equal(failure->detail_count, 2);
    assert_string_equal(failure->details[0].key, "candidate");
    assert_memory_equal(failure->details[0].value, prefix, 4);
    failure_free(failure);
    assert_not_found(fixture, &bob, prefix);
}

static void test_request_id_makes_a_retry_the_same_job(void **state)
{
    struct fixture *fixture = *state;
    struct answer first = {.come = false}, again = {.come = false}, other = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = start_named(fixture, &alice, "", "r1", &first);

    assert_non_null(init);
    id_format(&first.reply.job->id, id);
    for (unsigned round = 0; round < 2; round++) {
        assert_null(start_named(fixture, &alice, "", "r1", &again));
        fixture_wait(fixture, &again);
        assert_true(id_equal(&again.reply.job->id, &first.reply.job->id));
        answer_clear(&again);
        assert_null(start_named(fixture, &alice, "other", "r1", &other));
        assert_int_equal(other.reply.failure->reason, HOIST_REASON_REQUEST_ID_REUSED);
        answer_clear(&other);
        if (round == 0)
            end(fixture, init, id);
    }
    assert_non_null(start_named(fixture, &bob, "", "r1", &other));
    assert_false(id_equal(&other.reply.job->id, &first.reply.job->id));
    answer_clear(&other);
    answer_clear(&first);
}

static void test_two_starts_with_one_request_id_share_the_start(void **state)
{
    struct fixture *fixture = *state;
    struct job_spec spec = spec_true();
    struct answer first = {.come = false}, second = {.come = false};

    worker_start(fixture->worker, &alice, &spec, "r2", answer_done, &first, NULL);
    worker_start(fixture->worker, &alice, &spec, "r2", answer_done, &second, NULL);
    fixture_settle(fixture);
    assert_int_equal(fixture->host.spawns, 1);
    fake_says_start_failed(fake_last(&fixture->host), SPAWN_FAILURE_CWD, -ENOENT, "no /nowhere");
    fake_dies(fake_last(&fixture->host));
    fixture_wait(fixture, &first);
    fixture_wait(fixture, &second);
    assert_int_equal(first.reply.failure->reason, HOIST_REASON_CWD_INVALID);
    assert_int_equal(first.reply.failure->error.code, -ENOENT);
    assert_true(id_equal(&first.reply.failure->job, &second.reply.failure->job));
    answer_clear(&first);
    answer_clear(&second);
}

static void test_start_collects_all_issues(void **state)
{
    struct fixture *fixture = *state;
    struct job_spec spec = JOB_SPEC_NULL;
    struct answer answer = {.come = false};

    spec.command = (char[]){""};
    spec.cwd = (char[]){"here"};
    spec.display_name = (char[]){"a/b"};
    worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &answer, NULL);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_INVALID_FIELD);
    assert_int_equal(answer.reply.failure->detail_count, 3);
    assert_string_equal(answer.reply.failure->details[0].key, "display_name");
    assert_int_equal(fixture_directories(fixture), 0);
    answer_clear(&answer);
}

static void test_wait_answers_at_its_timeout(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    usec_t asked;

    fixture_start(fixture, id);
    asked = clock_boot();
    worker_wait(fixture->worker, &alice, id, 30 * USEC_PER_MSEC, answer_done, &answer, NULL);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.job->state, HOIST_STATE_RUNNING);
    assert_true(clock_boot() - asked >= 30 * USEC_PER_MSEC);
    answer_clear(&answer);
}

static void test_cancelled_wait_is_not_answered(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    struct worker_operation *op;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);

    worker_wait(fixture->worker, &alice, id, USEC_INFINITY, answer_done, &answer, &op);
    worker_cancel(op);
    end(fixture, init, id);
    assert_false(answer.come);
}

static void test_get_samples_rates(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];

    fixture_start(fixture, id);
    fixture->host.usage = (struct cgroup_usage){.known = CGROUP_KNOWS_CPU, .cpu_usec = 1000000};
    worker_get(fixture->worker, &alice, id, true, answer_done, &answer, NULL);
    fixture_settle(fixture);
    fixture->host.usage.cpu_usec = 1500000;
    fixture->host.usage.memory_high_events = 1;
    fixture_wait(fixture, &answer);
    assert_true(answer.reply.job->usage.interval >= USEC_PER_SEC);
    assert_true(answer.reply.job->usage.cpu_percent > 20);
    assert_true(answer.reply.job->usage.cpu_percent <= 50);
    assert_int_equal(answer.reply.job->usage.throttled, JOB_THROTTLED_MEMORY);
    answer_clear(&answer);
}

static struct worker_list *list(struct fixture *fixture, const struct worker_caller *caller,
                                const struct worker_filter *filter)
{
    struct answer answer = {.come = false};

    assert_int_equal(worker_list_jobs(fixture->worker, caller, filter, answer_done, &answer, NULL),
                     0);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    return answer.reply.list;
}

static void test_list_gives_pages_newest_first(void **state)
{
    struct fixture *fixture = *state;
    struct worker_filter filter = {.page_size = 2};
    struct worker_list *first, *second;
    struct answer answer = {.come = false};
    char id[3][ID_TEXT_MAX], found[ID_TEXT_MAX];

    for (unsigned i = 0; i < 3; i++)
        fixture_start(fixture, id[i]);
    first = list(fixture, &alice, &filter);
    assert_int_equal(first->count, 2);
    assert_string_equal(id_format(&first->jobs[0]->id, found), id[2]);
    assert_string_equal(id_format(&first->jobs[1]->id, found), id[1]);
    filter.page_token = first->next_page_token;
    second = list(fixture, &alice, &filter);
    assert_int_equal(second->count, 1);
    assert_string_equal(id_format(&second->jobs[0]->id, found), id[0]);
    assert_string_equal(second->next_page_token, "");

    filter.states = 1U << HOIST_STATE_RUNNING;
    worker_list_jobs(fixture->worker, &alice, &filter, answer_done, &answer, NULL);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_INVALID_PAGE_TOKEN);
    answer_clear(&answer);
    worker_list_free(first);
    worker_list_free(second);
}

static void test_list_shows_nobody_elses(void **state)
{
    struct fixture *fixture = *state;
    struct worker_filter filter = {.page_size = 0};
    struct worker_list *found;
    char id[ID_TEXT_MAX];

    fixture_start(fixture, id);
    found = list(fixture, &bob, &filter);
    assert_int_equal(found->count, 0);
    worker_list_free(found);
    filter.owner = "alice";
    found = list(fixture, &bob, &filter);
    assert_int_equal(found->count, 0);
    worker_list_free(found);
    found = list(fixture, &admin, &filter);
    assert_int_equal(found->count, 1);
    worker_list_free(found);
    filter.owner = "bob";
    found = list(fixture, &admin, &filter);
    assert_int_equal(found->count, 0);
    worker_list_free(found);
}

static struct job_info *get_with(struct fixture *fixture, const char *id, unsigned flags)
{
    struct answer answer = {.come = false};

    assert_int_equal(worker_get(fixture->worker, &alice, id, flags, answer_done, &answer, NULL), 0);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    return answer.reply.job;
}

/* What was read of it once is shown again, to those who may see it, until it is deleted. */
static void test_ended_job_is_read_once(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct job_info *first, *second, *counted;

    end(fixture, fixture_start(fixture, id), id);
    first = get_with(fixture, id, 0);
    second = get_with(fixture, id, 0);
    assert_ptr_equal(first, second);
    counted = get_with(fixture, id, WORKER_GET_STATISTICS); /* they are its own */
    assert_ptr_not_equal(first, counted);
    assert_null(first->usage.statistics);
    assert_not_found(fixture, &bob, id);
    assert_int_equal(worker_delete(fixture->worker, &alice, id, false, answer_done, &answer, NULL),
                     0);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    assert_not_found(fixture, &alice, id);
    assert_int_equal(first->state, HOIST_STATE_SUCCEEDED);
    job_info_free(first);
    job_info_free(second);
    job_info_free(counted);
}

static void test_output_is_opened_read_only(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];

    fixture_start(fixture, id);
    worker_open_output(fixture->worker, &alice, id, answer_done, &answer, NULL);
    fixture_wait(fixture, &answer);
    assert_non_null(answer.reply.output);
    assert_true(answer.reply.output->index >= 0);
    assert_int_equal(write(answer.reply.output->data, "x", 1), -1);
    answer_clear(&answer);
    worker_open_output(fixture->worker, &bob, id, answer_done, &answer, NULL);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.failure->reason, HOIST_REASON_JOB_NOT_FOUND);
    answer_clear(&answer);
}

static void test_close_drops_what_is_under_way(void **state)
{
    struct fixture *fixture = *state;
    struct job_spec spec = spec_true();
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];

    fixture_start(fixture, id);
    worker_wait(fixture->worker, &alice, id, USEC_INFINITY, answer_done, &answer, NULL);
    worker_get(fixture->worker, &alice, "beef", false, answer_done, &answer, NULL);
    worker_get(fixture->worker, &alice, id, true, answer_done, &answer, NULL);
    worker_start(fixture->worker, &alice, &spec, "r", answer_done, &answer, NULL);
    worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &answer, NULL);
    fixture_close(fixture);
    assert_false(answer.come);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_job_is_found_by_each_of_its_names),
        WITH_FIXTURE(test_display_names_are_each_owners_own),
        WITH_FIXTURE(test_ambiguous_prefix_lists_only_what_may_be_seen),
        WITH_FIXTURE(test_request_id_makes_a_retry_the_same_job),
        WITH_FIXTURE(test_two_starts_with_one_request_id_share_the_start),
        WITH_FIXTURE(test_start_collects_all_issues),
        WITH_FIXTURE(test_wait_answers_at_its_timeout),
        WITH_FIXTURE(test_cancelled_wait_is_not_answered),
        WITH_FIXTURE(test_get_samples_rates),
        WITH_FIXTURE(test_list_gives_pages_newest_first),
        WITH_FIXTURE(test_list_shows_nobody_elses),
        WITH_FIXTURE(test_ended_job_is_read_once),
        WITH_FIXTURE(test_output_is_opened_read_only),
        WITH_FIXTURE(test_close_drops_what_is_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
