/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output-sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/session.h"

/*
 * A descriptor of our own for the pipe, which doesn't block: O_NONBLOCK belongs to the open file,
 * which others may share (the shell, the writers of a script), so ours must be another one. FD_NONE
 * where there is no way to it.
 */
static int open_pipe_again(int fd)
{
    char path[32];
    int own, flags;

    (void)snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    flags = fcntl(fd, F_GETFL);
    /* Some systems duplicate the descriptor instead. */
    if (own >= 0 && flags >= 0 && !(flags & O_NONBLOCK) && fcntl(own, F_GETFL) & O_NONBLOCK)
        return own;
    return fd_close(own);
}

struct output_sink output_sink_make(int fd, bool raw, bool stamped, const char *prefix)
{
    struct stat status;
    bool known = fstat(fd, &status) == 0;

    return (struct output_sink){
        .fd = fd,
        .own_fd = known && S_ISFIFO(status.st_mode) ? open_pipe_again(fd) : FD_NONE,
        .may_block = isatty(fd) || !known || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode),
        .filtered = !raw && isatty(fd),
        .stamped = stamped,
        .at_line_start = true,
        .prefix = prefix,
    };
}

void output_sink_done(struct output_sink *sink)
{
    sink->own_fd = fd_close(sink->own_fd);
    buffer_done(&sink->line);
    buffer_done(&sink->pending);
}

/* ---- taking ---- */

static int put_bytes(struct output_sink *sink, const uint8_t *data, size_t size)
{
    if (sink->filtered)
        return utf8_filter_append(&sink->filter, &sink->pending, data, size);
    return buffer_append(&sink->pending, data, size);
}

static int put_stamp(struct output_sink *sink, usec_t time)
{
    char moment[CLOCK_TEXT_MAX], stamp[CLOCK_TEXT_MAX + 1];

    snprintf(stamp, sizeof(stamp), "%s ", clock_format_utc(time, moment));
    return buffer_append_text(&sink->pending, stamp);
}

static size_t line_length(const uint8_t *data, size_t size)
{
    const uint8_t *newline = memchr(data, '\n', size);

    return newline ? (size_t)(newline - data) + 1 : size;
}

static int put_stamped(struct output_sink *sink, const uint8_t *data, size_t size, usec_t time)
{
    while (size > 0) {
        size_t length = line_length(data, size);
        int r = sink->at_line_start ? put_stamp(sink, time) : 0;

        if (r == 0)
            r = put_bytes(sink, data, length);
        if (r < 0)
            return r;
        sink->at_line_start = data[length - 1] == '\n';
        data += length;
        size -= length;
    }
    return 0;
}

/* The line that was held back, whole or broken. */
static int put_line(struct output_sink *sink)
{
    const uint8_t *line = buffer_bytes(&sink->line);
    size_t size = buffer_size(&sink->line);
    int r = buffer_append_text(&sink->pending, sink->prefix);

    if (r == 0 && sink->stamped)
        r = put_stamp(sink, sink->line_time);
    if (r == 0)
        r = put_bytes(sink, line, size);
    if (r == 0 && line[size - 1] != '\n')
        r = put_bytes(sink, (const uint8_t *)"\n", 1);
    buffer_clear(&sink->line);
    return r;
}

static int put_prefixed(struct output_sink *sink, const uint8_t *data, size_t size, usec_t time)
{
    while (size > 0) {
        size_t room = OUTPUT_SINK_LINE_MAX - buffer_size(&sink->line);
        size_t length = line_length(data, MIN(size, room));
        int r;

        if (buffer_size(&sink->line) == 0)
            sink->line_time = time;
        r = buffer_append(&sink->line, data, length);
        if (r == 0 && (data[length - 1] == '\n' || length == room))
            r = put_line(sink);
        if (r < 0)
            return r;
        data += length;
        size -= length;
    }
    return 0;
}

/*
 * Writes at once what can be written without waiting, and returns how much that was: bytes that go
 * out as they came needn't be copied. What fails is left to output_sink_flush(), which says why.
 */
static size_t write_through(struct output_sink *sink, const uint8_t *data, size_t size)
{
    int fd = sink->may_block ? sink->own_fd : sink->fd;
    ssize_t written;

    if (sink->filtered || fd < 0 || buffer_size(&sink->pending) > 0)
        return 0;
    written = write(fd, data, size);
    return written > 0 ? (size_t)written : 0;
}

int output_sink_put(struct output_sink *sink, const uint8_t *data, size_t size, usec_t time)
{
    size_t through;

    if (sink->prefix)
        return put_prefixed(sink, data, size, time);
    if (sink->stamped)
        return put_stamped(sink, data, size, time);
    through = write_through(sink, data, size);
    return put_bytes(sink, data + through, size - through);
}

int output_sink_end(struct output_sink *sink)
{
    int r = buffer_size(&sink->line) > 0 ? put_line(sink) : 0;

    return r < 0 ? r : utf8_filter_end(&sink->filter, &sink->pending);
}

/* ---- writing ---- */

/* A dead connection is no reason to lose what has arrived: its result is seen later. */
static int sink_wait(const struct output_sink *sink, struct session *session)
{
    struct grpc_channel *channel = session->channel;
    bool dead = !channel;

    for (;;) {
        struct pollfd fds[] = {
            {.fd = sink->fd, .events = POLLOUT},
            {.fd = session->interrupt_fd, .events = POLLIN},
            {.fd = dead ? -1 : grpc_channel_fd(channel),
             .events = dead ? 0 : grpc_channel_events(channel)},
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

int output_sink_flush(struct output_sink *sink, struct session *session)
{
    while (buffer_size(&sink->pending) > 0) {
        size_t size = buffer_size(&sink->pending);
        ssize_t written;
        int r = sink->may_block ? sink_wait(sink, session) : 0;

        if (r < 0)
            return r;
        /* A pipe that polls as writable takes PIPE_BUF bytes without blocking (pipe(7)). */
        if (sink->own_fd >= 0)
            written = write(sink->own_fd, buffer_bytes(&sink->pending), size);
        else
            written = write(sink->fd, buffer_bytes(&sink->pending),
                            sink->may_block ? MIN(size, (size_t)PIPE_BUF) : size);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (written > 0)
            buffer_consume(&sink->pending, (size_t)written);
    }
    return 0;
}
