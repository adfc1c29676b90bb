/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

/* What is kept for jobs is added up, on a host with room for 1000 bytes and two CPUs. */

static int setup(void **state)
{
    struct fixture *fixture;
    int r = fixture_setup_on_disk(state);

    if (r < 0)
        return r;
    fixture = *state;
    fixture->host.room = (struct spawn_room){.memory = 1000, .cpu_millis = 2000};
    fixture_reopen(fixture);
    return 0;
}

static void start(struct fixture *fixture, enum limit limit, uint64_t value, struct answer *answer)
{
    struct job_spec spec = spec_true();

    *answer = (struct answer){.come = false};
    limit_set(&spec.limits, limit, value);
    assert_int_equal(worker_start(fixture->worker, &alice, &spec, NULL, answer_done, answer, NULL),
                     0);
}

static struct fake_init *starts(struct fixture *fixture, enum limit limit, uint64_t value)
{
    unsigned spawns = fixture->host.spawns;
    struct answer answer;

    start(fixture, limit, value, &answer);
    fixture_wait_spawns(fixture, spawns + 1);
    fake_says_started(fake_last(&fixture->host));
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    answer_clear(&answer);
    return fake_last(&fixture->host);
}

static const char *detail(const struct failure *failure, const char *key)
{
    for (size_t i = 0; i < failure->detail_count; i++)
        if (strcmp(failure->details[i].key, key) == 0)
            return failure->details[i].value;
    return "";
}

static void refuses(struct fixture *fixture, enum limit limit, uint64_t value, const char *left)
{
    struct answer answer;
    const struct failure *failure;

    start(fixture, limit, value, &answer);
    fixture_wait(fixture, &answer);
    failure = answer.reply.failure;
    assert_non_null(failure);
    assert_int_equal(failure->reason, HOIST_REASON_RESERVATION_DOES_NOT_FIT);
    assert_string_equal(detail(failure, "limit"), limit_name(limit));
    assert_string_equal(detail(failure, "free"), left);
    answer_clear(&answer);
}

static void ends(struct fixture *fixture, struct fake_init *init)
{
    char id[ID_TEXT_MAX];

    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id_format(&init->id, id)));
}

static void test_reservation_beyond_the_room_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct worker_counts counts;

    refuses(fixture, LIMIT_MEMORY_RESERVED, 1001, "1000");
    starts(fixture, LIMIT_MEMORY_RESERVED, 600);
    refuses(fixture, LIMIT_MEMORY_RESERVED, 401, "400");
    starts(fixture, LIMIT_MEMORY_RESERVED, 400);
    refuses(fixture, LIMIT_MEMORY_RESERVED, 1, "0");
    starts(fixture, LIMIT_CPU_RESERVED, 2000);
    refuses(fixture, LIMIT_CPU_RESERVED, 1, "0");
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.reserved.memory, 1000);
    assert_int_equal(counts.reserved.cpu_millis, 2000);
    assert_int_equal(counts.room.memory, 1000);
}

static void test_reservation_goes_back_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct fake_init *init = starts(fixture, LIMIT_MEMORY_RESERVED, 700);

    refuses(fixture, LIMIT_MEMORY_RESERVED, 700, "300");
    starts(fixture, LIMIT_MEMORY_LOW, 5000); /* what is taken back last needs no room */
    ends(fixture, init);
    starts(fixture, LIMIT_MEMORY_RESERVED, 700);
}

static void test_reservation_outlives_the_agent(void **state)
{
    struct fixture *fixture = *state;

    starts(fixture, LIMIT_MEMORY_RESERVED, 700);
    fixture_settle(fixture);
    fixture_reopen(fixture);
    refuses(fixture, LIMIT_MEMORY_RESERVED, 301, "300");
}

static void test_reservation_is_refused_before_anything_is_made(void **state)
{
    struct fixture *fixture = *state;

    refuses(fixture, LIMIT_CPU_RESERVED, UINT64_MAX, "2000");
    fixture_settle(fixture);
    assert_int_equal(fixture_directories(fixture), 0);
    assert_int_equal(fixture->host.spawns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reservation_beyond_the_room_is_refused, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_reservation_goes_back_at_the_end, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_reservation_outlives_the_agent, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_reservation_is_refused_before_anything_is_made, setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
