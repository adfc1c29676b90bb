/* SPDX-License-Identifier: Apache-2.0 */
#include "base/quantity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/utf8.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", 1000},
    {"KB", 1000},
    {"M", 1000000},
    {"MB", 1000000},
    {"G", 1000000000},
    {"GB", 1000000000},
    {"T", 1000000000000},
    {"TB", 1000000000000},
    {"Ki", UINT64_C(1) << 10},
    {"KiB", UINT64_C(1) << 10},
    {"Mi", UINT64_C(1) << 20},
    {"MiB", UINT64_C(1) << 20},
    {"Gi", UINT64_C(1) << 30},
    {"GiB", UINT64_C(1) << 30},
    {"Ti", UINT64_C(1) << 40},
    {"TiB", UINT64_C(1) << 40},
};

static const struct unit duration_units[] = {
    {"", USEC_PER_SEC},         {"us", 1},
    {"ms", USEC_PER_MSEC},      {"s", USEC_PER_SEC},
    {"m", 60 * USEC_PER_SEC},   {"min", 60 * USEC_PER_SEC},
    {"h", 3600 * USEC_PER_SEC}, {"d", 86400 * USEC_PER_SEC},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const struct unit *unit_find(const struct unit *units, size_t count, const char *name,
                                    size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(units[i].name) == length && strncasecmp(units[i].name, name, length) == 0)
            return &units[i];
    return NULL;
}

/* A number: its whole part, and its fraction in millionths (further digits are dropped). */
struct decimal {
    uint64_t whole;
    uint32_t millionths;
};

static int decimal_read(const char **text, struct decimal *ret)
{
    struct decimal number = {0};
    uint32_t place = 100000;
    const char *at = *text;

    if (!is_digit(*at))
        return -EINVAL;
    for (; is_digit(*at); at++)
        if (__builtin_mul_overflow(number.whole, UINT64_C(10), &number.whole) ||
            __builtin_add_overflow(number.whole, (uint64_t)(*at - '0'), &number.whole))
            return -ERANGE;
    if (*at == '.') {
        if (!is_digit(*++at))
            return -EINVAL;
        for (; is_digit(*at); at++, place /= 10)
            number.millionths += (uint32_t)(*at - '0') * place;
    }
    *text = at;
    *ret = number;
    return 0;
}

static int decimal_scale(const struct decimal *number, uint64_t factor, uint64_t *ret)
{
    uint64_t value, fraction;

    if (__builtin_mul_overflow(number->whole, factor, &value))
        return -ERANGE;
    fraction = (uint64_t)((unsigned __int128)factor * number->millionths / 1000000);
    if (__builtin_add_overflow(value, fraction, &value))
        return -ERANGE;
    *ret = value;
    return 0;
}

/* `how` continues "write …". */
static int quantity_refuse(const char *text, int code, const char *what, const char *how,
                           struct error *err)
{
    _cleanup_free_ char *shown = utf8_escape(text);

    return error_set(err, code, "\"%.60s\" is %s; write %s", shown ? shown : "",
                     code == -ERANGE ? "too large" : what, how);
}

static int size_read(const char *text, uint64_t *ret)
{
    const struct unit *unit;
    struct decimal number;
    int r = decimal_read(&text, &number);

    if (r < 0)
        return r;
    unit = unit_find(size_units, ARRAY_SIZE(size_units), text, strlen(text));
    if (!unit)
        return -EINVAL;
    return decimal_scale(&number, unit->factor, ret);
}

int quantity_parse_size(const char *text, uint64_t *ret_bytes, struct error *err)
{
    int r = size_read(text, ret_bytes);

    return r < 0 ? quantity_refuse(text, r, "no size", "it like 512MB, 1.5GiB or 4096", err) : 0;
}

/* One "<number><unit>"; *first says that no unit is allowed to be missing behind it. */
static int duration_part_read(const char **text, bool first, usec_t *total)
{
    const struct unit *unit;
    struct decimal number;
    size_t length = 0;
    usec_t part;
    int r = decimal_read(text, &number);

    if (r < 0)
        return r;
    while ((*text)[length] && !is_digit((*text)[length]))
        length++;
    if (length == 0 && !first)
        return -EINVAL;
    unit = unit_find(duration_units, ARRAY_SIZE(duration_units), *text, length);
    if (!unit)
        return -EINVAL;
    *text += length;
    r = decimal_scale(&number, unit->factor, &part);
    if (r < 0)
        return r;
    return __builtin_add_overflow(*total, part, total) ? -ERANGE : 0;
}

int quantity_parse_duration(const char *text, usec_t *ret, struct error *err)
{
    const char *at = text;
    usec_t total = 0;
    bool first = true;
    int r;

    do {
        r = duration_part_read(&at, first, &total);
        first = false;
    } while (r == 0 && *at);
    if (r == 0 && total == USEC_INFINITY)
        r = -ERANGE;
    if (r < 0)
        return quantity_refuse(text, r, "no duration", "it like 30s, 1h30m or 250ms", err);
    *ret = total;
    return 0;
}

/* A thousand CPUs. */
#define SHARE_MAX UINT64_C(1000000)

static int share_read(const char *text, uint64_t *ret_millis)
{
    struct decimal number;
    uint64_t factor = 1;
    int r = decimal_read(&text, &number);

    if (r < 0)
        return r;
    if (strcmp(text, "%") == 0)
        factor = 10;
    else if (text[0] && strcmp(text, "m") != 0)
        return -EINVAL;
    if (number.millionths > 0) /* "0.5" would be half a CPU to some and half a thousandth to us */
        return -EINVAL;
    if (number.whole > SHARE_MAX / factor)
        return -ERANGE;
    *ret_millis = number.whole * factor;
    return 0;
}

int quantity_parse_cpu(const char *text, uint64_t *ret_millis, struct error *err)
{
    int r = share_read(text, ret_millis);

    return r < 0 ? quantity_refuse(text, r, "no share of CPU", "it like 25% or 250m", err) : 0;
}

int quantity_parse_unsigned(const char *text, uint64_t max, uint64_t *ret, struct error *err)
{
    struct decimal number;
    const char *at = text;
    int r = decimal_read(&at, &number);

    if (r == 0 && (*at || memchr(text, '.', (size_t)(at - text))))
        r = -EINVAL;
    if (r == 0 && number.whole > max)
        r = -ERANGE;
    if (r < 0) {
        char how[48];

        snprintf(how, sizeof(how), "a number from 0 to %llu", (unsigned long long)max);
        return quantity_refuse(text, r, "no whole number", how, err);
    }
    *ret = number.whole;
    return 0;
}

/* At most three significant digits, without zeros behind the point: 1.5, 32, 2.37. */
static void format_short(double value, char *text, size_t size)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    size_t length = (size_t)snprintf(text, size, "%.*f", decimals, value);

    if (decimals == 0)
        return;
    while (text[length - 1] == '0')
        text[--length] = 0;
    if (text[length - 1] == '.')
        text[length - 1] = 0;
}

static void format_scaled(double value, const char *const *suffixes, size_t count, char *text)
{
    char digits[16];
    size_t step = 0;

    while (step + 1 < count && value >= 999.5) {
        value /= 1000;
        step++;
    }
    if (value >= 999999)
        value = 999999; /* beyond the last suffix nobody counts */
    format_short(value, digits, sizeof(digits));
    snprintf(text, QUANTITY_TEXT_MAX, "%s%s", digits, suffixes[step]);
}

const char *quantity_format_size(uint64_t bytes, char text[static QUANTITY_TEXT_MAX])
{
    static const char *const suffixes[] = {"B", "kB", "MB", "GB", "TB", "PB"};

    format_scaled((double)bytes, suffixes, ARRAY_SIZE(suffixes), text);
    return text;
}

/* The largest of the units of this kind that divides the size; *ret_count: how many of them. */
static unsigned largest_unit(uint64_t bytes, uint64_t step, uint64_t *ret_count)
{
    unsigned unit = 0;

    while (unit < 4 && bytes > 0 && bytes % step == 0) {
        bytes /= step;
        unit++;
    }
    *ret_count = bytes;
    return unit;
}

const char *quantity_format_exact(uint64_t bytes, char text[static QUANTITY_TEXT_MAX])
{
    static const char *const decimal[] = {"B", "kB", "MB", "GB", "TB"};
    static const char *const binary[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    uint64_t decimals, binaries;
    unsigned decimal_unit = largest_unit(bytes, 1000, &decimals);
    unsigned binary_unit = largest_unit(bytes, 1024, &binaries);
    bool is_binary = binary_unit > decimal_unit;

    snprintf(text, QUANTITY_TEXT_MAX, "%llu%s",
             (unsigned long long)(is_binary ? binaries : decimals),
             is_binary ? binary[binary_unit] : decimal[decimal_unit]);
    return text;
}

const char *quantity_format_count(double count, char text[static QUANTITY_TEXT_MAX])
{
    static const char *const suffixes[] = {"", "k", "M", "G", "T"};

    format_scaled(count < 0 ? 0 : count, suffixes, ARRAY_SIZE(suffixes), text);
    return text;
}

const char *quantity_format_duration(usec_t duration, char text[static QUANTITY_TEXT_MAX])
{
    unsigned long long seconds = duration / USEC_PER_SEC;

    if (duration < USEC_PER_SEC)
        snprintf(text, QUANTITY_TEXT_MAX, "%llums", (unsigned long long)(duration / USEC_PER_MSEC));
    else if (seconds < 60)
        snprintf(text, QUANTITY_TEXT_MAX, "%llu.%llus", seconds,
                 (unsigned long long)(duration % USEC_PER_SEC / (100 * USEC_PER_MSEC)));
    else if (seconds < 3600)
        snprintf(text, QUANTITY_TEXT_MAX, "%llum%02llus", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(text, QUANTITY_TEXT_MAX, "%lluh%02llum", seconds / 3600, seconds % 3600 / 60);
    else
        snprintf(text, QUANTITY_TEXT_MAX, "%llud%lluh", seconds / 86400, seconds % 86400 / 3600);
    return text;
}
