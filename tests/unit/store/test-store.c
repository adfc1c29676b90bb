/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "fixture.h"

/*
 * One suite for every implementation: a test gets a fresh store as its state.
 */

struct world {
    struct fixture fixture;
    struct store *store;
};

static int world_memory(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    world->store = store_open_memory();
    *state = world;
    return world->store ? 0 : -1;
}

static int world_sqlite(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    fixture_begin(&world->fixture);
    world->store = fixture_open(&world->fixture);
    *state = world;
    return 0;
}

static int world_end(void **state)
{
    struct world *world = *state;

    store_close(world->store);
    if (world->fixture.path[0])
        fixture_end(&world->fixture);
    free(world);
    return 0;
}

static struct store *store_of(void **state)
{
    return ((struct world *)*state)->store;
}

static void check_equal(const struct store_record *a, const struct store_record *b)
{
    assert_true(id_equal(&a->id, &b->id));
    assert_string_equal(a->owner, b->owner);
    assert_string_equal(a->display_name ? a->display_name : "-",
                        b->display_name ? b->display_name : "-");
    assert_string_equal(a->request_id ? a->request_id : "-", b->request_id ? b->request_id : "-");
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->cause, b->cause);
    assert_int_equal(a->live, b->live);
    assert_int_equal(a->created, b->created);
    assert_int_equal(a->started, b->started);
    assert_int_equal(a->ended, b->ended);
    assert_int_equal(a->uid, b->uid);
    assert_int_equal(a->pid, b->pid);
    assert_int_equal(a->start_time, b->start_time);
    assert_true(id_equal(&a->boot_id, &b->boot_id));
    assert_int_equal(a->spec_size, b->spec_size);
    assert_memory_equal(a->spec, b->spec, a->spec_size);
    assert_int_equal(a->outcome_size, b->outcome_size);
    if (a->outcome_size > 0)
        assert_memory_equal(a->outcome, b->outcome, a->outcome_size);
    assert_int_equal(a->label_count, b->label_count);
    for (size_t i = 0; i < a->label_count; i++) {
        assert_string_equal(a->labels[i].key, b->labels[i].key);
        assert_string_equal(a->labels[i].value, b->labels[i].value);
    }
}

static struct store_label two_labels[] = {{(char *)"app", (char *)"web"},
                                          {(char *)"tier", (char *)"front"}};

static void test_store_get_gives_back_what_was_put(void **state)
{
    struct store *store = store_of(state);
    struct store_record record = sample(1, "alice", "build");
    _cleanup_store_record_ struct store_record *by_id = NULL, *by_name = NULL, *by_request = NULL;

    record.request_id = (char *)"request 1";
    record.labels = two_labels;
    record.label_count = 2;
    record.outcome = (char *)"out";
    record.outcome_size = 3;
    put(store, &record);
    assert_int_equal(store_get(store, &record.id, &by_id, NULL), 0);
    check_equal(by_id, &record);
    assert_int_equal(store_get_by_name(store, "alice", "build", &by_name, NULL), 0);
    check_equal(by_name, &record);
    assert_int_equal(store_get_by_request(store, "alice", "request 1", &by_request, NULL), 0);
    check_equal(by_request, &record);
}

static void test_store_get_knows_what_is_not_there(void **state)
{
    struct store *store = store_of(state);
    struct store_record record = sample(1, "alice", NULL);
    struct store_record *found = NULL;
    struct error err = {};

    put(store, &record);
    assert_int_equal(store_get(store, &(struct id){{7}}, &found, &err), -ENOENT);
    assert_true(err.text[0] != '\0');
    assert_int_equal(store_get_by_name(store, "alice", "x", &found, NULL), -ENOENT);
    assert_int_equal(store_get_by_request(store, "alice", "x", &found, NULL), -ENOENT);
    assert_null(found);
}

static void test_store_put_keeps_names_apart_for_each_owner(void **state)
{
    struct store *store = store_of(state);
    struct store_record first = sample(1, "alice", "build");
    struct store_record same_name = sample(2, "alice", "build");
    struct store_record other_owner = sample(3, "bob", "build");
    struct store_record same_id = sample(1, "carol", NULL);
    struct error err = {};

    put(store, &first);
    assert_int_equal(store_put(store, &same_name, &err), -EEXIST);
    assert_non_null(strstr(err.text, "build"));
    put(store, &other_owner);
    assert_int_equal(store_put(store, &same_id, &err), -EEXIST);
    same_name.display_name = NULL;
    put(store, &same_name);
    same_name = sample(4, "alice", NULL);
    put(store, &same_name); /* any number without a name */
}

static void test_store_put_tells_a_repeated_request(void **state)
{
    struct store *store = store_of(state);
    struct store_record first = sample(1, "alice", "build");
    struct store_record again = sample(2, "alice", "build");
    struct store_record other_owner = sample(3, "bob", NULL);

    first.request_id = again.request_id = other_owner.request_id = (char *)"r";
    put(store, &first);
    assert_int_equal(store_put(store, &again, NULL), -EALREADY);
    put(store, &other_owner);
}

static void test_store_put_refuses_nonsense(void **state)
{
    struct store_record record = sample(1, NULL, NULL);

    assert_int_equal(store_put(store_of(state), &record, NULL), -EINVAL);
    record.owner = (char *)"alice";
    record.state = 64;
    assert_int_equal(store_put(store_of(state), &record, NULL), -EINVAL);
}

static void test_store_put_leaves_nothing_when_it_is_refused(void **state)
{
    struct store *store = store_of(state);
    struct store_label label[] = {{(char *)"a", (char *)"1"}};
    struct store_record first = sample(1, "alice", "build");
    struct store_record second = sample(2, "alice", "build");
    struct store_list list = {};

    put(store, &first);
    second.labels = label;
    second.label_count = 1;
    assert_int_equal(store_put(store, &second, NULL), -EEXIST);
    assert_int_equal(
        store_list(store, &(struct store_filter){.labels = label, .label_count = 1}, &list, NULL),
        0);
    assert_int_equal(list.count, 0);
    store_list_done(&list);
}

static void test_store_update_changes_only_what_may_change(void **state)
{
    struct store *store = store_of(state);
    struct store_record record = sample(1, "alice", "build"), expected;
    struct store_record change = sample(1, "mallory", "other");
    _cleanup_store_record_ struct store_record *found = NULL;

    record.labels = two_labels;
    record.label_count = 2;
    put(store, &record);
    change.state = 5;
    change.cause = 3;
    change.live = false;
    change.started = 11;
    change.ended = USEC_INFINITY;
    change.created = 99;
    change.pid = 0;
    change.outcome = (char *)"ended";
    change.outcome_size = 6;
    change.spec = (char *)"no";
    change.spec_size = 2;
    assert_int_equal(store_update(store, &change, NULL), 0);

    expected = record;
    expected.state = 5;
    expected.cause = 3;
    expected.live = false;
    expected.started = 11;
    expected.ended = USEC_INFINITY;
    expected.pid = 0;
    expected.outcome = (char *)"ended";
    expected.outcome_size = 6;
    assert_int_equal(store_get(store, &record.id, &found, NULL), 0);
    check_equal(found, &expected);
    change.id.bytes[0] = 77;
    assert_int_equal(store_update(store, &change, NULL), -ENOENT);
}

static void test_store_remove_frees_name_request_and_labels(void **state)
{
    struct store *store = store_of(state);
    struct store_record record = sample(1, "alice", "build");
    struct store_list list = {};

    record.request_id = (char *)"r";
    record.labels = two_labels;
    record.label_count = 2;
    put(store, &record);
    assert_int_equal(store_remove(store, &record.id, NULL), 0);
    assert_int_equal(store_remove(store, &record.id, NULL), -ENOENT);
    put(store, &record);
    assert_int_equal(store_list(store, &(struct store_filter){}, &list, NULL), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.records[0]->label_count, 2);
    store_list_done(&list);
}

static void expect_list(struct store *store, const struct store_filter *filter,
                        const char *expected)
{
    _cleanup_store_list_ struct store_list list = {};
    char got[64] = "";

    assert_int_equal(store_list(store, filter, &list, NULL), 0);
    for (size_t i = 0; i < list.count; i++)
        got[i] = (char)('0' + list.records[i]->id.bytes[0]);
    assert_string_equal(got, expected);
}

static void put_nine(struct store *store)
{
    static struct store_label labels[9][2];

    for (uint8_t i = 1; i <= 9; i++) {
        struct store_record record = sample(i, i % 2 ? "alice" : "bob", NULL);

        record.state = i % 4;
        record.live = i > 6;
        if (i >= 4 && i <= 6)
            record.created = 4000; /* at the same time: the id decides */
        labels[i - 1][0] = (struct store_label){(char *)"app", (char *)(i < 5 ? "web" : "db")};
        labels[i - 1][1] = (struct store_label){(char *)"zone", (char *)"x"};
        record.labels = labels[i - 1];
        record.label_count = i % 3 == 0 ? 2 : 1;
        put(store, &record);
    }
}

static void test_store_list_filters_newest_first(void **state)
{
    struct store *store = store_of(state);
    const struct store_label web[] = {{(char *)"app", (char *)"web"}, {(char *)"zone", (char *)""}};

    put_nine(store);
    expect_list(store, &(struct store_filter){}, "987654321");
    expect_list(store, &(struct store_filter){.limit = 3}, "987");
    expect_list(store, &(struct store_filter){.owner = (char *)"bob"}, "8642");
    expect_list(store, &(struct store_filter){.owner = (char *)"nobody"}, "");
    expect_list(store, &(struct store_filter){.states = 1 << 1 | 1 << 2}, "96521");
    expect_list(store, &(struct store_filter){.live_only = true}, "987");
    expect_list(store, &(struct store_filter){.labels = web, .label_count = 1}, "4321");
    expect_list(store, &(struct store_filter){.labels = web, .label_count = 2}, "3");
    expect_list(store, &(struct store_filter){.labels = &web[1], .label_count = 1}, "963");
    expect_list(store,
                &(struct store_filter){.owner = (char *)"alice",
                                       .states = 1 << 1,
                                       .labels = web,
                                       .label_count = 1,
                                       .limit = 5},
                "1");
}

static void test_store_list_gives_who_ended_first_first(void **state)
{
    struct store *store = store_of(state);

    put_nine(store);
    for (uint8_t i = 1; i <= 9; i++) {
        _cleanup_store_record_ struct store_record *record = NULL;

        assert_int_equal(store_get(store, &(struct id){.bytes = {i, 1}}, &record, NULL), 0);
        record->ended = i % 3; /* three at once: in the order of ids */
        assert_int_equal(store_update(store, record, NULL), 0);
    }
    expect_list(store, &(struct store_filter){.first_ended_first = true}, "369147258");
    expect_list(store, &(struct store_filter){.first_ended_first = true, .limit = 4}, "3691");
}

static void test_store_list_goes_on_behind_a_cursor(void **state)
{
    struct store *store = store_of(state);
    struct store_cursor cursor;
    char seen[16] = "";
    struct store_filter filter = {.limit = 2};

    put_nine(store);
    for (;;) {
        _cleanup_store_list_ struct store_list list = {};

        assert_int_equal(store_list(store, &filter, &list, NULL), 0);
        if (list.count == 0)
            break;
        for (size_t i = 0; i < list.count; i++)
            seen[strlen(seen)] = (char)('0' + list.records[i]->id.bytes[0]);
        cursor = (struct store_cursor){list.records[list.count - 1]->created,
                                       list.records[list.count - 1]->id};
        filter.after = &cursor;
    }
    assert_string_equal(seen, "987654321");
}

static void expect_range(struct store *store, const char *owner, uint8_t low, uint8_t high,
                         size_t limit, const char *expected)
{
    _cleanup_store_list_ struct store_list list = {};
    struct id from = {{low}}, to = {{high}};
    char got[64] = "";

    memset(to.bytes + 1, 0xff, ID_SIZE - 1);
    assert_int_equal(store_find_range(store, owner, &from, &to, limit, &list, NULL), 0);
    for (size_t i = 0; i < list.count; i++)
        got[i] = (char)('0' + list.records[i]->id.bytes[0]);
    assert_string_equal(got, expected);
}

static void test_store_find_range_finds_ids_in_order(void **state)
{
    struct store *store = store_of(state);

    put_nine(store);
    expect_range(store, NULL, 3, 6, 10, "3456");
    expect_range(store, "alice", 3, 6, 10, "35");
    expect_range(store, NULL, 3, 6, 2, "34");
    expect_range(store, NULL, 10, 200, 2, "");
    expect_range(store, NULL, 4, 4, 2, "4");
}

static void test_store_rollback_undoes_all(void **state)
{
    struct store *store = store_of(state);
    struct store_record one = sample(1, "alice", "a"), two = sample(2, "alice", "b");

    put(store, &one);
    assert_int_equal(store_begin(store, NULL), 0);
    put(store, &two);
    assert_int_equal(store_remove(store, &one.id, NULL), 0);
    store_rollback(store);
    expect_list(store, &(struct store_filter){}, "1");
}

static void test_store_commit_keeps_what_was_not_refused(void **state)
{
    struct store *store = store_of(state);
    struct store_record one = sample(1, "alice", "a"), two = sample(2, "alice", "a");
    struct store_record three = sample(3, "alice", "c");

    assert_int_equal(store_begin(store, NULL), 0);
    put(store, &one);
    assert_int_equal(store_put(store, &two, NULL), -EEXIST);
    put(store, &three);
    assert_int_equal(store_commit(store, NULL), 0);
    store_rollback(store); /* there is nothing left to undo */
    expect_list(store, &(struct store_filter){}, "31");
}

static void test_store_record_copy_shares_nothing(void **unused)
{
    struct store_record record = sample(1, "alice", "a");
    _cleanup_store_record_ struct store_record *copy = NULL;

    (void)unused;
    record.labels = two_labels;
    record.label_count = 2;
    copy = store_record_copy(&record);
    assert_non_null(copy);
    check_equal(copy, &record);
    assert_ptr_not_equal(copy->owner, record.owner);
    assert_ptr_not_equal(copy->spec, record.spec);
    assert_ptr_not_equal(copy->labels, record.labels);
}

/* Each test once for each implementation. */
#define BOTH(test)                                                                                 \
    {#test " (memory)", test, world_memory, world_end, NULL},                                      \
    {                                                                                              \
#        test " (sqlite)", test, world_sqlite, world_end, NULL                                     \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_store_get_gives_back_what_was_put),
        BOTH(test_store_get_knows_what_is_not_there),
        BOTH(test_store_put_keeps_names_apart_for_each_owner),
        BOTH(test_store_put_tells_a_repeated_request),
        BOTH(test_store_put_refuses_nonsense),
        BOTH(test_store_put_leaves_nothing_when_it_is_refused),
        BOTH(test_store_update_changes_only_what_may_change),
        BOTH(test_store_remove_frees_name_request_and_labels),
        BOTH(test_store_list_filters_newest_first),
        BOTH(test_store_list_gives_who_ended_first_first),
        BOTH(test_store_list_goes_on_behind_a_cursor),
        BOTH(test_store_find_range_finds_ids_in_order),
        BOTH(test_store_rollback_undoes_all),
        BOTH(test_store_commit_keeps_what_was_not_refused),
        cmocka_unit_test(test_store_record_copy_shares_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
