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

/* Debian's package golang-github-containers-common; not needed to build or run hoist. */
#define CONTAINERS_LIST "/usr/share/containers/seccomp.json"

static bool list_has(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (text_equal(*list, name))
            return true;
    return false;
}

static void test_profile_default_allows_and_refuses_different_calls(void **unused)
{
    const struct syscall_filter_profile *calls = profile_default.calls;

    for (const char *const *name = calls->allowed; *name; name++) {
        assert_false(list_has(calls->refused, *name));
        assert_false(list_has(name + 1, *name));
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

        for (size_t row = 0; row < profile_default.row_count; row++) {
            const struct plan_step *step = &profile_default.rows[row].step;

            found = found || (step->op == places[i].op && text_equal(step->target, places[i].path));
        }
        assert_true(found);
    }
}

/*
 * The names that an entry of the list's "syscalls" gives, if that entry allows them to a container
 * without capabilities on this architecture, are appended to *names. A scanner for this one file:
 * the order of its keys doesn't matter to it, nested objects do.
 */
static void entry_take(const char *entry, size_t size, char ***names)
{
    _cleanup_free_ char *text = strndup(entry, size);
    const char *list = strstr(text, "\"names\""), *includes = strstr(text, "\"includes\""), *end;
    const char *caps = includes ? strstr(includes, "\"caps\"") : NULL;

    end = includes ? strchr(includes, '}') : NULL;
    if (!list || !strstr(text, "\"SCMP_ACT_ALLOW\"") || (caps && caps < end))
        return;
    for (const char *name = strchr(strchr(list, '['), '"'); name && name < strchr(list, ']');) {
        const char *quote = strchr(name + 1, '"');
        _cleanup_free_ char *copy = strndup(name + 1, (size_t)(quote - name - 1));

        assert_int_equal(strv_append(names, copy), 0);
        name = strchr(quote + 1, '"');
    }
}

static char **containers_allow(const char *text)
{
    const char *start = strchr(strstr(text, "\"syscalls\""), '[');
    char **names = NULL;
    int depth = 0;

    for (const char *at = start, *entry = NULL; *at; at++) {
        if (*at == '{' && depth++ == 0)
            entry = at;
        if (*at == '}' && --depth == 0)
            entry_take(entry, (size_t)(at - entry), &names);
    }
    return names;
}

static const char *containers_list(void)
{
    const char *path = getenv("HOIST_CONTAINERS_LIST");

    return path ? path : CONTAINERS_LIST;
}

static void test_profile_default_allows_nothing_that_containers_do_not(void **unused)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_strv_ char **theirs = NULL;

    assert_int_equal(file_read(AT_FDCWD, containers_list(), 1 << 20, &text, NULL), 0);
    theirs = containers_allow(text);
    assert_true(strv_length(theirs) > 300);
    for (const char *const *name = profile_default.calls->allowed; *name; name++)
        if (!list_has((const char *const *)theirs, *name))
            fail_msg("%s is allowed to jobs and not to containers", *name);
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
    /* The last one needs a file of golang-github-containers-common; meson takes a skip for a
     * failure. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_default_allows_and_refuses_different_calls),
        cmocka_unit_test(test_profile_default_covers_what_crun_covers),
        cmocka_unit_test(test_profile_default_lets_ordinary_programs_run),
    };
    const struct CMUnitTest with_list[] = {
        tests[0],
        tests[1],
        tests[2],
        cmocka_unit_test(test_profile_default_allows_nothing_that_containers_do_not),
    };

    if (access(containers_list(), R_OK) == 0)
        return cmocka_run_group_tests(with_list, NULL, NULL);
    fprintf(stderr, "# not compared: there is no %s\n", containers_list());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
