/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reason.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* The status codes of gRPC; the numbers are the protocol's (grpc/grpc doc/statuscodes.md). */
enum code {
    CODE_UNKNOWN = 2,
    CODE_INVALID_ARGUMENT = 3,
    CODE_NOT_FOUND = 5,
    CODE_ALREADY_EXISTS = 6,
    CODE_PERMISSION_DENIED = 7,
    CODE_RESOURCE_EXHAUSTED = 8,
    CODE_FAILED_PRECONDITION = 9,
    CODE_OUT_OF_RANGE = 11,
    CODE_UNIMPLEMENTED = 12,
    CODE_INTERNAL = 13,
    CODE_UNAVAILABLE = 14,
    CODE_DATA_LOSS = 15,
    CODE_UNAUTHENTICATED = 16,
};

/* Beside proto/hoist/v1/reason.proto and docs/errors.md, which say the same. */
static const struct {
    Hoist__V1__Reason reason;
    enum code code;
} reason_codes[] = {
    {HOIST__V1__REASON__REASON_MALFORMED_REQUEST, CODE_INVALID_ARGUMENT},
    {HOIST__V1__REASON__REASON_INVALID_FIELD, CODE_INVALID_ARGUMENT},
    {HOIST__V1__REASON__REASON_TOO_LARGE, CODE_INVALID_ARGUMENT},
    {HOIST__V1__REASON__REASON_AMBIGUOUS_ID, CODE_INVALID_ARGUMENT},
    {HOIST__V1__REASON__REASON_INVALID_PAGE_TOKEN, CODE_INVALID_ARGUMENT},
    {HOIST__V1__REASON__REASON_OFFSET_OUT_OF_RANGE, CODE_OUT_OF_RANGE},
    {HOIST__V1__REASON__REASON_NO_ROLE, CODE_PERMISSION_DENIED},
    {HOIST__V1__REASON__REASON_IDENTITY_INVALID, CODE_UNAUTHENTICATED},
    {HOIST__V1__REASON__REASON_JOB_NOT_FOUND, CODE_NOT_FOUND},
    {HOIST__V1__REASON__REASON_NAME_TAKEN, CODE_ALREADY_EXISTS},
    {HOIST__V1__REASON__REASON_JOB_RUNNING, CODE_FAILED_PRECONDITION},
    {HOIST__V1__REASON__REASON_JOB_ENDED, CODE_FAILED_PRECONDITION},
    {HOIST__V1__REASON__REASON_UNKNOWN_CLASS, CODE_INVALID_ARGUMENT},
    {HOIST__V1__REASON__REASON_OVER_CEILING, CODE_INVALID_ARGUMENT},
    {HOIST__V1__REASON__REASON_UNKNOWN_METHOD, CODE_UNIMPLEMENTED},
    {HOIST__V1__REASON__REASON_REQUEST_ID_REUSED, CODE_ALREADY_EXISTS},
    {HOIST__V1__REASON__REASON_COMMAND_NOT_FOUND, CODE_FAILED_PRECONDITION},
    {HOIST__V1__REASON__REASON_COMMAND_NOT_EXECUTABLE, CODE_FAILED_PRECONDITION},
    {HOIST__V1__REASON__REASON_CWD_INVALID, CODE_FAILED_PRECONDITION},
    {HOIST__V1__REASON__REASON_LIMIT_NOT_ENFORCEABLE, CODE_FAILED_PRECONDITION},
    {HOIST__V1__REASON__REASON_CGROUP_FAILED, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_OUTPUT_FAILED, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_SPAWN_FAILED, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_ISOLATION_FAILED, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_INIT_DIED, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_LAUNCHER_UNAVAILABLE, CODE_UNAVAILABLE},
    {HOIST__V1__REASON__REASON_REFUSED_BY_LAUNCHER, CODE_PERMISSION_DENIED},
    {HOIST__V1__REASON__REASON_STORE_FAILED, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_TOO_MANY_JOBS, CODE_RESOURCE_EXHAUSTED},
    {HOIST__V1__REASON__REASON_TOO_MANY_STREAMS, CODE_RESOURCE_EXHAUSTED},
    {HOIST__V1__REASON__REASON_RESERVATION_DOES_NOT_FIT, CODE_RESOURCE_EXHAUSTED},
    {HOIST__V1__REASON__REASON_SHUTTING_DOWN, CODE_UNAVAILABLE},
    {HOIST__V1__REASON__REASON_INIT_LOST, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_HOST_REBOOTED, CODE_INTERNAL},
    {HOIST__V1__REASON__REASON_OUTPUT_WRITE_FAILED, CODE_DATA_LOSS},
    {HOIST__V1__REASON__REASON_OUTPUT_DAMAGED, CODE_DATA_LOSS},
};

int api_reason_code(int reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(reason_codes); i++)
        if ((int)reason_codes[i].reason == reason)
            return (int)reason_codes[i].code;
    return CODE_UNKNOWN;
}

static const char *enum_name(const ProtobufCEnumDescriptor *descriptor, const char *prefix,
                             int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);

    return value ? value->name + strlen(prefix) : "UNSPECIFIED";
}

static int enum_from_name(const ProtobufCEnumDescriptor *descriptor, const char *prefix,
                          const char *name)
{
    size_t length = strlen(prefix);

    for (unsigned i = 0; i < descriptor->n_values; i++)
        if (strcasecmp(descriptor->values[i].name, name) == 0 ||
            strcasecmp(descriptor->values[i].name + length, name) == 0)
            return descriptor->values[i].value;
    return -EINVAL;
}

const char *api_reason_name(int reason)
{
    return enum_name(&hoist__v1__reason__descriptor, "REASON_", reason);
}

int api_reason_from_name(const char *name)
{
    return enum_from_name(&hoist__v1__reason__descriptor, "REASON_", name);
}

const char *api_job_state_name(int state)
{
    return enum_name(&hoist__v1__job_state__descriptor, "JOB_STATE_", state);
}

int api_job_state_from_name(const char *name)
{
    return enum_from_name(&hoist__v1__job_state__descriptor, "JOB_STATE_", name);
}

const char *api_cause_name(int cause)
{
    return enum_name(&hoist__v1__cause__descriptor, "CAUSE_", cause);
}

int api_cause_from_name(const char *name)
{
    return enum_from_name(&hoist__v1__cause__descriptor, "CAUSE_", name);
}

const char *api_stream_name(int stream)
{
    return enum_name(&hoist__v1__stream__descriptor, "STREAM_", stream);
}

int api_stream_from_name(const char *name)
{
    return enum_from_name(&hoist__v1__stream__descriptor, "STREAM_", name);
}
