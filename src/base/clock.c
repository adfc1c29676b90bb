/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static usec_t clock_read(clockid_t which)
{
    struct timespec now;

    /* Fails only for a clock that the kernel doesn't know (clock_gettime(2)). */
    if (clock_gettime(which, &now) < 0)
        return 0;
    return (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / NSEC_PER_USEC;
}

usec_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

usec_t clock_boot(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

const char *clock_format_utc(usec_t wall, char *text)
{
    time_t seconds = (time_t)(wall / USEC_PER_SEC);
    char date[CLOCK_TEXT_MAX] = "";
    struct tm parts;

    if (gmtime_r(&seconds, &parts))
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, CLOCK_TEXT_MAX, "%.20s.%06uZ", date, (unsigned)(wall % USEC_PER_SEC));
    return text;
}

const char *clock_format_local(usec_t wall, char *text)
{
    time_t seconds = (time_t)(wall / USEC_PER_SEC);
    struct tm parts;

    text[0] = 0;
    if (localtime_r(&seconds, &parts))
        strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%d %H:%M:%S %z", &parts);
    return text;
}
