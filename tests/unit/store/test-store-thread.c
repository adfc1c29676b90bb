/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "fixture.h"
#include "store/store-thread.h"

/* What the completions of a test have said. */
struct witness {
    unsigned calls;
    int codes[4096];
    size_t last_count;
    struct store_record *taken;
    struct store_thread *thread;
};

static void witness_done(struct store_reply *reply, void *userdata)
{
    struct witness *witness = userdata;

    witness->codes[witness->calls++] = reply->code;
    witness->last_count = reply->list.count;
    if (reply->code < 0)
        assert_true(reply->error.text[0] != '\0');
    if (reply->record) {
        store_record_free(witness->taken);
        witness->taken = TAKE_PTR(reply->record);
    }
}

static void wait_for(struct store_thread *thread, const struct witness *witness, unsigned calls)
{
    while (witness->calls < calls) {
        struct pollfd source = {.fd = store_thread_fd(thread), .events = POLLIN};

        assert_int_equal(poll(&source, 1, 30000), 1);
        store_thread_dispatch(thread);
    }
    assert_int_equal(witness->calls, calls);
}

static struct store_thread *thread_new(struct store *store)
{
    struct store_thread *thread = NULL;

    assert_int_equal(store_thread_new(store, &thread, NULL), 0);
    return thread;
}

static struct store_record numbered(unsigned number)
{
    struct store_record record = sample(1, "alice", NULL);

    record.id.bytes[1] = (uint8_t)number;
    record.id.bytes[2] = (uint8_t)(number >> 8);
    return record;
}

static void test_store_thread_answers_in_order(void **unused)
{
    struct witness witness = {};
    struct store_thread *thread = thread_new(store_open_memory());
    struct store_record record = sample(1, "alice", "a"), change = record;
    struct store_label label = {(char *)"app", (char *)"web"};
    struct store_cursor cursor = {5000, {{0}}};

    (void)unused;
    record.request_id = (char *)"r";
    record.labels = &label;
    record.label_count = 1;
    change.state = 6;
    assert_int_equal(store_thread_put(thread, &record, witness_done, &witness), 0);
    assert_int_equal(store_thread_put(thread, &record, witness_done, &witness), 0);
    assert_int_equal(store_thread_update(thread, &change, witness_done, &witness), 0);
    assert_int_equal(store_thread_get(thread, &record.id, witness_done, &witness), 0);
    assert_int_equal(store_thread_get_by_name(thread, "alice", "a", witness_done, &witness), 0);
    assert_int_equal(store_thread_get_by_request(thread, "alice", "x", witness_done, &witness), 0);
    assert_int_equal(
        store_thread_find_range(thread, "alice", &record.id, &record.id, 2, witness_done, &witness),
        0);
    assert_int_equal(witness.calls, 0); /* never inside the call */
    wait_for(thread, &witness, 7);
    assert_int_equal(witness.last_count, 1);
    assert_int_equal(store_thread_list(thread,
                                       &(struct store_filter){.owner = "alice",
                                                              .labels = &label,
                                                              .label_count = 1,
                                                              .after = &cursor},
                                       witness_done, &witness),
                     0);
    wait_for(thread, &witness, 8);
    assert_int_equal(witness.last_count, 1);
    assert_int_equal(store_thread_remove(thread, &record.id, witness_done, &witness), 0);
    wait_for(thread, &witness, 9);
    {
        const int expected[9] = {0, -EALREADY, 0, 0, 0, -ENOENT, 0, 0, 0};

        for (unsigned i = 0; i < 9; i++)
            assert_int_equal(witness.codes[i], expected[i]);
    }
    assert_int_equal(witness.taken->state, 6);
    store_record_free(witness.taken);
    store_thread_free(thread);
}

static void test_store_thread_commits_many_and_keeps_them(void **unused)
{
    struct fixture fixture;
    struct witness witness = {};
    struct store_thread *thread;
    struct store *store;
    struct store_list list = {};

    (void)unused;
    fixture_begin(&fixture);
    thread = thread_new(fixture_open(&fixture));
    for (unsigned i = 0; i < 500; i++) {
        struct store_record record = numbered(i);

        assert_int_equal(store_thread_put(thread, &record, witness_done, &witness), 0);
    }
    store_thread_stop(thread);
    assert_int_equal(witness.calls, 500);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(witness.codes[i], 0);
    store_thread_free(thread);
    store = fixture_open(&fixture);
    assert_int_equal(store_list(store, &(struct store_filter){}, &list, NULL), 0);
    assert_int_equal(list.count, 500);
    store_list_done(&list);
    store_close(store);
    fixture_end(&fixture);
}

/* Whatever groups there were: as many failures as were asked for, each told to one request. */
static void test_store_thread_tells_each_request_its_own_failure(void **unused)
{
    struct witness witness = {};
    struct store *store = store_open_memory();
    struct store_thread *thread = thread_new(store);
    unsigned failed = 0;

    (void)unused;
    store_memory_fail(store, -ENOSPC, 20);
    for (unsigned i = 0; i < 100; i++) {
        struct store_record record = numbered(i);

        assert_int_equal(store_thread_put(thread, &record, witness_done, &witness), 0);
    }
    wait_for(thread, &witness, 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(witness.codes[i] == 0 || witness.codes[i] == -ENOSPC);
        failed += witness.codes[i] != 0;
    }
    assert_in_range(failed, 1, 20);
    assert_int_equal(store_thread_list(thread, &(struct store_filter){}, witness_done, &witness),
                     0);
    wait_for(thread, &witness, 101);
    assert_int_equal(witness.last_count, 100 - failed);
    store_thread_free(thread);
}

static void test_store_thread_bounds_new_work_only(void **unused)
{
    struct witness witness = {};
    struct store_thread *thread = thread_new(store_open_memory());
    struct store_record record = numbered(0);
    struct id id = {};

    (void)unused;
    for (unsigned i = 0; i < STORE_THREAD_QUEUE_MAX; i++)
        assert_int_equal(store_thread_get(thread, &id, witness_done, &witness), 0);
    assert_int_equal(store_thread_get(thread, &id, witness_done, &witness), -ENOBUFS);
    assert_int_equal(store_thread_put(thread, &record, witness_done, &witness), -ENOBUFS);
    assert_int_equal(store_thread_update(thread, &record, witness_done, &witness), 0);
    assert_int_equal(store_thread_remove(thread, &id, witness_done, &witness), 0);
    wait_for(thread, &witness, STORE_THREAD_QUEUE_MAX + 2);
    assert_int_equal(store_thread_put(thread, &record, NULL, NULL), 0);
    store_thread_free(thread);
}

static void ask_again(struct store_reply *reply, void *userdata)
{
    struct witness *witness = userdata;
    struct id id = {};
    int r;

    (void)reply;
    witness->calls++;
    r = store_thread_get(witness->thread, &id, ask_again, witness);
    assert_true(r == 0 || r == -ESHUTDOWN);
    witness->codes[0] = r;
}

static void test_store_thread_stop_ends_a_chain_of_requests(void **unused)
{
    struct witness witness = {};
    struct id id = {};

    (void)unused;
    witness.thread = thread_new(store_open_memory());
    assert_int_equal(store_thread_get(witness.thread, &id, ask_again, &witness), 0);
    wait_for(witness.thread, &witness, 1);
    store_thread_stop(witness.thread);
    assert_int_equal(witness.codes[0], -ESHUTDOWN);
    assert_int_equal(store_thread_get(witness.thread, &id, ask_again, &witness), -ESHUTDOWN);
    store_thread_stop(witness.thread);
    store_thread_free(witness.thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_thread_answers_in_order),
        cmocka_unit_test(test_store_thread_commits_many_and_keeps_them),
        cmocka_unit_test(test_store_thread_tells_each_request_its_own_failure),
        cmocka_unit_test(test_store_thread_bounds_new_work_only),
        cmocka_unit_test(test_store_thread_stop_ends_a_chain_of_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
