/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define ID_HEX_DIGITS     (2 * ID_SIZE)
#define ID_PREFIX_MIN     4
#define ID_HYPHENS_BEFORE ((1u << 8) | (1u << 12) | (1u << 16) | (1u << 20))

int id_new(struct id *ret)
{
    struct id id;
    ssize_t got;

    /* Up to 256 bytes come whole and uninterrupted once the pool is ready (getrandom(2)). */
    do
        got = getrandom(id.bytes, sizeof(id.bytes), 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got != (ssize_t)sizeof(id.bytes))
        return -EIO;

    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40); /* version 4 */
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
    *ret = id;
    return 0;
}

const char *id_format(const struct id *id, char text[static ID_TEXT_MAX])
{
    static const char hex[] = "0123456789abcdef";
    char *at = text;

    for (unsigned digit = 0; digit < ID_HEX_DIGITS; digit++) {
        if (ID_HYPHENS_BEFORE & (1u << digit))
            *at++ = '-';
        *at++ = hex[(id->bytes[digit / 2] >> (digit % 2 ? 0 : 4)) & 0x0f];
    }
    *at = 0;
    return text;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -EINVAL;
}

/*
 * Reads digits (with hyphens exactly where they belong) into `id` until the text ends.
 * Returns the number of digits, or -EINVAL.
 */
static int id_read_digits(const char *text, struct id *id)
{
    unsigned digit = 0;

    for (; *text; text++) {
        int value;

        if (digit < ID_HEX_DIGITS && (ID_HYPHENS_BEFORE & (1u << digit)) && *text == '-') {
            if (*++text == 0)
                break; /* a prefix may end behind a hyphen */
        } else if (digit < ID_HEX_DIGITS && (ID_HYPHENS_BEFORE & (1u << digit))) {
            return -EINVAL;
        }
        value = hex_value(*text);
        if (value < 0 || digit == ID_HEX_DIGITS)
            return -EINVAL;
        id->bytes[digit / 2] |= (uint8_t)(value << (digit % 2 ? 0 : 4));
        digit++;
    }
    return (int)digit;
}

int id_parse(const char *text, struct id *ret)
{
    struct id id = {0};

    if (strlen(text) != ID_TEXT_MAX - 1 || id_read_digits(text, &id) != ID_HEX_DIGITS)
        return -EINVAL;
    *ret = id;
    return 0;
}

int id_parse_prefix(const char *text, struct id *ret_low, struct id *ret_high)
{
    struct id low = {0}, high;
    int digits = id_read_digits(text, &low);

    if (digits < ID_PREFIX_MIN)
        return -EINVAL;
    high = low;
    for (unsigned digit = (unsigned)digits; digit < ID_HEX_DIGITS; digit++)
        high.bytes[digit / 2] |= (uint8_t)(0x0f << (digit % 2 ? 0 : 4));
    *ret_low = low;
    *ret_high = high;
    return 0;
}

int id_compare(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool id_equal(const struct id *a, const struct id *b)
{
    return id_compare(a, b) == 0;
}

bool id_is_nil(const struct id *id)
{
    return id_equal(id, &(const struct id){0});
}
