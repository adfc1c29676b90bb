/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "child.h"
#include "fixture.h"
#include "linux/privileges.h"

static bool status_has(const char *line)
{
    _cleanup_free_ char *text = NULL;

    return file_read(AT_FDCWD, "/proc/self/status", 65536, &text, NULL) == 0 && strstr(text, line);
}

static int drop_and_look(void)
{
    struct error err;

    CHECK(privileges_drop(65534, 65534, &err) == 0);
    CHECK(getuid() == 65534 && getgid() == 65534 && getgroups(0, NULL) == 0);
    CHECK(status_has("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
                     "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"));
    CHECK(!capability_is_effective(CAP_KILL) && setuid(0) < 0);
    CHECK(privileges_drop(65533, 65533, &err) < 0);
    return 0;
}

static void test_privileges_drop_leaves_nothing(void **unused)
{
    if (geteuid() != 0) {
        fprintf(stderr, "# skipped: needs root\n");
        skip();
    }
    in_child(drop_and_look);
    assert_true(capability_is_effective(CAP_KILL));
}

static int drop_as_an_ordinary_user(void)
{
    struct error err;

    CHECK(geteuid() != 0 ||
          (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0));
    CHECK(privileges_drop(getuid(), getgid(), &err) == 0);
    return 0;
}

static void test_privileges_drop_works_for_an_ordinary_user(void **unused)
{
    in_child(drop_as_an_ordinary_user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_privileges_drop_leaves_nothing),
        cmocka_unit_test(test_privileges_drop_works_for_an_ordinary_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
