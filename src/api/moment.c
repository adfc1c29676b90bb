/* SPDX-License-Identifier: Apache-2.0 */
#include "api/moment.h"

#include <errno.h>

#include "api/message.h"
#include "base/error.h"

#define NANOS_MAX   INT32_C(999999999)
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z, protobuf's own limit */

int api_timestamp_read(const Google__Protobuf__Timestamp *timestamp, usec_t *ret_wall,
                       struct error *err)
{
    if (timestamp && (timestamp->seconds < 0 || timestamp->seconds > SECONDS_MAX ||
                      timestamp->nanos < 0 || timestamp->nanos > NANOS_MAX))
        return error_set(err, -ERANGE, "is no moment between the years 1970 and 9999");
    *ret_wall = timestamp ? (usec_t)timestamp->seconds * USEC_PER_SEC +
                                (usec_t)timestamp->nanos / NSEC_PER_USEC
                          : 0;
    return 0;
}

int api_duration_read(const Google__Protobuf__Duration *duration, usec_t absent, usec_t *ret,
                      struct error *err)
{
    if (!duration) {
        *ret = absent;
        return 0;
    }
    if (duration->seconds < 0 || duration->nanos < 0)
        return error_set(err, -ERANGE, "is negative");
    if (duration->nanos > NANOS_MAX)
        return error_set(err, -ERANGE, "has more than a second of nanoseconds");
    if ((uint64_t)duration->seconds > API_DURATION_MAX / USEC_PER_SEC)
        return error_set(err, -ERANGE, "is longer than 366 days");
    *ret = (usec_t)duration->seconds * USEC_PER_SEC + (usec_t)duration->nanos / NSEC_PER_USEC;
    return 0;
}

int api_timestamp_set(Google__Protobuf__Timestamp **field, usec_t wall)
{
    if (!*field)
        *field = api_new(google__protobuf__timestamp);
    if (!*field)
        return -ENOMEM;
    (*field)->seconds = (int64_t)(wall / USEC_PER_SEC);
    (*field)->nanos = (int32_t)(wall % USEC_PER_SEC * NSEC_PER_USEC);
    return 0;
}

int api_duration_set(Google__Protobuf__Duration **field, usec_t duration)
{
    if (!*field)
        *field = api_new(google__protobuf__duration);
    if (!*field)
        return -ENOMEM;
    (*field)->seconds = (int64_t)(duration / USEC_PER_SEC);
    (*field)->nanos = (int32_t)(duration % USEC_PER_SEC * NSEC_PER_USEC);
    return 0;
}
