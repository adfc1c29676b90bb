/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/wait.h>
#include <unistd.h>

/*
 * A part of a test that changes the process it runs in for good, in a child: a function that
 * returns 0, what CHECK found or SKIPPED. For use after <cmocka.h>.
 */

/* No value that CHECK returns, and an exit code. */
#define SKIPPED 128

/* In a function of a child: unless `fact` holds, it returns the line (modulo 128, but not 0). */
#define CHECK(fact)                                                                                \
    do {                                                                                           \
        if (!(fact))                                                                               \
            return __LINE__ % SKIPPED ? __LINE__ % SKIPPED : 1;                                    \
    } while (0)

/* Fails or skips the test with `body`. */
static inline void in_child(int (*body)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}
