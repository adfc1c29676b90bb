/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/status.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static const char *const status_names[] = {
    [GRPC_STATUS_OK] = "OK",
    [GRPC_STATUS_CANCELLED] = "CANCELLED",
    [GRPC_STATUS_UNKNOWN] = "UNKNOWN",
    [GRPC_STATUS_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [GRPC_STATUS_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [GRPC_STATUS_NOT_FOUND] = "NOT_FOUND",
    [GRPC_STATUS_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [GRPC_STATUS_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [GRPC_STATUS_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [GRPC_STATUS_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [GRPC_STATUS_ABORTED] = "ABORTED",
    [GRPC_STATUS_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [GRPC_STATUS_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [GRPC_STATUS_INTERNAL] = "INTERNAL",
    [GRPC_STATUS_UNAVAILABLE] = "UNAVAILABLE",
    [GRPC_STATUS_DATA_LOSS] = "DATA_LOSS",
    [GRPC_STATUS_UNAUTHENTICATED] = "UNAUTHENTICATED",
};
_Static_assert(ARRAY_SIZE(status_names) == _GRPC_STATUS_MAX, "a name for each status");

static const char hex_digits[] = "0123456789ABCDEF";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *grpc_status_name(enum grpc_status status)
{
    if ((int)status < 0 || status >= _GRPC_STATUS_MAX)
        return status_names[GRPC_STATUS_UNKNOWN];
    return status_names[status];
}

enum grpc_status grpc_status_parse(const void *text, size_t size)
{
    const uint8_t *digits = text;
    unsigned value = 0;

    if (size == 0 || size > 2 || (size == 2 && digits[0] == '0'))
        return _GRPC_STATUS_INVALID;
    for (size_t i = 0; i < size; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return _GRPC_STATUS_INVALID;
        value = value * 10 + (digits[i] - (unsigned)'0');
    }
    return value < _GRPC_STATUS_MAX ? (enum grpc_status)value : _GRPC_STATUS_INVALID;
}

enum grpc_status grpc_status_from_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return GRPC_STATUS_INTERNAL;
    case 401:
        return GRPC_STATUS_UNAUTHENTICATED;
    case 403:
        return GRPC_STATUS_PERMISSION_DENIED;
    case 404:
        return GRPC_STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_STATUS_UNAVAILABLE;
    default:
        return GRPC_STATUS_UNKNOWN;
    }
}

void grpc_result_done(struct grpc_result *result)
{
    free(result->message);
    free(result->details);
    *result = (struct grpc_result){0};
}

int grpc_result_set(struct grpc_result *result, enum grpc_status status, const char *message)
{
    grpc_result_done(result);
    result->status = status;
    result->message = strdup(message ? message : "");
    return result->message ? 0 : -ENOMEM;
}

int grpc_message_encode(struct buffer *out, const char *message)
{
    size_t length = strlen(message);
    uint8_t *place;
    size_t used = 0;
    int r = buffer_reserve(out, length * 3, &place);

    if (r < 0)
        return r;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)message[i];

        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            place[used++] = byte;
            continue;
        }
        place[used++] = '%';
        place[used++] = (uint8_t)hex_digits[byte >> 4];
        place[used++] = (uint8_t)hex_digits[byte & 15];
    }
    buffer_commit(out, used);
    return 0;
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* The bytes behind the escapes, as many as there are; decodes in place. */
static size_t percent_decode(uint8_t *data, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '%' && size - i > 2 && hex_value(data[i + 1]) >= 0 &&
            hex_value(data[i + 2]) >= 0) {
            data[used++] = (uint8_t)(hex_value(data[i + 1]) << 4 | hex_value(data[i + 2]));
            i += 2;
            continue;
        }
        data[used++] = data[i];
    }
    return used;
}

static void replace_bad_characters(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t character = 0;
        int length = utf8_decode(data + i, size - i, &character);

        if (length > 0 && character != 0) {
            i += (size_t)length;
            continue;
        }
        data[i++] = '?';
    }
}

int grpc_message_decode(struct buffer *out, const void *data, size_t size)
{
    uint8_t *place;
    int r = buffer_reserve(out, size, &place);

    if (r < 0)
        return r;
    if (size == 0)
        return 0;
    memcpy(place, data, size);
    size = percent_decode(place, size);
    replace_bad_characters(place, size);
    buffer_commit(out, size);
    return 0;
}

int grpc_base64_encode(struct buffer *out, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t bits = 0;
    unsigned held = 0;
    uint8_t *place;
    size_t used = 0;
    int r = buffer_reserve(out, size / 3 * 4 + 4, &place);

    if (r < 0)
        return r;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            place[used++] = (uint8_t)base64_digits[bits >> (held - 6) & 63];
    }
    if (held > 0)
        place[used++] = (uint8_t)base64_digits[bits << (6 - held) & 63];
    buffer_commit(out, used);
    return 0;
}

static int base64_value(uint8_t digit)
{
    const char *found = digit ? strchr(base64_digits, digit) : NULL;

    return found ? (int)(found - base64_digits) : -1;
}

/* The size without padding, which must be right if there is any. */
static int base64_strip(const uint8_t *text, size_t *size)
{
    size_t padding = 0;

    while (*size > 0 && padding < 2 && text[*size - 1] == '=') {
        (*size)--;
        padding++;
    }
    if (padding > 0 && (*size + padding) % 4 != 0)
        return -EBADMSG;
    return *size % 4 == 1 ? -EBADMSG : 0;
}

int grpc_base64_decode(struct buffer *out, const void *data, size_t size)
{
    const uint8_t *text = data;
    uint32_t bits = 0;
    unsigned held = 0;
    uint8_t *place;
    size_t used = 0;
    int r = base64_strip(text, &size);

    if (r < 0)
        return r;
    r = buffer_reserve(out, size / 4 * 3 + 3, &place);
    if (r < 0)
        return r;
    for (size_t i = 0; i < size; i++) {
        int value = base64_value(text[i]);

        if (value < 0)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            place[used++] = (uint8_t)(bits >> held);
        }
    }
    buffer_commit(out, used);
    return 0;
}
