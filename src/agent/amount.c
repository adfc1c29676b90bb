/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/amount.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/quantity.h"
#include "text/value.h"
#include "worker/worker.h"

typedef int amount_print_fn(uint64_t value, const struct amount *amount, struct buffer *out);

struct unit {
    uint64_t length;
    const char *name;
};

/* From the largest to the smallest, which is 1. */
static const struct unit size_units[] = {
    {UINT64_C(1) << 40, "TiB"},
    {UINT64_C(1) << 30, "GiB"},
    {UINT64_C(1) << 20, "MiB"},
    {UINT64_C(1) << 10, "KiB"},
    {1, "B"},
};

static const struct unit duration_units[] = {
    {86400 * USEC_PER_SEC, "d"}, {3600 * USEC_PER_SEC, "h"}, {60 * USEC_PER_SEC, "m"},
    {USEC_PER_SEC, "s"},         {USEC_PER_MSEC, "ms"},      {1, "us"},
};

/* In the largest unit that leaves no fraction. */
static int print_in(const struct unit *units, uint64_t value, struct buffer *out)
{
    while (value % units->length != 0)
        units++;
    return buffer_append_format(out, "%llu%s", (unsigned long long)(value / units->length),
                                units->name);
}

int amount_print_size(uint64_t value, const struct amount *amount, struct buffer *out)
{
    if (amount && value == amount->word.value)
        return buffer_append_text(out, amount->word.text);
    return print_in(size_units, value, out);
}

int amount_print_duration(uint64_t value, const struct amount *amount, struct buffer *out)
{
    if (amount && value == amount->word.value)
        return buffer_append_text(out, amount->word.text);
    return print_in(duration_units, value, out);
}

/* The range is told in the words of the file. */
static int check_range(uint64_t value, const struct amount *amount, amount_print_fn *print,
                       struct error *err)
{
    _cleanup_buffer_ struct buffer least = {0}, most = {0};
    _cleanup_free_ char *from = NULL, *to = NULL;

    if (value >= amount->min && value <= amount->max)
        return 0;
    (void)print(amount->min, NULL, &least); /* without memory there is a shorter sentence */
    (void)print(amount->max, NULL, &most);
    from = buffer_take_text(&least);
    to = buffer_take_text(&most);
    return error_set(err, -ERANGE, "out of range: %s to %s, or \"%s\"", from ? from : "?",
                     to ? to : "?", amount->word.text);
}

int amount_parse_size(const char *text, void *destination, const void *argument, struct error *err)
{
    const struct amount *amount = argument;
    uint64_t value = amount->word.value;
    int r = 0;

    if (strcmp(text, amount->word.text) != 0) {
        r = quantity_parse_size(text, &value, err);
        if (r == 0)
            r = check_range(value, amount, amount_print_size, err);
    }
    if (r == 0)
        *(uint64_t *)destination = value;
    return r;
}

int amount_parse_duration(const char *text, void *destination, const void *argument,
                          struct error *err)
{
    const struct amount *amount = argument;
    usec_t value = amount->word.value;
    int r = 0;

    if (strcmp(text, amount->word.text) != 0) {
        r = quantity_parse_duration(text, &value, err);
        if (r == 0)
            r = check_range(value, amount, amount_print_duration, err);
    }
    if (r == 0)
        *(usec_t *)destination = value;
    return r;
}

int amount_parse_share(const char *text, void *destination, const void *argument, struct error *err)
{
    struct disk_share share = {.bytes = 0};
    const char *percent = strchr(text, '%');
    int r = 0;

    (void)argument;
    if (percent && percent[1] == '\0' && percent - text >= 1 && percent - text <= 2) {
        const char digits[] = {text[0], percent - text == 2 ? text[1] : '\0', '\0'};
        uint64_t value = 0;

        r = quantity_parse_unsigned(digits, 99, &value, err);
        share.percent = (unsigned)value;
    } else if (strcmp(text, "none") != 0) {
        r = quantity_parse_size(text, &share.bytes, err);
        if (r < 0)
            (void)error_prefix(err, "neither \"none\" nor a share of the disk like 5%%");
    }
    if (r == 0)
        *(struct disk_share *)destination = share;
    return r;
}

int amount_print_share(const struct disk_share *share, struct buffer *out)
{
    if (share->percent > 0)
        return buffer_append_format(out, "%u%%", share->percent);
    return share->bytes > 0 ? print_in(size_units, share->bytes, out)
                            : buffer_append_text(out, "none");
}
