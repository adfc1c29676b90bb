/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/utf8.h"

struct session;

/*
 * Where output goes to here: stdout or stderr, byte-exact into files and pipes, harmless on a
 * terminal unless --raw.
 *
 * While nobody reads it (a pager at rest) the connection is looked after: the agent gets its
 * answers and keeps the stream, and no more is fetched than one message.
 */

struct output_sink {
    int fd;
    int own_fd;         /* owned; the same pipe, without blocking; FD_NONE: it is none, or no way */
    bool may_block;     /* a pipe or a terminal: somebody may not read */
    bool filtered;      /* control sequences become visible */
    bool stamped;       /* --timestamps */
    bool at_line_start; /* of what was put so far */
    const char *prefix; /* borrowed; before each line, and lines are held back until they are whole,
                           since other jobs write there too; NULL: none */
    struct utf8_filter filter;
    struct buffer line;    /* with a prefix: what has no newline yet */
    struct buffer pending; /* of one message at most: what is not written yet */
    usec_t line_time;      /* of the first byte in `line` */
};

/* A line that is longer is broken: lines of others have their turn. */
#define OUTPUT_SINK_LINE_MAX ((size_t)64 * 1024)

struct output_sink output_sink_make(int fd, bool raw, bool stamped, const char *prefix);
void output_sink_done(struct output_sink *sink);

/*
 * Takes bytes that the job wrote at `time` (wall). What goes out unchanged may be written at once,
 * as far as that needs no waiting. 0 or -ENOMEM.
 */
int output_sink_put(struct output_sink *sink, const uint8_t *data, size_t size, usec_t time);

/* The stream is over: what was held back follows. 0 or -ENOMEM. */
int output_sink_end(struct output_sink *sink);

/*
 * Writes what was put. Returns 0; -EINTR when the session's interrupt came first (call it again to
 * go on); -EPIPE when nobody reads any more; another errno of write(2).
 */
int output_sink_flush(struct output_sink *sink, struct session *session);
