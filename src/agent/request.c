/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/request.h"

#include <stdio.h>
#include <string.h>

#include "api/error.h"
#include "api/moment.h"
#include "base/error.h"
#include "base/quantity.h"
#include "base/signal-name.h"

/* "jobs/" and a UUID are 41; a display name has 63. */
#define REQUEST_NAME_MAX 68

int request_refuse(const char *field, const char *issue, struct api_error *error)
{
    int r = api_error_set(error, HOIST__V1__REASON__REASON_INVALID_FIELD, "%s %s", field, issue);

    api_error_add(error, "field.0", "%s", field);
    api_error_add(error, "issue.0", "%s", issue);
    return r;
}

int request_read_name(const char *name, struct api_error *error)
{
    if (name[0] == 0)
        return request_refuse("name", "is empty; give an id, a prefix of one, or a job's name",
                              error);
    if (strlen(name) > REQUEST_NAME_MAX)
        return request_refuse("name", "is longer than any id or name of a job", error);
    return 0;
}

int request_read_signal(const char *field, const char *text, int demanded, int *ret,
                        struct api_error *error)
{
    struct error err;

    if (text[0] == 0 && !demanded) {
        *ret = 0;
        return 0;
    }
    if (signal_from_name(text, ret, &err) < 0)
        return request_refuse(field, err.text, error);
    return 0;
}

int request_read_duration(const char *field, const Google__Protobuf__Duration *duration,
                          usec_t absent, usec_t max, usec_t *ret, struct api_error *error)
{
    struct error err;
    usec_t value;

    if (api_duration_read(duration, absent, &value, &err) < 0)
        return request_refuse(field, err.text, error);
    if (duration && value > max) {
        char text[QUANTITY_TEXT_MAX], issue[96];

        snprintf(issue, sizeof(issue), "is longer than %s, the most there is",
                 quantity_format_duration(max, text));
        return request_refuse(field, issue, error);
    }
    *ret = value;
    return 0;
}
