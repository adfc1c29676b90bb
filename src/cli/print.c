/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"

/* stdio forgets which error it was as soon as the bytes that didn't get out are dropped. */
static int first_failure;

static int print_result(int r)
{
    if (r < 0 && first_failure == 0) {
        first_failure = r;
        if (r != -EPIPE)
            tell("the answer can't be written: %s", strerror(-r));
    }
    return r;
}

int print_flush(void)
{
    if (fflush(stdout) != 0)
        return print_result(-errno);
    if (first_failure == 0 && ferror(stdout))
        return print_result(-EIO);
    return first_failure;
}

int print_bytes(const void *data, size_t size)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    int r = print_flush();

    for (size_t at = 0; r == 0 && at < size;) {
        ssize_t written = write(out.fd, (const uint8_t *)data + at, size - at);

        if (written >= 0)
            at += (size_t)written;
        else if (errno == EAGAIN)
            (void)poll(&out, 1, -1); /* a failure is that of the next write */
        else if (errno != EINTR)
            r = print_result(-errno);
    }
    return r;
}
