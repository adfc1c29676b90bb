/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/when.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/quantity.h"

#define DAY (24 * 3600 * USEC_PER_SEC)

/* Takes exactly `digits` digits from *text. */
static bool take_number(const char **text, unsigned digits, int max, int *ret)
{
    int value = 0;

    for (unsigned i = 0; i < digits; i++, ++*text) {
        if (**text < '0' || **text > '9')
            return false;
        value = value * 10 + (**text - '0');
    }
    *ret = value;
    return value <= max;
}

static bool take(const char **text, char wanted)
{
    if (**text != wanted)
        return false;
    ++*text;
    return true;
}

/* "14:30", "14:30:05", "14:30:05.25". */
static bool take_time(const char **text, struct tm *parts, usec_t *ret_fraction)
{
    usec_t unit = USEC_PER_SEC;

    *ret_fraction = 0;
    if (!take_number(text, 2, 23, &parts->tm_hour) || !take(text, ':') ||
        !take_number(text, 2, 59, &parts->tm_min))
        return false;
    if (!take(text, ':'))
        return true;
    if (!take_number(text, 2, 60, &parts->tm_sec))
        return false;
    if (!take(text, '.'))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        unit /= 10;
        *ret_fraction += (usec_t)(**text - '0') * unit;
    }
    return true;
}

static bool take_date(const char **text, struct tm *parts)
{
    if (!take_number(text, 4, 9999, &parts->tm_year) || !take(text, '-') ||
        !take_number(text, 2, 12, &parts->tm_mon) || !take(text, '-') ||
        !take_number(text, 2, 31, &parts->tm_mday) || parts->tm_mon == 0 || parts->tm_mday == 0)
        return false;
    parts->tm_year -= 1900;
    parts->tm_mon -= 1;
    return take(text, 'T') || take(text, 't') || take(text, ' ');
}

/* Seconds since 1970 of what stands in `parts` in the zone that follows in the text. */
static bool take_zone(const char **text, struct tm *parts, time_t *ret)
{
    int hours, minutes, sign;

    if (**text == 0) {
        parts->tm_isdst = -1;
        *ret = mktime(parts);
        return true;
    }
    if (take(text, 'Z') || take(text, 'z')) {
        *ret = timegm(parts);
        return true;
    }
    sign = **text == '-' ? -1 : 1;
    if ((!take(text, '+') && !take(text, '-')) || !take_number(text, 2, 23, &hours) ||
        !take(text, ':') || !take_number(text, 2, 59, &minutes))
        return false;
    *ret = timegm(parts) - sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool read_date(const char *text, usec_t *ret)
{
    struct tm parts = {.tm_isdst = 0};
    usec_t fraction;
    time_t seconds;

    if (!take_date(&text, &parts) || !take_time(&text, &parts, &fraction) ||
        !take_zone(&text, &parts, &seconds) || *text != 0 || seconds < 0)
        return false;
    *ret = (usec_t)seconds * USEC_PER_SEC + fraction;
    return true;
}

static bool read_time_of_day(const char *text, usec_t now, bool is_past, usec_t *ret)
{
    time_t seconds = (time_t)(now / USEC_PER_SEC);
    usec_t fraction;
    struct tm parts;

    if (!localtime_r(&seconds, &parts))
        return false;
    parts.tm_sec = 0;
    parts.tm_isdst = -1;
    if (!take_time(&text, &parts, &fraction) || *text != 0)
        return false;
    seconds = mktime(&parts);
    if (seconds < 0)
        return false;
    *ret = (usec_t)seconds * USEC_PER_SEC + fraction;
    if (is_past && *ret > now && *ret >= DAY)
        *ret -= DAY;
    return true;
}

int when_parse(const char *text, usec_t now, bool is_past, usec_t *ret, struct error *err)
{
    usec_t ago;

    if (read_date(text, ret) || read_time_of_day(text, now, is_past, ret))
        return 0;
    if (quantity_parse_duration(text, &ago, NULL) < 0)
        return error_set(err, -EINVAL,
                         "\"%.40s\" is no time; write 10m (ago), 14:30 or 2026-11-21T14:30:00Z",
                         text);
    *ret = now - MIN(ago, now);
    return 0;
}
