/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/output-start.h"

#include <errno.h>

#include "agent/request.h"
#include "api/moment.h"
#include "base/error.h"
#include "output/index.h"

#define START_CASE(name) HOIST__V1__STREAM_OUTPUT_REQUEST__START_##name

static int check_time(const char *field, const Google__Protobuf__Timestamp *timestamp,
                      struct api_error *error)
{
    struct error err;
    usec_t time;

    if (api_timestamp_read(timestamp, &time, &err) < 0)
        return request_refuse(field, err.text, error);
    return 0;
}

int output_request_check(const Hoist__V1__StreamOutputRequest *request, struct api_error *error)
{
    for (size_t i = 0; i < request->n_streams; i++)
        if (request->streams[i] != HOIST__V1__STREAM__STREAM_STDOUT &&
            request->streams[i] != HOIST__V1__STREAM__STREAM_STDERR &&
            request->streams[i] != HOIST__V1__STREAM__STREAM_MERGED)
            return request_refuse("streams", "holds what is neither STDOUT, STDERR nor MERGED",
                                  error);
    if (request->start_case == START_CASE(SINCE) && check_time("since", request->since, error) < 0)
        return -EREMOTEIO;
    return check_time("until", request->until, error);
}

unsigned output_request_streams(const Hoist__V1__StreamOutputRequest *request)
{
    unsigned streams = 0;

    for (size_t i = 0; i < request->n_streams; i++)
        streams |= OUTPUT_STREAM_BIT((unsigned)request->streams[i]);
    return streams ? streams : OUTPUT_STREAMS_ALL;
}

usec_t output_request_time(const Google__Protobuf__Timestamp *field, usec_t otherwise)
{
    usec_t time = otherwise;

    return field && api_timestamp_read(field, &time, NULL) == 0 ? time : otherwise;
}

static int start_since(const struct output_start *start, struct output_reader *reader, bool nowait,
                       struct error *err)
{
    usec_t since = output_request_time(start->request->since, 0);
    uint64_t offset;
    int r = output_index_find_time(output_reader_index_fd(reader), nowait, since, &offset, err);

    if (r < 0)
        return r;
    output_reader_start(reader, offset, since);
    return 1;
}

static int start_tail(struct output_start *start, struct output_reader *reader, bool nowait,
                      struct error *err)
{
    uint64_t offset;
    int r = output_tail_step(&start->tail, nowait, &offset, err);

    if (r > 0)
        output_reader_start(reader, offset, 0);
    return r;
}

void output_start_begin(struct output_start *start, const Hoist__V1__StreamOutputRequest *request,
                        const struct output_reader *reader)
{
    bool lines = request->start_case == START_CASE(TAIL_LINES);

    *start = (struct output_start){.request = request};
    if (lines || request->start_case == START_CASE(TAIL_BYTES))
        output_tail_begin(&start->tail, output_reader_files(reader),
                          output_request_streams(request),
                          lines ? OUTPUT_TAIL_LINES : OUTPUT_TAIL_BYTES,
                          lines ? request->tail_lines : request->tail_bytes);
}

int output_start_step(struct output_start *start, struct output_reader *reader, bool nowait,
                      struct error *err)
{
    int r = 1;

    switch ((int)start->request->start_case) {
    case START_CASE(OFFSET):
        output_reader_start(reader, start->request->offset, 0);
        break;
    case START_CASE(SINCE):
        r = start_since(start, reader, nowait, err);
        break;
    case START_CASE(TAIL_LINES):
    case START_CASE(TAIL_BYTES):
        r = start_tail(start, reader, nowait, err);
        break;
    default:
        break;
    }
    if (r > 0)
        start->request = NULL;
    return r;
}

void output_start_fetch(const struct output_start *start, struct output_fetch *fetch)
{
    if (start->request->start_case == START_CASE(SINCE)) {
        fetch->kind = OUTPUT_FETCH_TIME;
        fetch->time = output_request_time(start->request->since, 0);
    } else {
        fetch->kind = OUTPUT_FETCH_TAIL;
        fetch->tail = start->tail;
    }
}
