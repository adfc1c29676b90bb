/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

static int interrupt_pipe[2] = {-1, -1};

static void interrupt_caught(int signal)
{
    int saved = errno;
    char byte = (char)signal;

    /* A full pipe has told enough. */
    (void)!write(interrupt_pipe[1], &byte, 1);
    errno = saved;
}

int interrupt_catch(struct error *err)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt_caught};

    if (pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_set(err, -errno, "can't make a pipe: %s", strerror(errno));
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        if (sigaction(caught[i], &action, NULL) < 0)
            return error_set(err, -errno, "can't catch a signal: %s", strerror(errno));
    return interrupt_pipe[0];
}

unsigned interrupt_take(int fd)
{
    char bytes[64];
    ssize_t got = read(fd, bytes, sizeof(bytes));

    return got > 0 ? (unsigned)got : 0;
}
