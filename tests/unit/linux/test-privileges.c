/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/error.h"
#include "fixture.h"
#include "linux/privileges.h"

/* Runs in a child; its return value is the exit code. */
static int in_child(int (*run)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(run());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool status_has(const char *line)
{
    _cleanup_free_ char *text = NULL;

    return file_read(AT_FDCWD, "/proc/self/status", 65536, &text, NULL) == 0 && strstr(text, line);
}

static int drop_and_look(void)
{
    struct error err;

    if (privileges_drop(65534, 65534, &err) < 0)
        return 1;
    if (getuid() != 65534 || getgid() != 65534 || getgroups(0, NULL) != 0)
        return 2;
    if (!status_has("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
                    "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"))
        return 3;
    if (capability_is_effective(CAP_KILL) || setuid(0) == 0)
        return 4;
    return privileges_drop(65533, 65533, &err) < 0 ? 0 : 5;
}

static void test_privileges_drop_leaves_nothing(void **unused)
{
    if (geteuid() != 0) {
        fprintf(stderr, "# skipped: needs root\n");
        skip();
    }
    assert_int_equal(in_child(drop_and_look), 0);
    assert_true(capability_is_effective(CAP_KILL));
}

static int drop_as_an_ordinary_user(void)
{
    struct error err;

    if (geteuid() == 0 &&
        (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
        return 1;
    return privileges_drop(getuid(), getgid(), &err) < 0 ? 2 : 0;
}

static void test_privileges_drop_works_for_an_ordinary_user(void **unused)
{
    assert_int_equal(in_child(drop_as_an_ordinary_user), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_privileges_drop_leaves_nothing),
        cmocka_unit_test(test_privileges_drop_works_for_an_ordinary_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
