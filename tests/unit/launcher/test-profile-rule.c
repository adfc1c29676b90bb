/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "launcher/profile-rule.h"

static void test_profile_rule_parse_reads_all(void **unused)
{
    struct profile_rule rule;

    assert_int_equal(profile_rule_parse("x rootfs=/srv/x  writable=yes\tnetwork=host userns=yes "
                                        "user=ci bind=ro:/a/b:/b bind=rw:/c:/d/e",
                                        &rule, NULL),
                     0);
    assert_string_equal(rule.profile.name, "x");
    assert_string_equal(rule.profile.rootfs, "/srv/x");
    assert_string_equal(rule.user, "ci");
    assert_true(rule.profile.rootfs_writable && rule.profile.network_host && rule.profile.userns);
    assert_int_equal(rule.profile.bind_count, 2);
    assert_string_equal(rule.profile.binds[0].source, "/a/b");
    assert_string_equal(rule.profile.binds[1].target, "/d/e");
    assert_true(rule.profile.binds[1].writable && !rule.profile.binds[0].writable);
    profile_rule_done(&rule);
}

static void test_profile_rule_parse_takes_a_name_alone(void **unused)
{
    struct profile_rule rule;

    assert_int_equal(profile_rule_parse("plain", &rule, NULL), 0);
    assert_null(rule.profile.rootfs);
    assert_int_equal(rule.profile.bind_count, 0);
    profile_rule_done(&rule);
}

static void test_profile_rule_parse_refuses(void **unused)
{
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"", "name"},
        {"x network", "network has no value"},
        {"x userns=1", "neither yes nor no"},
        {"x bind=ro:/a", "ro:/SOURCE:/TARGET"},
        {"x bind=no:/a:/b", "ro:/SOURCE:/TARGET"},
        {"x bind=ro:a:/b", "absolute"},
        {"x bind=ro:/a:/b/../c", "with a dot"},
        {"x bind=ro:/a://b", "empty part"},
        {"x rootfs=/x writable=yes", "needs a user"},
    };
    struct profile_rule rule;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct error err = {.text = ""};

        assert_true(profile_rule_parse(wrong[i].text, &rule, &err) < 0);
        if (!strstr(err.text, wrong[i].words))
            fail_msg("\"%s\": \"%s\"", wrong[i].text, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_rule_parse_reads_all),
        cmocka_unit_test(test_profile_rule_parse_takes_a_name_alone),
        cmocka_unit_test(test_profile_rule_parse_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
