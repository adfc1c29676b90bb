/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAILS_MAX 64 /* what a person can still read, and an error still carry */

void failure_done(struct failure *failure)
{
    for (size_t i = 0; i < failure->detail_count; i++) {
        free(failure->details[i].key);
        free(failure->details[i].value);
    }
    free(failure->details);
    *failure = (struct failure){.reason = HOIST_REASON_UNSPECIFIED};
}

void failure_free(struct failure *failure)
{
    if (!failure)
        return;
    failure_done(failure);
    free(failure);
}

int failure_set(struct failure *failure, int code, enum hoist_reason reason, const char *format,
                ...)
{
    va_list args;

    if (!failure)
        return code;
    va_start(args, format);
    vsnprintf(failure->error.text, sizeof(failure->error.text), format, args);
    va_end(args);
    failure->error.code = code;
    failure->reason = reason;
    return code;
}

void failure_add_detail(struct failure *failure, const char *key, const char *value)
{
    _cleanup_free_ char *key_copy = strdup(key), *value_copy = strdup(value);
    struct failure_detail *more;

    if (!failure || !key_copy || !value_copy || failure->detail_count >= DETAILS_MAX)
        return;
    more = reallocarray(failure->details, failure->detail_count + 1, sizeof(*more));
    if (!more)
        return;
    failure->details = more;
    failure->details[failure->detail_count++] =
        (struct failure_detail){TAKE_PTR(key_copy), TAKE_PTR(value_copy)};
}
