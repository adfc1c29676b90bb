/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output-stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/chunk-view.h"
#include "api/moment.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "cli/session.h"

enum {
    SINK_STDOUT,
    SINK_STDERR,
};

#define START_CASE(name) HOIST__V1__STREAM_OUTPUT_REQUEST__START_##name

struct output_stream output_stream_make(struct session *session, const struct output_wish *wish)
{
    const struct arguments *arguments = &session->arguments;

    return (struct output_stream){
        .session = session,
        .wish = *wish,
        .placed = wish->begin == OUTPUT_FROM_OFFSET,
        .next_offset = wish->begin == OUTPUT_FROM_OFFSET ? wish->begin_at : 0,
        .sinks =
            {
                output_sink_make(STDOUT_FILENO, arguments->raw, arguments->timestamps,
                                 wish->prefix),
                output_sink_make(STDERR_FILENO, arguments->raw, arguments->timestamps,
                                 wish->prefix),
            },
    };
}

void output_stream_hang_up(struct output_stream *stream)
{
    stream->call = grpc_client_call_free(stream->call);
    if (!stream->summarised)
        stream->unverified_bytes += stream->bytes;
    stream->total_crc = crc32c_combine(stream->total_crc, stream->crc, stream->bytes);
    stream->total_bytes += stream->bytes;
    stream->bytes = 0;
    stream->crc = 0;
    stream->summarised = false;
}

void output_stream_close(struct output_stream *stream)
{
    for (size_t i = 0; i < ARRAY_SIZE(stream->sinks); i++)
        output_sink_done(&stream->sinks[i]);
    stream->call = grpc_client_call_free(stream->call);
}

/* ---- asking ---- */

static int request_start(const struct output_stream *stream,
                         Hoist__V1__StreamOutputRequest *request)
{
    static const Hoist__V1__StreamOutputRequest__StartCase cases[] = {
        [OUTPUT_FROM_OFFSET] = START_CASE(OFFSET),
        [OUTPUT_FROM_TIME] = START_CASE(SINCE),
        [OUTPUT_LAST_LINES] = START_CASE(TAIL_LINES),
        [OUTPUT_LAST_BYTES] = START_CASE(TAIL_BYTES),
    };
    uint64_t at = stream->placed ? stream->next_offset : stream->wish.begin_at;

    request->start_case = cases[stream->placed ? OUTPUT_FROM_OFFSET : stream->wish.begin];
    if (request->start_case == START_CASE(SINCE))
        return api_timestamp_set(&request->since, at);
    if (request->start_case == START_CASE(OFFSET))
        request->offset = at;
    else if (request->start_case == START_CASE(TAIL_LINES))
        request->tail_lines = at;
    else
        request->tail_bytes = at;
    return 0;
}

static int request_fill(const struct output_stream *stream, Hoist__V1__StreamOutputRequest *request)
{
    static const int32_t streams[] = {
        [OUTPUT_STDOUT_ONLY] = HOIST__V1__STREAM__STREAM_STDOUT,
        [OUTPUT_STDERR_ONLY] = HOIST__V1__STREAM__STREAM_STDERR,
    };
    const struct output_wish *wish = &stream->wish;
    int r = api_set_text(&request->name, wish->job);

    if (r == 0)
        r = request_start(stream, request);
    if (r == 0 && wish->until != USEC_INFINITY)
        r = api_timestamp_set(&request->until, wish->until);
    if (r == 0 && wish->choice != OUTPUT_BOTH) {
        request->streams = calloc(1, sizeof(*request->streams));
        r = request->streams ? 0 : -ENOMEM;
    }
    if (r == 0 && request->streams) {
        request->n_streams = 1;
        request->streams[0] = (Hoist__V1__Stream)streams[wish->choice];
    }
    request->follow = wish->follow;
    request->timestamps = stream->session->arguments.timestamps;
    return r;
}

int output_stream_ask(struct output_stream *stream)
{
    _cleanup_api_message_ Hoist__V1__StreamOutputRequest *request =
        api_new(hoist__v1__stream_output_request);
    _cleanup_buffer_ struct buffer bytes = {0};
    int r = request ? request_fill(stream, request) : -ENOMEM;

    if (r == 0)
        r = api_pack(&request->base, &bytes);
    if (r == 0)
        r = grpc_client_call_new(stream->session->channel, METHOD_JOB("StreamOutput"),
                                 buffer_bytes(&bytes), buffer_size(&bytes), NULL, &stream->call);
    if (r < 0)
        tell("the output can't be asked for: %s", strerror(-r));
    return r;
}

/* ---- showing ---- */

static int flush_all(struct output_stream *stream)
{
    int r = output_sink_flush(&stream->sinks[SINK_STDOUT], stream->session);

    if (r == 0)
        r = output_sink_flush(&stream->sinks[SINK_STDERR], stream->session);
    if (r < 0 && r != -EPIPE && r != -EINTR)
        tell("the output can't be written here: %s", strerror(-r));
    return r;
}

/* Of all streams no byte may be missing; of one stream those of the other lie between. */
static int check_offset(const struct output_stream *stream, uint64_t offset)
{
    if (!stream->placed || offset == stream->next_offset)
        return 0;
    if (offset > stream->next_offset && stream->wish.choice != OUTPUT_BOTH)
        return 0;
    tell("the agent sent bytes from offset %llu in the place of %llu; the output can't be trusted",
         (unsigned long long)offset, (unsigned long long)stream->next_offset);
    return -EPROTO;
}

static int show_chunk(struct output_stream *stream, const struct chunk_view *chunk)
{
    bool is_stderr = chunk->stream == HOIST__V1__STREAM__STREAM_STDERR;
    int r = check_offset(stream, chunk->offset);

    if (r == 0)
        r = output_sink_put(&stream->sinks[is_stderr ? SINK_STDERR : SINK_STDOUT], chunk->data,
                            chunk->size, chunk->time);
    if (r < 0)
        return r;
    stream->placed = true;
    stream->next_offset = chunk->offset + chunk->size;
    stream->bytes += chunk->size;
    stream->crc = crc32c(stream->crc, chunk->data, chunk->size);
    return 0;
}

/* All before it was sent. Before a time that is waited for nothing was, and nothing is to be. */
static void take_heartbeat(struct output_stream *stream, uint64_t end_offset)
{
    if (stream->wish.begin == OUTPUT_FROM_TIME && !stream->placed)
        return;
    stream->next_offset = stream->placed ? MAX(stream->next_offset, end_offset) : end_offset;
    stream->placed = true;
}

static int check_summary(struct output_stream *stream, const Hoist__V1__OutputSummary *summary)
{
    if (summary->bytes != stream->bytes || summary->crc32c != stream->crc) {
        tell(
            "the output doesn't match the agent's checksum (%llu bytes here, %llu there); fetch it "
            "again with hoist logs",
            (unsigned long long)stream->bytes, (unsigned long long)summary->bytes);
        return -EBADMSG;
    }
    stream->summarised = true;
    stream->complete = summary->complete;
    take_heartbeat(stream, summary->end_offset);
    return 0;
}

static int show_gap(struct output_stream *stream, const Hoist__V1__OutputGap *gap)
{
    int r = check_offset(stream, gap->start);

    if (r < 0)
        return r;
    tell("bytes %llu to %llu were dropped by the job's output cap", (unsigned long long)gap->start,
         (unsigned long long)gap->end);
    stream->placed = true;
    stream->next_offset = gap->end;
    return 0;
}

static int show_unpacked_chunk(struct output_stream *stream, const Hoist__V1__OutputChunk *chunk)
{
    struct chunk_view view = {
        .offset = chunk->offset,
        .data = chunk->data.data,
        .size = chunk->data.len,
        .stream = chunk->stream,
    };

    (void)api_timestamp_read(chunk->time, &view.time, NULL); /* a wrong time is shown as 1970 */
    return show_chunk(stream, &view);
}

static int show_response(struct output_stream *stream,
                         const Hoist__V1__StreamOutputResponse *response)
{
    switch ((int)response->kind_case) {
    case HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_CHUNK:
        return show_unpacked_chunk(stream, response->chunk);
    case HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_GAP:
        return show_gap(stream, response->gap);
    case HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_SUMMARY:
        return check_summary(stream, response->summary);
    case HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_HEARTBEAT:
        take_heartbeat(stream, response->heartbeat->end_offset);
        return 0;
    default:
        return 0; /* what a newer agent may add */
    }
}

static int show_message(struct output_stream *stream, const uint8_t *data, size_t size)
{
    _cleanup_api_message_ Hoist__V1__StreamOutputResponse *response = NULL;
    struct chunk_view chunk;
    int r = stream->summarised ? -EBADMSG : chunk_view_read(data, size, &chunk, NULL);

    if (r > 0)
        return show_chunk(stream, &chunk);
    if (r == 0)
        r = api_unpack_as(hoist__v1__stream_output_response, API_FROM_SERVER, data, size, &response,
                          NULL);
    if (r < 0) {
        tell("the agent's answer makes no sense");
        return -EPROTO;
    }
    return show_response(stream, response);
}

/* ---- the end ---- */

void output_stream_tell_rest(const struct output_stream *stream)
{
    if (stream->placed)
        tell("go on with: hoist logs -f --offset %llu %s", (unsigned long long)stream->next_offset,
             stream->wish.job);
}

static void tell_checked(const struct output_stream *stream)
{
    tell("%llu bytes received, CRC-32C %08x", (unsigned long long)stream->total_bytes,
         stream->total_crc);
    if (stream->unverified_bytes > 0)
        tell("%llu of them came before the connection was lost: no checksum of the agent covers "
             "these",
             (unsigned long long)stream->unverified_bytes);
}

static int end_sinks(struct output_stream *stream)
{
    int r = output_sink_end(&stream->sinks[SINK_STDOUT]);

    return r < 0 ? r : output_sink_end(&stream->sinks[SINK_STDERR]);
}

static int end_badly(struct output_stream *stream, const struct grpc_result *result, char **ret_why)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    int r = session_result(result, &error);

    if (r < 0 && session_error_is_lost(&error)) {
        *ret_why = error.text ? strdup(error.text) : NULL;
        return -ENOTCONN;
    }
    if (end_sinks(stream) == 0)
        (void)flush_all(stream);
    if (r < 0)
        tell_error(&error);
    else
        tell("the output was cut off");
    if (stream->bytes + stream->total_bytes > 0)
        output_stream_tell_rest(stream);
    return -EREMOTEIO;
}

int output_stream_step(struct output_stream *stream, char **ret_why)
{
    const struct grpc_result *result;
    const uint8_t *data;
    size_t size;
    int r = flush_all(stream); /* an interrupt may have left something */

    if (r < 0)
        return r;
    if (stream->ended) {
        if (stream->session->arguments.verbose)
            tell_checked(stream);
        stream->over = true;
        return 1;
    }
    if (grpc_client_call_next(stream->call, &data, &size) == 1) {
        r = show_message(stream, data, size);
        return r < 0 ? r : 1;
    }
    result = grpc_client_call_result(stream->call);
    if (!result)
        return 0;
    if (result->status != GRPC_STATUS_OK || !stream->summarised)
        return end_badly(stream, result, ret_why);
    output_stream_hang_up(stream);
    stream->ended = true;
    r = end_sinks(stream);
    return r < 0 ? r : 1;
}
