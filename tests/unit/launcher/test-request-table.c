/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "launcher/request-table.h"

/* The whole table, written down a second time: what a reader of docs/protocol/launcher.md expects.
 */
static const struct {
    enum launcher_request_type type;
    bool greeting, setting_up, ready;
    size_t fd_count;
} expected[] = {
    {LAUNCHER_REQUEST_HELLO, true, false, false, 0},
    {LAUNCHER_REQUEST_LISTEN, false, true, false, 0},
    {LAUNCHER_REQUEST_READY, false, true, false, 2},
    {LAUNCHER_REQUEST_SPAWN, false, false, true, 3},
    {LAUNCHER_REQUEST_KILL, false, true, true, 0},
    {LAUNCHER_REQUEST_REMOVE, false, true, true, 0},
    {LAUNCHER_REQUEST_LIST_GROUPS, false, true, true, 0},
    {LAUNCHER_REQUEST_FIND, false, true, true, 0},
    {LAUNCHER_REQUEST_LIST_TASKS, false, true, true, 0},
};

static void test_request_table_check_each_request_in_each_state(void **unused)
{
    struct error err;

    assert_int_equal(sizeof(expected) / sizeof(expected[0]), _LAUNCHER_REQUEST_MAX);
    for (size_t i = 0; i < _LAUNCHER_REQUEST_MAX; i++) {
        const bool legal[_CONNECTION_STATE_MAX] = {expected[i].greeting, expected[i].setting_up,
                                                   expected[i].ready};

        for (unsigned state = 0; state < _CONNECTION_STATE_MAX; state++)
            assert_int_equal(
                request_table_check(state, expected[i].type, 100, expected[i].fd_count, &err),
                legal[state] ? 0 : -EPROTO);
        assert_non_null(request_table_answer(expected[i].type));
    }
}

static void test_request_table_check_counts_descriptors(void **unused)
{
    struct error err;

    for (size_t count = 0; count <= PACKET_FDS_MAX; count++) {
        assert_int_equal(
            request_table_check(CONNECTION_READY, LAUNCHER_REQUEST_SPAWN, 100, count, &err),
            count == 3 ? 0 : -EPROTO);
        assert_int_equal(
            request_table_check(CONNECTION_READY, LAUNCHER_REQUEST_KILL, 100, count, &err),
            count == 0 ? 0 : -EPROTO);
    }
    assert_int_equal(request_table_check(CONNECTION_READY, LAUNCHER_REQUEST_KILL, 100, 1, &err),
                     -EPROTO);
    assert_string_equal(err.text, "a Kill with 1 descriptors instead of 0");
}

static void test_request_table_check_limits_sizes(void **unused)
{
    struct error err;

    assert_int_equal(request_table_check(CONNECTION_READY, LAUNCHER_REQUEST_SPAWN,
                                         LAUNCHER_REQUEST_MAX, 3, &err),
                     0);
    assert_int_equal(request_table_check(CONNECTION_READY, LAUNCHER_REQUEST_KILL, 513, 0, &err),
                     -EPROTO);
}

static void test_request_table_next_goes_forward_only(void **unused)
{
    assert_int_equal(request_table_next(CONNECTION_GREETING, LAUNCHER_REQUEST_HELLO),
                     CONNECTION_SETTING_UP);
    assert_int_equal(request_table_next(CONNECTION_SETTING_UP, LAUNCHER_REQUEST_LISTEN),
                     CONNECTION_SETTING_UP);
    assert_int_equal(request_table_next(CONNECTION_SETTING_UP, LAUNCHER_REQUEST_READY),
                     CONNECTION_READY);
    assert_int_equal(request_table_next(CONNECTION_READY, LAUNCHER_REQUEST_SPAWN),
                     CONNECTION_READY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_table_check_each_request_in_each_state),
        cmocka_unit_test(test_request_table_check_counts_descriptors),
        cmocka_unit_test(test_request_table_check_limits_sizes),
        cmocka_unit_test(test_request_table_next_goes_forward_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
