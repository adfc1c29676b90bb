/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "spawn/profile.h"

static void test_profile_default_allows_and_refuses_different_calls(void **unused)
{
    const struct syscall_filter_profile *calls = profile_default.calls;

    for (const char *const *name = calls->allowed; *name; name++) {
        assert_false(strv_has(calls->refused, *name));
        assert_false(strv_has(name + 1, *name));
    }
}

/* As crun 1.8.1 of Debian 12 prints them (`crun spec`). */
static void test_profile_default_covers_what_crun_covers(void **unused)
{
    static const struct {
        const char *path;
        enum plan_op op;
    } places[] = {
        {"/proc/acpi", PLAN_MASK},
        {"/proc/asound", PLAN_MASK},
        {"/proc/kcore", PLAN_MASK},
        {"/proc/keys", PLAN_MASK},
        {"/proc/latency_stats", PLAN_MASK},
        {"/proc/timer_list", PLAN_MASK},
        {"/proc/timer_stats", PLAN_MASK},
        {"/proc/sched_debug", PLAN_MASK},
        {"/sys/firmware", PLAN_MASK},
        {"/proc/scsi", PLAN_MASK},
        {"/proc/bus", PLAN_OWN_MOUNT},
        {"/proc/fs", PLAN_OWN_MOUNT},
        {"/proc/irq", PLAN_OWN_MOUNT},
        {"/proc/sys", PLAN_OWN_MOUNT},
        {"/proc/sysrq-trigger", PLAN_OWN_MOUNT},
    };

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        bool found = false;

        for (size_t row = 0; row < profile_default.job.count; row++) {
            const struct plan_step *step = &profile_default.job.row[row].step;

            found = found || (step->op == places[i].op && text_equal(step->target, places[i].path));
        }
        assert_true(found);
    }
}

/* Runs `command` in a child under the profile's filter; returns its exit code. */
static int run_filtered(const char *command)
{
    struct syscall_filter filter;
    struct sock_fprog program;
    struct error err;
    int status;
    pid_t pid;

    if (syscall_filter_compile(profile_default.calls, &filter, &err) < 0)
        fail_msg("%s", err.text);
    program = (struct sock_fprog){(unsigned short)filter.count, filter.instructions};
    pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
            _exit(125);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(126);
    }
    syscall_filter_done(&filter);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_profile_default_lets_ordinary_programs_run(void **unused)
{
    assert_int_equal(run_filtered("ls / | sort | head -1 >/dev/null && date >/dev/null && "
                                  "find /etc -maxdepth 1 -name passwd | xargs cat >/dev/null && "
                                  "exit 42"),
                     42);
    assert_int_equal(run_filtered("unshare -U true 2>/dev/null"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_default_allows_and_refuses_different_calls),
        cmocka_unit_test(test_profile_default_covers_what_crun_covers),
        cmocka_unit_test(test_profile_default_lets_ordinary_programs_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
