/* SPDX-License-Identifier: Apache-2.0 */
#include "init/adoption.h"

#include <poll.h>

#include "base/cleanup.h"

void adoption_init(struct adoption *adoption, int fd, usec_t wait)
{
    *adoption = ADOPTION_NULL;
    if (wait == 0) {
        (void)fd_close(fd);
        return;
    }
    adoption->fd = fd;
    adoption->wait = wait;
}

void adoption_done(struct adoption *adoption)
{
    (void)fd_close(adoption->fd);
    *adoption = ADOPTION_NULL;
}

int adoption_poll_fd(const struct adoption *adoption)
{
    return adoption_waits(adoption) ? FD_NONE : adoption->fd;
}

/* The time `duration` after `now`, as long as there is one. */
static usec_t later(usec_t now, usec_t duration)
{
    return duration >= USEC_INFINITY - now ? USEC_INFINITY - 1 : now + duration;
}

void adoption_hung_up(struct adoption *adoption, usec_t now)
{
    adoption->until = later(now, adoption->wait);
    adoption->next = MIN(adoption->until, later(now, ADOPTION_LOOK));
}

/* A lifeline that can't be asked is no proof of an agent's death. */
static bool has_hung_up(const struct adoption *adoption)
{
    struct pollfd lifeline = {.fd = adoption->fd};

    return poll(&lifeline, 1, 0) > 0 && lifeline.revents & POLLHUP;
}

bool adoption_is_over(struct adoption *adoption, usec_t now)
{
    if (now < adoption->next)
        return false;
    if (!has_hung_up(adoption)) {
        adoption->until = adoption->next = USEC_INFINITY;
        return false;
    }
    if (now >= adoption->until) {
        adoption_done(adoption);
        return true;
    }
    adoption->next = MIN(adoption->until, later(now, ADOPTION_LOOK));
    return false;
}
