/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output-stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/moment.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "cli/session.h"

enum {
    SINK_STDOUT,
    SINK_STDERR,
};

static int choose_streams(enum output_choice choice, Hoist__V1__Stream streams[2])
{
    if (choice == OUTPUT_BOTH)
        return 0;
    streams[0] = choice == OUTPUT_STDOUT_ONLY ? HOIST__V1__STREAM__STREAM_STDOUT
                                              : HOIST__V1__STREAM__STREAM_STDERR;
    return 1;
}

static struct output_sink sink_make(int fd, bool raw)
{
    struct stat status;

    return (struct output_sink){
        .fd = fd,
        .may_block = isatty(fd) || fstat(fd, &status) < 0 || S_ISFIFO(status.st_mode) ||
                     S_ISSOCK(status.st_mode),
        .filtered = !raw && isatty(fd),
        .at_line_start = true,
    };
}

int output_stream_open(struct session *session, const char *job, uint64_t offset, bool follow,
                       enum output_choice choice, struct output_stream *ret)
{
    Hoist__V1__StreamOutputRequest request = HOIST__V1__STREAM_OUTPUT_REQUEST__INIT;
    _cleanup_buffer_ struct buffer bytes = {0};
    const bool raw = session->arguments.raw;
    Hoist__V1__Stream streams[2];
    struct output_stream stream = {
        .session = session,
        .next_offset = offset,
        .sinks =
            {
                sink_make(STDOUT_FILENO, raw),
                sink_make(STDERR_FILENO, raw),
            },
    };
    int r;

    request.name = (char *)job;
    request.start_case = HOIST__V1__STREAM_OUTPUT_REQUEST__START_OFFSET;
    request.offset = offset;
    request.follow = follow;
    request.n_streams = (size_t)choose_streams(choice, streams);
    request.streams = streams;
    r = api_pack(&request.base, &bytes);
    if (r == 0)
        r = grpc_client_call_new(session->channel, METHOD_JOB("StreamOutput"), buffer_bytes(&bytes),
                                 buffer_size(&bytes), NULL, &stream.call);
    if (r < 0) {
        tell("the output can't be asked for: %s", strerror(-r));
        return r;
    }
    *ret = stream;
    return 0;
}

void output_stream_close(struct output_stream *stream)
{
    for (size_t i = 0; i < ARRAY_SIZE(stream->sinks); i++)
        buffer_done(&stream->sinks[i].pending);
    stream->call = grpc_client_call_free(stream->call);
}

/* ---- showing ---- */

static int sink_put(struct output_sink *sink, const uint8_t *data, size_t size)
{
    if (sink->filtered)
        return utf8_filter_append(&sink->filter, &sink->pending, data, size);
    return buffer_append(&sink->pending, data, size);
}

static int sink_put_stamped(struct output_sink *sink, const uint8_t *data, size_t size, usec_t time)
{
    char moment[CLOCK_TEXT_MAX], stamp[CLOCK_TEXT_MAX + 1];

    snprintf(stamp, sizeof(stamp), "%s ", clock_format_utc(time, moment));
    while (size > 0) {
        const uint8_t *newline = memchr(data, '\n', size);
        size_t length = newline ? (size_t)(newline - data) + 1 : size;
        int r = sink->at_line_start ? buffer_append_text(&sink->pending, stamp) : 0;

        if (r == 0)
            r = sink_put(sink, data, length);
        if (r < 0)
            return r;
        sink->at_line_start = newline != NULL;
        data += length;
        size -= length;
    }
    return 0;
}

/*
 * Waits until the sink takes PIPE_BUF bytes, and lets the connection live meanwhile. A dead
 * connection is no reason to lose what has arrived: its result is seen later.
 */
static int sink_wait(struct output_stream *stream, const struct output_sink *sink)
{
    struct grpc_channel *channel = stream->session->channel;
    bool dead = false;

    for (;;) {
        struct pollfd fds[] = {
            {.fd = sink->fd, .events = POLLOUT},
            {.fd = stream->session->interrupt_fd, .events = POLLIN},
            {.fd = dead ? -1 : grpc_channel_fd(channel), .events = grpc_channel_events(channel)},
        };
        usec_t now = clock_boot(), until = dead ? USEC_INFINITY : grpc_channel_timeout(channel);
        usec_t left = until > now ? (until - now) / USEC_PER_MSEC + 1 : 0;
        int r =
            poll(fds, ARRAY_SIZE(fds), until == USEC_INFINITY ? -1 : (int)MIN(left, (usec_t)60000));

        if (r < 0 && errno != EINTR)
            return -errno;
        if (r > 0 && fds[0].revents)
            return 0;
        if (r > 0 && fds[1].revents)
            return -EINTR;
        if (!dead)
            dead = grpc_channel_dispatch(channel, NULL) < 0;
    }
}

static int sink_flush(struct output_stream *stream, struct output_sink *sink)
{
    while (buffer_size(&sink->pending) > 0) {
        size_t size = buffer_size(&sink->pending);
        ssize_t written;
        int r = sink->may_block ? sink_wait(stream, sink) : 0;

        if (r < 0)
            return r;
        /* A pipe that polls as writable takes PIPE_BUF bytes without blocking (pipe(7)). */
        written = write(sink->fd, buffer_bytes(&sink->pending),
                        sink->may_block ? MIN(size, (size_t)PIPE_BUF) : size);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (written > 0)
            buffer_consume(&sink->pending, (size_t)written);
    }
    return 0;
}

static int flush_all(struct output_stream *stream)
{
    int r = sink_flush(stream, &stream->sinks[SINK_STDOUT]);

    return r < 0 ? r : sink_flush(stream, &stream->sinks[SINK_STDERR]);
}

static int show_chunk(struct output_stream *stream, const Hoist__V1__OutputChunk *chunk)
{
    struct output_sink *sink =
        &stream
             ->sinks[chunk->stream == HOIST__V1__STREAM__STREAM_STDERR ? SINK_STDERR : SINK_STDOUT];
    usec_t time = 0;
    int r;

    if (chunk->offset < stream->next_offset) {
        tell("the agent sent bytes from offset %llu again; the output can't be trusted",
             (unsigned long long)chunk->offset);
        return -EPROTO;
    }
    (void)api_timestamp_read(chunk->time, &time, NULL); /* a wrong time is shown as 1970 */
    r = stream->session->arguments.timestamps
            ? sink_put_stamped(sink, chunk->data.data, chunk->data.len, time)
            : sink_put(sink, chunk->data.data, chunk->data.len);
    if (r < 0)
        return r;
    stream->next_offset = chunk->offset + chunk->data.len;
    stream->bytes += chunk->data.len;
    stream->crc = crc32c(stream->crc, chunk->data.data, chunk->data.len);
    return 0;
}

static int check_summary(struct output_stream *stream, const Hoist__V1__OutputSummary *summary)
{
    stream->summarised = true;
    stream->complete = summary->complete;
    if (summary->bytes != stream->bytes || summary->crc32c != stream->crc) {
        tell(
            "the output doesn't match the agent's checksum (%llu bytes here, %llu there); fetch it "
            "again with hoist logs",
            (unsigned long long)stream->bytes, (unsigned long long)summary->bytes);
        return -EBADMSG;
    }
    return 0;
}

static int show_gap(struct output_stream *stream, const Hoist__V1__OutputGap *gap)
{
    tell("bytes %llu to %llu were dropped by the job's output cap", (unsigned long long)gap->start,
         (unsigned long long)gap->end);
    stream->next_offset = gap->end;
    return 0;
}

static int show_message(struct output_stream *stream, const uint8_t *data, size_t size)
{
    _cleanup_api_message_ Hoist__V1__StreamOutputResponse *response = NULL;
    struct error err;

    if (stream->summarised || api_unpack_as(hoist__v1__stream_output_response, API_FROM_SERVER,
                                            data, size, &response, &err) < 0) {
        tell("the agent's answer makes no sense");
        return -EPROTO;
    }
    switch ((int)response->kind_case) {
    case HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_CHUNK:
        return show_chunk(stream, response->chunk);
    case HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_GAP:
        return show_gap(stream, response->gap);
    case HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_SUMMARY:
        return check_summary(stream, response->summary);
    default:
        return 0; /* a heartbeat, or what a newer agent may add */
    }
}

static int check_end(struct output_stream *stream)
{
    const struct grpc_result *result = grpc_client_call_result(stream->call);
    _cleanup_api_error_ struct api_error error = {.code = 0};
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(stream->sinks); i++) {
        r = utf8_filter_end(&stream->sinks[i].filter, &stream->sinks[i].pending);
        if (r < 0)
            return r;
    }
    r = flush_all(stream);
    if (r < 0)
        return r;
    if (!result || session_result(result, &error) < 0) {
        tell_error(&error);
        if (stream->bytes > 0)
            tell("go on with: hoist logs -f --offset %llu JOB",
                 (unsigned long long)stream->next_offset);
        return -EREMOTEIO;
    }
    if (!stream->summarised) {
        tell("the output was cut off; go on with: hoist logs -f --offset %llu JOB",
             (unsigned long long)stream->next_offset);
        return -EPROTO;
    }
    return 0;
}

static int tell_writing(int r)
{
    if (r != -EPIPE && r != -EINTR)
        tell("the output can't be written here: %s", strerror(-r));
    return r;
}

int output_stream_show(struct output_stream *stream)
{
    for (;;) {
        const uint8_t *data;
        size_t size;
        int r = flush_all(stream); /* an interrupt may have left something */

        if (r < 0)
            return tell_writing(r);
        r = grpc_client_call_read(stream->call, stream->session->interrupt_fd, &data, &size);
        if (r < 0)
            return r;
        if (r == 0)
            return check_end(stream);
        r = show_message(stream, data, size);
        if (r < 0)
            return r;
    }
}
