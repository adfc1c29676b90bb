/* SPDX-License-Identifier: Apache-2.0 */
#include "text/value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/quantity.h"
#include "base/strv.h"
#include "base/utf8.h"

#define SHOWN_MAX 64

/* The text as it may be quoted in a sentence: escaped and cut. */
static const char *shown(const char *text, char out[static SHOWN_MAX])
{
    _cleanup_free_ char *escaped = utf8_escape(text);

    (void)snprintf(out, SHOWN_MAX, "%s", escaped ? escaped : "");
    return out;
}

int text_parse_string(const char *text, void *destination, const void *argument, struct error *err)
{
    char **field = destination, *copy = strdup(text);

    (void)argument;
    if (!copy)
        return error_set(err, -ENOMEM, "out of memory");
    free(*field);
    *field = copy;
    return 0;
}

int text_parse_path(const char *text, void *destination, const void *argument, struct error *err)
{
    char out[SHOWN_MAX];

    if (text[0] != '/')
        return error_set(err, -EINVAL, "\"%s\" is not an absolute path: it must begin with /",
                         shown(text, out));
    return text_parse_string(text, destination, argument, err);
}

int text_parse_bool(const char *text, void *destination, const void *argument, struct error *err)
{
    bool *field = destination;
    char out[SHOWN_MAX];

    (void)argument;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return error_set(err, -EINVAL, "\"%s\" is neither true nor false", shown(text, out));
    *field = text[0] == 't';
    return 0;
}

static int check_range(uint64_t value, const struct text_range *range, struct error *err)
{
    if (!range || (value >= range->min && value <= range->max))
        return 0;
    return error_set(err, -ERANGE, "%llu is out of range: %llu to %llu are allowed",
                     (unsigned long long)value, (unsigned long long)range->min,
                     (unsigned long long)range->max);
}

int text_parse_unsigned(const char *text, void *destination, const void *argument,
                        struct error *err)
{
    uint64_t value;
    int r;

    r = quantity_parse_unsigned(text, UINT64_MAX, &value, err);
    if (r >= 0)
        r = check_range(value, argument, err);
    if (r >= 0)
        *(uint64_t *)destination = value;
    return r;
}

int text_parse_size(const char *text, void *destination, const void *argument, struct error *err)
{
    uint64_t value;
    int r;

    r = quantity_parse_size(text, &value, err);
    if (r >= 0)
        r = check_range(value, argument, err);
    if (r >= 0)
        *(uint64_t *)destination = value;
    return r;
}

int text_parse_duration(const char *text, void *destination, const void *argument,
                        struct error *err)
{
    const struct text_range *range = argument;
    char least[QUANTITY_TEXT_MAX], most[QUANTITY_TEXT_MAX], out[SHOWN_MAX];
    usec_t value;
    int r;

    r = quantity_parse_duration(text, &value, err);
    if (r < 0)
        return r;
    if (range && (value < range->min || value > range->max))
        return error_set(err, -ERANGE, "\"%s\" is out of range: %s to %s are allowed",
                         shown(text, out), quantity_format_duration(range->min, least),
                         quantity_format_duration(range->max, most));
    *(usec_t *)destination = value;
    return 0;
}

/* "a, b or c" */
static const char *choices_format(const char *const *names, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; names[i] && used < size; i++) {
        const char *link = i == 0 ? "" : names[i + 1] ? ", " : " or ";
        int more = snprintf(text + used, size - used, "%s%s", link, names[i]);

        if (more < 0)
            break;
        used += (size_t)more;
    }
    return text;
}

int text_parse_choice(const char *text, void *destination, const void *argument, struct error *err)
{
    const char *const *names = argument;
    char out[SHOWN_MAX], choices[ERROR_TEXT_MAX / 2];

    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0) {
            *(int *)destination = i;
            return 0;
        }
    return error_set(err, -EINVAL, "\"%s\" is not known: %s are allowed", shown(text, out),
                     choices_format(names, choices, sizeof(choices)));
}

int text_parse_strings(const char *text, void *destination, const void *argument, struct error *err)
{
    (void)argument;
    if (strv_append(destination, text) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    return 0;
}
