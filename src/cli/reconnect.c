/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reconnect.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/session.h"

#define PATIENCE  (5 * 60 * USEC_PER_SEC)
#define PAUSE_MIN (100 * USEC_PER_MSEC)
#define PAUSE_MAX (5 * USEC_PER_SEC)

/* One attempt; a connection that takes longer than that is no better than none. */
#define DIAL_TIME (10 * USEC_PER_SEC)

int reconnect_init(struct reconnect *reconnect, struct session *session,
                   bool (*interrupted)(void *userdata), void *userdata)
{
    const char *text = session->arguments.reconnect;
    usec_t patience = PATIENCE;
    struct error err;

    if (text && quantity_parse_duration(text, &patience, &err) < 0) {
        tell("--reconnect: %s", err.text);
        return -EINVAL;
    }
    *reconnect = (struct reconnect){
        .session = session,
        .patience = patience,
        .pause = PAUSE_MIN,
        .interrupted = interrupted,
        .userdata = userdata,
    };
    return 0;
}

void reconnect_proved(struct reconnect *reconnect)
{
    reconnect->deadline = 0;
    reconnect->pause = PAUSE_MIN;
}

static bool reconnect_talks(const struct reconnect *reconnect)
{
    const struct arguments *arguments = &reconnect->session->arguments;

    return !arguments->quiet && (arguments->verbose || isatty(STDERR_FILENO));
}

static void reconnect_begin(struct reconnect *reconnect, const char *why)
{
    char text[QUANTITY_TEXT_MAX];

    reconnect->deadline = clock_boot() + reconnect->patience;
    if (reconnect_talks(reconnect))
        tell("connection lost (%s); trying again for %s", why,
             quantity_format_duration(reconnect->patience, text));
}

/* Sleeps the pause of this attempt, and lengthens the next. 0, or -EINTR: to be left. */
static int reconnect_pause(struct reconnect *reconnect)
{
    struct pollfd fd = {.fd = reconnect->session->interrupt_fd, .events = POLLIN};
    usec_t now = clock_boot();
    /* Who lost the agent together shouldn't come back together. */
    usec_t until = MIN(now + reconnect->pause + now % (reconnect->pause / 4), reconnect->deadline);

    reconnect->pause = MIN(reconnect->pause * 2, PAUSE_MAX);
    for (; now < until; now = clock_boot()) {
        int r = poll(&fd, 1, (int)((until - now) / USEC_PER_MSEC + 1));

        if (r < 0 && errno != EINTR)
            return -errno;
        if (r > 0 && reconnect->interrupted(reconnect->userdata))
            return -EINTR;
    }
    return 0;
}

/* A certificate that isn't trusted won't be by waiting; a network or an agent may come back. */
static bool is_final(int r)
{
    return r == -EKEYREJECTED || r == -EACCES || r == -ENOMEM;
}

static int reconnect_dial(struct reconnect *reconnect, struct error *err)
{
    usec_t now = clock_boot();
    int r = session_dial(reconnect->session,
                         MIN(DIAL_TIME, MAX(reconnect->deadline, now + PAUSE_MIN) - now), err);

    if (r == -EINTR && !reconnect->interrupted(reconnect->userdata))
        return -EAGAIN;
    return r;
}

int reconnect_again(struct reconnect *reconnect, const char *why)
{
    struct error err;
    int r;

    (void)error_set(&err, -ENOTCONN, "%s", why ? why : "the connection was lost");
    if (reconnect->patience == 0 ||
        (reconnect->deadline != 0 && clock_boot() >= reconnect->deadline)) {
        tell("%s", err.text);
        return -ENOTCONN;
    }
    if (reconnect->deadline == 0)
        reconnect_begin(reconnect, err.text);
    do {
        r = reconnect_pause(reconnect);
        if (r < 0)
            return r;
        r = reconnect_dial(reconnect, &err);
        if (r == 0 && reconnect_talks(reconnect))
            tell("connected again");
        if (r == 0 || r == -EINTR)
            return r;
    } while (!is_final(r) && clock_boot() < reconnect->deadline);
    tell("%s", err.text);
    return is_final(r) ? r : -ENOTCONN;
}
