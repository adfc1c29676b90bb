/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "launcher/listener.h"

static struct listen_rule rule(const char *text)
{
    struct listen_rule rule;
    struct error err;

    assert_int_equal(listen_rule_parse(text, &rule, &err), 0);
    return rule;
}

static int check(const char *rule_text, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    struct listen_rule rules[1];
    socklen_t size;
    struct error err;

    assert_int_equal(listen_address_parse(host, port, &address, &size, &err), 0);
    if (!rule_text)
        return listen_rules_check(NULL, 0, &address, &err);
    rules[0] = rule(rule_text);
    return listen_rules_check(rules, 1, &address, &err);
}

static void test_listen_rules_check_allows_by_default_what_anybody_may(void **unused)
{
    assert_int_equal(check(NULL, "0.0.0.0", 7443), 0);
    assert_int_equal(check(NULL, "::", 1024), 0);
    assert_int_equal(check(NULL, "127.0.0.1", 0), 0);
    assert_int_equal(check(NULL, "127.0.0.1", 22), -EACCES);
    assert_int_equal(check(NULL, "::1", 1023), -EACCES);
}

static void test_listen_rules_check_allows_what_a_rule_says_and_nothing_else(void **unused)
{
    assert_int_equal(check("127.0.0.1:443", "127.0.0.1", 443), 0);
    assert_int_equal(check("127.0.0.1:443", "127.0.0.1", 444), -EACCES);
    assert_int_equal(check("127.0.0.1:443", "127.0.0.2", 443), -EACCES);
    assert_int_equal(check("[::1]:443", "::1", 443), 0);
    assert_int_equal(check("[::1]:443", "0:0:0:0:0:0:0:1", 443), 0);
    assert_int_equal(check("[::1]:443", "127.0.0.1", 443), -EACCES);
    assert_int_equal(check("*:443", "::1", 443), 0);
    assert_int_equal(check("*:443", "::1", 7443), -EACCES);
    assert_int_equal(check("10.0.0.1:*", "10.0.0.1", 22), 0);
    assert_int_equal(check("10.0.0.1:*", "10.0.0.1", 0), 0);
}

static void test_listen_rule_parse_refuses_what_is_no_rule(void **unused)
{
    static const char *const texts[] = {
        "",        ":",    "7443",      "127.0.0.1",   "localhost:1", "127.0.0.1:0",
        "*:99999", "*:-1", "[::1:7443", "1.2.3.4.5:6", ":7443",       "[]:1",
    };
    struct listen_rule ignored;
    struct error err;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (listen_rule_parse(texts[i], &ignored, &err) >= 0)
            fail_msg("accepted: %s", texts[i]);
}

static void test_listeners_open_gives_the_same_socket_again(void **unused)
{
    struct listeners listeners = {.count = 0};
    const struct launcher_listen any = {.host = "127.0.0.1", .port = 0};
    const struct listener *first, *again;
    struct error err;
    int listening = 0;
    socklen_t size = sizeof(listening);
    uint16_t port;

    assert_int_equal(listeners_open(&listeners, NULL, 0, &any, &first, &err), 0);
    port = first->port;
    assert_true(port > 0);
    assert_int_equal(getsockopt(first->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
    assert_true(listening);
    listeners_forget(&listeners);
    assert_int_equal(listeners_open(&listeners, NULL, 0, &any, &again, &err), 0);
    assert_int_equal(again->port, port);
    assert_int_equal(listeners.count, 1);
    listeners_close_unwanted(&listeners);
    assert_int_equal(listeners.count, 1);
    listeners_forget(&listeners);
    listeners_close_unwanted(&listeners);
    assert_int_equal(listeners.count, 0);
}

static void test_listeners_open_asks_the_rules_of_the_moment(void **unused)
{
    struct listeners listeners = {.count = 0};
    const struct launcher_listen any = {.host = "127.0.0.1", .port = 0};
    const struct listen_rule other[] = {rule("127.0.0.2:*")};
    const struct listener *found;
    struct error err;

    assert_int_equal(listeners_open(&listeners, NULL, 0, &any, &found, &err), 0);
    listeners_forget(&listeners);
    assert_int_equal(listeners_open(&listeners, other, 1, &any, &found, &err), -EACCES);
    listeners_close_unwanted(&listeners);
    assert_int_equal(listeners.count, 0);
}

static void test_listeners_open_says_how_to_mend_it(void **unused)
{
    struct listeners one = {.count = 0}, other = {.count = 0};
    struct launcher_listen asked = {.host = "127.0.0.1", .port = 0};
    const struct listener *found;
    struct error err;

    assert_int_equal(listeners_open(&one, NULL, 0, &asked, &found, &err), 0);
    asked.port = found->port;
    assert_int_equal(listeners_open(&other, NULL, 0, &asked, &found, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "ss -ltnp"));
    asked = (struct launcher_listen){.host = "192.0.2.1", .port = 7443};
    assert_int_equal(listeners_open(&other, NULL, 0, &asked, &found, &err), -EADDRNOTAVAIL);
    assert_non_null(strstr(err.text, "192.0.2.1"));
    asked = (struct launcher_listen){.host = "localhost", .port = 7443};
    assert_int_equal(listeners_open(&other, NULL, 0, &asked, &found, &err), -EINVAL);
    asked = (struct launcher_listen){.host = "127.0.0.1", .port = 80};
    assert_int_equal(listeners_open(&other, NULL, 0, &asked, &found, &err), -EACCES);
    assert_int_equal(other.count, 0);
    listeners_done(&one);
}

static void test_listeners_open_is_bounded(void **unused)
{
    struct listeners listeners = {.count = LISTENERS_MAX};
    const struct launcher_listen asked = {.host = "127.0.0.1", .port = 0};
    const struct listener *found;
    struct error err;

    for (size_t i = 0; i < LISTENERS_MAX; i++)
        listeners.list[i] = (struct listener){.fd = FD_NONE, .asked = {.host = "other"}};
    assert_int_equal(listeners_open(&listeners, NULL, 0, &asked, &found, &err), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_rules_check_allows_by_default_what_anybody_may),
        cmocka_unit_test(test_listen_rules_check_allows_what_a_rule_says_and_nothing_else),
        cmocka_unit_test(test_listen_rule_parse_refuses_what_is_no_rule),
        cmocka_unit_test(test_listeners_open_gives_the_same_socket_again),
        cmocka_unit_test(test_listeners_open_asks_the_rules_of_the_moment),
        cmocka_unit_test(test_listeners_open_says_how_to_mend_it),
        cmocka_unit_test(test_listeners_open_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
