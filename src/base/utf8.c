/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>

/* The shape that a first byte promises: length, its own bits, and the smallest character allowed.
 */
struct utf8_shape {
    uint8_t mask, lead;
    int length;
    uint32_t smallest;
};

static const struct utf8_shape utf8_shapes[] = {
    {0x80, 0x00, 1, 0x0},
    {0xe0, 0xc0, 2, 0x80},
    {0xf0, 0xe0, 3, 0x800},
    {0xf8, 0xf0, 4, 0x10000},
};

static const struct utf8_shape *utf8_shape_of(uint8_t lead)
{
    for (size_t i = 0; i < ARRAY_SIZE(utf8_shapes); i++)
        if ((lead & utf8_shapes[i].mask) == utf8_shapes[i].lead)
            return &utf8_shapes[i];
    return NULL;
}

/* The second byte decides whether a longer form, a surrogate or something above U+10FFFF begins. */
static bool utf8_second_fits(uint8_t lead, uint8_t second)
{
    switch (lead) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return lead != 0xc0 && lead != 0xc1 && lead < 0xf5;
    }
}

int utf8_decode(const uint8_t *data, size_t size, uint32_t *ret)
{
    const struct utf8_shape *shape = utf8_shape_of(data[0]);
    uint32_t character;

    if (!shape || (shape->length > 1 && data[0] >= 0xf5) || data[0] == 0xc0 || data[0] == 0xc1)
        return 0;
    character = data[0] & (uint8_t)~shape->mask;
    for (int i = 1; i < shape->length; i++) {
        if ((size_t)i == size)
            return -EAGAIN;
        if ((data[i] & 0xc0) != 0x80 || (i == 1 && !utf8_second_fits(data[0], data[1])))
            return 0;
        character = character << 6 | (data[i] & 0x3f);
    }
    *ret = character;
    return shape->length;
}

bool utf8_is_valid(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t character;

    while (size > 0) {
        int length = utf8_decode(at, size, &character);

        if (length <= 0)
            return false;
        at += length;
        size -= (size_t)length;
    }
    return true;
}

bool utf8_is_harmful(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0x061c ||
           character == 0x200e || character == 0x200f ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069) || character == 0xfeff ||
           (character >= 0xfff9 && character <= 0xfffb) ||
           (character >= 0xe0000 && character <= 0xe007f);
}

static const char *short_escape(uint32_t character)
{
    switch (character) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

static int append_escaped_character(struct buffer *out, uint32_t character, const uint8_t *data,
                                    int length)
{
    const char *escape = short_escape(character);

    if (escape)
        return buffer_append_text(out, escape);
    if (!utf8_is_harmful(character))
        return buffer_append(out, data, (size_t)length);
    return buffer_append_format(out, character < 0x80 ? "\\x%02x" : "\\u{%04x}", character);
}

int utf8_append_escaped(struct buffer *out, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        uint32_t character;
        int r, length = utf8_decode(at, size, &character);

        if (length > 0) {
            r = append_escaped_character(out, character, at, length);
        } else {
            length = 1;
            r = buffer_append_format(out, "\\x%02x", *at);
        }
        if (r < 0)
            return r;
        at += length;
        size -= (size_t)length;
    }
    return 0;
}

char *utf8_escape(const char *text)
{
    _cleanup_buffer_ struct buffer out = {0};

    if (utf8_append_escaped(&out, text, strlen(text)) < 0)
        return NULL;
    return buffer_take_text(&out);
}

static int filter_character(struct buffer *out, uint32_t character, const uint8_t *data, int length)
{
    if (character == '\n' || character == '\t' || !utf8_is_harmful(character))
        return buffer_append(out, data, (size_t)length);
    if (character < 0x20 || character == 0x7f)
        return buffer_append_format(out, "^%c", (int)(character ^ 0x40));
    return buffer_append_format(out, "\\u{%04x}", character);
}

/* Shows one character (or one invalid byte); returns how many bytes it took, 0 if it is cut off. */
static int filter_one(struct buffer *out, const uint8_t *data, size_t size)
{
    uint32_t character;
    int r, length = utf8_decode(data, size, &character);

    if (length == -EAGAIN)
        return 0;
    if (length > 0)
        r = filter_character(out, character, data, length);
    else
        r = buffer_append_format(out, "\\x%02x", data[0]);
    return r < 0 ? r : MAX(length, 1);
}

/* Goes on with a character that the call before left unfinished. */
static int filter_partial(struct utf8_filter *filter, struct buffer *out, const uint8_t **data,
                          size_t *size)
{
    while (filter->partial_size > 0 && *size > 0) {
        size_t before = filter->partial_size;
        int took;

        filter->partial[filter->partial_size++] = **data;
        took = filter_one(out, filter->partial, filter->partial_size);
        if (took < 0) {
            filter->partial_size = before;
            return took;
        }
        if (took == 0) {
            (*data)++;
            (*size)--;
            continue;
        }
        if ((size_t)took > before) {
            /* Finished with the byte just added. */
            (*data)++;
            (*size)--;
            filter->partial_size = 0;
        } else {
            /* One byte was invalid: what is behind it begins anew, the added byte is not taken. */
            filter->partial_size = before - (size_t)took;
            memmove(filter->partial, filter->partial + took, filter->partial_size);
        }
    }
    return 0;
}

int utf8_filter_append(struct utf8_filter *filter, struct buffer *out, const void *data,
                       size_t size)
{
    const uint8_t *at = data;
    int r = filter_partial(filter, out, &at, &size);

    if (r < 0)
        return r;
    while (size > 0) {
        int took = filter_one(out, at, size);

        if (took < 0)
            return took;
        if (took == 0) {
            memcpy(filter->partial, at, size); /* at most three bytes are cut off */
            filter->partial_size = size;
            return 0;
        }
        at += took;
        size -= (size_t)took;
    }
    return 0;
}

int utf8_filter_end(struct utf8_filter *filter, struct buffer *out)
{
    for (size_t i = 0; i < filter->partial_size; i++) {
        int r = buffer_append_format(out, "\\x%02x", filter->partial[i]);

        if (r < 0)
            return r;
    }
    filter->partial_size = 0;
    return 0;
}
