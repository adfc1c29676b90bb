/* SPDX-License-Identifier: Apache-2.0 */
#include "api/chunk-view.h"

#include <stdbool.h>

#include "api/moment.h"
#include "api/wire-reader.h"
#include "api/wire-scan.h"
#include "base/error.h"

/* Field numbers of proto/hoist/v1/job_service.proto and google/protobuf/timestamp.proto. */
enum {
    RESPONSE_CHUNK = 1,
    CHUNK_OFFSET = 1,
    CHUNK_DATA = 2,
    CHUNK_STREAM = 3,
    CHUNK_TIME = 4,
    TIMESTAMP_SECONDS = 1,
    TIMESTAMP_NANOS = 2,
};

static uint64_t number_of(struct wire_reader value)
{
    uint64_t number = 0;

    (void)wire_read_varint(&value, &number); /* it was scanned */
    return number;
}

static usec_t time_of(struct wire_reader reader)
{
    Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct wire_reader value;
    enum wire_type type;
    uint32_t id;
    usec_t time = 0;

    while (wire_read_tag(&reader, &id, &type) && wire_read_value(&reader, type, &value))
        if (id == TIMESTAMP_SECONDS)
            timestamp.seconds = (int64_t)number_of(value);
        else if (id == TIMESTAMP_NANOS)
            timestamp.nanos = (int32_t)number_of(value);
    return api_timestamp_read(&timestamp, &time, NULL) == 0 ? time : 0;
}

static struct chunk_view view_of(struct wire_reader reader)
{
    struct chunk_view view = {.offset = 0};
    struct wire_reader value;
    enum wire_type type;
    uint32_t id;

    while (wire_read_tag(&reader, &id, &type) && wire_read_value(&reader, type, &value))
        if (id == CHUNK_OFFSET) {
            view.offset = number_of(value);
        } else if (id == CHUNK_DATA) {
            view.data = value.at;
            view.size = (size_t)(value.end - value.at);
        } else if (id == CHUNK_STREAM) {
            view.stream = (Hoist__V1__Stream)number_of(value);
        } else if (id == CHUNK_TIME) {
            view.time = time_of(value);
        }
    return view;
}

int chunk_view_read(const void *message, size_t size, struct chunk_view *ret, struct error *err)
{
    static const struct wire_scan_options options = {.limits = NULL}; /* a chunk has no lists */
    struct wire_reader reader = {message, message ? (const uint8_t *)message + size : NULL}, chunk;
    enum wire_type type;
    uint32_t id;
    int r;

    if (!wire_read_tag(&reader, &id, &type) || id != RESPONSE_CHUNK || type != WIRE_LENGTH ||
        !wire_read_value(&reader, type, &chunk) || reader.at < reader.end)
        return 0;
    r = wire_scan(&hoist__v1__stream_output_response__descriptor, message, size, &options, err);
    if (r < 0)
        return r;
    *ret = view_of(chunk);
    return 1;
}
