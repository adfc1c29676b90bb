/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/dispositions.h"

/* The mask of ignored signals as proc(5) tells it. */
static uint64_t ignored(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    unsigned long long mask = 0;
    char line[256];

    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, "SigIgn: %llx", &mask) == 1)
            break;
    if (status)
        (void)fclose(status);
    return mask;
}

/* The process is the subject: it ignores all it can, as the kernel lets it, and resets them. */
static int child(void)
{
    const struct {
        unsigned long handler, flags, restorer;
        uint64_t mask;
    } ignore = {.handler = 1 /* SIG_IGN */};
    const uint64_t all =
        ~(UINT64_C(1) << (SIGKILL - 1)) & ~(UINT64_C(1) << (SIGSTOP - 1)); /* 32, 33 among them */

    for (int signal = 1; signal < _NSIG; signal++)
        (void)syscall(SYS_rt_sigaction, signal, &ignore, NULL, sizeof(ignore.mask));
    if (ignored() != all)
        return 2;
    dispositions_reset();
    return ignored() == 0 ? 0 : 3;
}

static void test_dispositions_reset_reaches_the_reserved_signals(void **unused)
{
    pid_t pid;
    int status;

    (void)unused;
    pid = fork();
    if (pid == 0)
        _exit(child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispositions_reset_reaches_the_reserved_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
