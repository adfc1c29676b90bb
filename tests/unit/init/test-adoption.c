/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/adoption.h"

/* A FIFO as the state directory has it; an agent is whoever has it open for writing. */
static char directory[] = "/tmp/hoist-test-XXXXXX", path[sizeof(directory) + 16];

static int agent_comes(void)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int open_lifeline(void)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int setup(void **unused)
{
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/lifeline", directory);
    return mkfifo(path, 0600);
}

static int teardown(void **unused)
{
    return unlink(path) < 0 ? -1 : rmdir(directory);
}

static bool hangs_up(const struct adoption *adoption)
{
    struct pollfd polled = {.fd = adoption_poll_fd(adoption)};

    return poll(&polled, 1, 0) > 0 && polled.revents & POLLHUP;
}

static void test_adoption_that_is_not_wanted_closes_the_lifeline(void **unused)
{
    struct adoption adoption;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    adoption_init(&adoption, fd, 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(adoption_poll_fd(&adoption), FD_NONE);
    assert_true(adoption_next(&adoption) == USEC_INFINITY);
    assert_false(adoption_is_over(&adoption, USEC_INFINITY - 1));
}

static void test_adoption_is_over_once_when_nobody_has_come(void **unused)
{
    struct adoption adoption;
    int agent = agent_comes();

    adoption_init(&adoption, open_lifeline(), 5 * USEC_PER_SEC / 2);
    assert_false(hangs_up(&adoption));
    fd_close(agent);
    assert_true(hangs_up(&adoption));
    adoption_hung_up(&adoption, 100);
    assert_true(adoption_waits(&adoption));
    assert_int_equal(adoption_poll_fd(&adoption), FD_NONE); /* it would say so for ever */
    for (int look = 1; look <= 2; look++) {
        assert_true(adoption_next(&adoption) == 100 + (usec_t)look * ADOPTION_LOOK);
        assert_false(adoption_is_over(&adoption, adoption_next(&adoption)));
    }
    assert_true(adoption_next(&adoption) == 100 + 5 * USEC_PER_SEC / 2);
    assert_false(adoption_is_over(&adoption, adoption_next(&adoption) - 1));
    assert_true(adoption_is_over(&adoption, adoption_next(&adoption)));
    assert_false(adoption_is_over(&adoption, USEC_INFINITY - 1));
    assert_false(adoption_waits(&adoption));
    assert_int_equal(adoption_poll_fd(&adoption), FD_NONE);
}

static void test_adoption_by_another_agent_begins_anew(void **unused)
{
    struct adoption adoption;
    usec_t now = 100;
    int agent = agent_comes();

    adoption_init(&adoption, open_lifeline(), 2 * USEC_PER_SEC);
    for (int agents = 0; agents < 3; agents++) {
        fd_close(agent);
        assert_true(hangs_up(&adoption));
        adoption_hung_up(&adoption, now);
        now += USEC_PER_SEC;
        assert_false(adoption_is_over(&adoption, now));
        agent = agent_comes();
        now += USEC_PER_SEC; /* at the wait's very end it is looked for once more */
        assert_false(adoption_is_over(&adoption, now));
        assert_false(adoption_waits(&adoption));
        assert_false(hangs_up(&adoption));
        assert_true(adoption_next(&adoption) == USEC_INFINITY);
    }
    adoption_done(&adoption);
    fd_close(agent);
}

/* As an agent that is replaced by a newer one under the same launcher. */
static void test_adoption_sees_no_end_while_two_agents_overlap(void **unused)
{
    struct adoption adoption;
    int agent = agent_comes(), next;

    adoption_init(&adoption, open_lifeline(), 1);
    next = agent_comes();
    fd_close(agent);
    assert_false(hangs_up(&adoption));
    fd_close(next);
    assert_true(hangs_up(&adoption));
    adoption_done(&adoption);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adoption_that_is_not_wanted_closes_the_lifeline),
        cmocka_unit_test(test_adoption_is_over_once_when_nobody_has_come),
        cmocka_unit_test(test_adoption_by_another_agent_begins_anew),
        cmocka_unit_test(test_adoption_sees_no_end_while_two_agents_overlap),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
