/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/failure-message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/error.h"
#include "base/id.h"
#include "grpc/status.h"
#include "worker/failure.h"

/* The numbers of both enums are the same by design; a few that would not go unnoticed. */
_Static_assert((int)HOIST_REASON_JOB_NOT_FOUND == (int)HOIST__V1__REASON__REASON_JOB_NOT_FOUND,
               "enum hoist_reason follows hoist.v1.Reason");
_Static_assert((int)HOIST_REASON_COMMAND_NOT_FOUND ==
                   (int)HOIST__V1__REASON__REASON_COMMAND_NOT_FOUND,
               "enum hoist_reason follows hoist.v1.Reason");
_Static_assert((int)HOIST_REASON_OUTPUT_WRITE_FAILED ==
                   (int)HOIST__V1__REASON__REASON_OUTPUT_WRITE_FAILED,
               "enum hoist_reason follows hoist.v1.Reason");

/* A full disk is the host's trouble, not a fault of ours, whichever step met it. */
static bool is_out_of_room(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -ENOMEM;
}

static void add_details(const struct failure *failure, struct api_error *ret)
{
    unsigned candidates = 0;

    for (size_t i = 0; i < failure->detail_count; i++) {
        const struct failure_detail *detail = &failure->details[i];
        char key[32];

        if (failure->reason == HOIST_REASON_INVALID_FIELD) {
            snprintf(key, sizeof(key), "field.%zu", i);
            api_error_add(ret, key, "%s", detail->key);
            snprintf(key, sizeof(key), "issue.%zu", i);
            api_error_add(ret, key, "%s", detail->value);
        } else if (strcmp(detail->key, "candidate") == 0) {
            snprintf(key, sizeof(key), "candidate.%u", candidates++);
            api_error_add(ret, key, "%s", detail->value);
        } else {
            api_error_add(ret, detail->key, "%s", detail->value);
        }
    }
}

void failure_to_error(const struct failure *failure, struct api_error *ret)
{
    api_error_set(ret, (Hoist__V1__Reason)failure->reason, "%s", failure->error.text);
    if (failure->reason == HOIST_REASON_UNSPECIFIED)
        ret->code = is_out_of_room(failure->error.code) ? GRPC_STATUS_RESOURCE_EXHAUSTED
                                                        : GRPC_STATUS_INTERNAL;
    else if (is_out_of_room(failure->error.code) && ret->code == GRPC_STATUS_INTERNAL)
        ret->code = GRPC_STATUS_RESOURCE_EXHAUSTED;
    add_details(failure, ret);
    if (!id_is_nil(&failure->job)) {
        char id[ID_TEXT_MAX];

        api_error_add(ret, "job", "jobs/%s", id_format(&failure->job, id));
    }
}
