/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "grpc/peers.h"

static struct peers *new_peers(const struct grpc_server_limits *limits)
{
    struct peers *peers = peers_new(limits);

    assert_non_null(peers);
    return peers;
}

static void test_enter_caps_connections(void **state)
{
    struct peers *peers = new_peers(&(struct grpc_server_limits){.connections = 2});
    struct peers_charge a, b, c;
    const char *reason = NULL;

    assert_int_equal(peers_enter(peers, "1.1.1.1", &a, &reason), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.2", &b, &reason), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.3", &c, &reason), -EDQUOT);
    assert_string_equal(reason, "too many connections");
    peers_leave(peers, &c); /* charged for nothing: harmless */
    peers_leave(peers, &a);
    assert_int_equal(peers_enter(peers, "1.1.1.3", &c, &reason), 0);
    peers_leave(peers, &b);
    peers_leave(peers, &c);
    peers_free(peers);
}

static void test_enter_caps_an_address_and_the_unauthenticated(void **state)
{
    struct peers *peers = new_peers(&(struct grpc_server_limits){.connections_per_address = 1,
                                                                 .unauthenticated_connections = 2});
    struct peers_charge a, b, c;
    const char *reason = NULL;

    assert_int_equal(peers_enter(peers, "1.1.1.1", &a, &reason), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.1", &b, &reason), -EDQUOT);
    assert_string_equal(reason, "too many connections from this address");
    assert_int_equal(peers_enter(peers, "1.1.1.2", &b, &reason), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.3", &c, &reason), -EDQUOT);
    assert_int_equal(peers_authenticate(peers, "alice", &a), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.3", &c, &reason), 0);
    peers_leave(peers, &a);
    peers_leave(peers, &b);
    peers_leave(peers, &c);
    peers_free(peers);
}

static void test_enter_leaves_room_for_other_addresses(void **state)
{
    struct peers *peers = new_peers(&(struct grpc_server_limits){.unauthenticated_connections = 4});
    struct peers_charge silent[3], other;
    const char *reason = NULL;

    assert_int_equal(peers_enter(peers, "1.1.1.1", &silent[0], &reason), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.1", &silent[1], &reason), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.1", &silent[2], &reason), -EDQUOT);
    assert_int_equal(peers_enter(peers, "1.1.1.2", &other, &reason), 0);
    assert_int_equal(peers_authenticate(peers, "alice", &silent[1]), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.1", &silent[2], &reason), 0);
    peers_leave(peers, &silent[2]);
    assert_int_equal(peers_enter(peers, "1.1.1.1", &silent[2], &reason), 0);
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        peers_leave(peers, &silent[i]);
    peers_leave(peers, &other);
    peers_free(peers);
}

static void test_authenticate_caps_a_principal(void **state)
{
    struct peers *peers = new_peers(
        &(struct grpc_server_limits){.connections_per_principal = 1, .streams_per_principal = 2});
    struct peers_charge a, b;
    struct grpc_server_counts counts;
    const char *reason = NULL;

    assert_int_equal(peers_enter(peers, "1.1.1.1", &a, &reason), 0);
    assert_int_equal(peers_enter(peers, "1.1.1.1", &b, &reason), 0);
    assert_int_equal(peers_authenticate(peers, "alice", &a), 0);
    assert_int_equal(peers_authenticate(peers, "alice", &b), -EDQUOT);
    assert_true(peers_begin_stream(peers, &a));
    assert_true(peers_begin_stream(peers, &a));
    assert_false(peers_begin_stream(peers, &a));
    peers_count(peers, &counts);
    assert_int_equal(counts.connections, 2);
    assert_int_equal(counts.unauthenticated_connections, 1);
    assert_int_equal(counts.streams, 2);
    peers_end_stream(peers, &a);
    assert_true(peers_begin_stream(peers, &a));
    peers_end_stream(peers, &a);
    peers_end_stream(peers, &a);
    peers_leave(peers, &a);
    assert_int_equal(peers_authenticate(peers, "alice", &b), 0);
    peers_leave(peers, &b);
    peers_free(peers);
}

static void test_close_tells_who_is_the_last(void **state)
{
    struct peers *peers = new_peers(&(struct grpc_server_limits){0});
    struct peers_charge a, b;
    const char *reason = NULL;

    assert_int_equal(peers_enter(peers, "1.1.1.1", &a, &reason), 0);
    assert_false(peers_close(peers));
    assert_int_equal(peers_enter(peers, "1.1.1.1", &b, &reason), -ESHUTDOWN);
    assert_true(peers_leave(peers, &a));
    assert_true(peers_close(peers));
    peers_free(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enter_caps_connections),
        cmocka_unit_test(test_enter_caps_an_address_and_the_unauthenticated),
        cmocka_unit_test(test_enter_leaves_room_for_other_addresses),
        cmocka_unit_test(test_authenticate_caps_a_principal),
        cmocka_unit_test(test_close_tells_who_is_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
