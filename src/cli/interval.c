/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interval.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/session.h"

#define INTERVAL_DEFAULT (2 * USEC_PER_SEC)
#define INTERVAL_MIN     (1 * USEC_PER_SEC)
#define INTERVAL_MAX     (60 * USEC_PER_SEC)

#define CLEAR "\033[H\033[2J" /* ECMA-48: CUP, ED */

int interval_read(const struct session *session, usec_t *ret)
{
    const char *text = session->arguments.interval;
    struct error err;

    *ret = INTERVAL_DEFAULT;
    if (!text)
        return 0;
    if (quantity_parse_duration(text, ret, &err) < 0) {
        tell("--interval: %s", err.text);
        return -EINVAL;
    }
    if (*ret >= INTERVAL_MIN && *ret <= INTERVAL_MAX)
        return 0;
    tell("--interval %s: it must be from 1s to 60s", text);
    return -EINVAL;
}

int interval_wait(const struct session *session, usec_t interval)
{
    struct pollfd interrupt = {.fd = session->interrupt_fd, .events = POLLIN};

    return poll(&interrupt, 1, (int)(interval / USEC_PER_MSEC)) == 0 ? 0 : -EINTR;
}

void interval_begin_page(void)
{
    static bool begun;

    if (isatty(STDOUT_FILENO))
        fputs(CLEAR, stdout);
    else if (begun)
        putchar('\n');
    begun = true;
}
