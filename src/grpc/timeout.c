/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/timeout.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"

#define TIMEOUT_DIGITS_MAX 8
#define TIMEOUT_VALUE_MAX  99999999U

/* From fine to coarse; nanoseconds apart, since they are finer than usec_t. */
static const struct {
    char letter;
    usec_t usec;
} units[] = {
    {'u', 1},
    {'m', USEC_PER_MSEC},
    {'S', USEC_PER_SEC},
    {'M', 60 * USEC_PER_SEC},
    {'H', 3600 * USEC_PER_SEC},
};

int grpc_timeout_parse(const void *text, size_t size, usec_t *ret)
{
    const uint8_t *bytes = text;
    usec_t value = 0;

    if (size < 2 || size > TIMEOUT_DIGITS_MAX + 1)
        return -EINVAL;
    for (size_t i = 0; i < size - 1; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return -EINVAL;
        value = value * 10 + (usec_t)(bytes[i] - '0');
    }
    if (bytes[size - 1] == 'n') {
        *ret = (value + NSEC_PER_USEC - 1) / NSEC_PER_USEC;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (bytes[size - 1] == units[i].letter) {
            *ret = value * units[i].usec;
            return 0;
        }
    return -EINVAL;
}

const char *grpc_timeout_format(usec_t timeout, char text[static GRPC_TIMEOUT_TEXT_MAX])
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        usec_t value = timeout / units[i].usec + (timeout % units[i].usec != 0);

        if (value <= TIMEOUT_VALUE_MAX) {
            snprintf(text, GRPC_TIMEOUT_TEXT_MAX, "%u%c", (unsigned)value, units[i].letter);
            return text;
        }
    }
    snprintf(text, GRPC_TIMEOUT_TEXT_MAX, "%uH", TIMEOUT_VALUE_MAX);
    return text;
}
