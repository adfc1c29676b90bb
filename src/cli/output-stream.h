/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/message.h"
#include "base/buffer.h"
#include "base/utf8.h"

struct session;

/*
 * A job's output on its way to stdout and stderr: byte-exact into files and pipes; harmless on a
 * terminal unless --raw. What arrives is checked: offsets must follow each other, and the last
 * message must agree on number and CRC-32C of the bytes.
 *
 * While nobody reads our output (a pager at rest) the connection is looked after: the agent gets
 * its answers and keeps the stream, and no more is fetched than one message.
 */

/* One of our two outputs. */
struct output_sink {
    int fd;
    bool may_block;     /* a pipe or a terminal: somebody may not read */
    bool filtered;      /* control sequences become visible */
    bool at_line_start; /* --timestamps */
    struct utf8_filter filter;
    struct buffer pending; /* of one message at most: what is not written yet */
};

struct output_stream {
    struct session *session;
    struct grpc_client_call *call; /* owned */
    struct output_sink sinks[2];   /* stdout, stderr */
    uint64_t next_offset;          /* behind the last byte shown */
    uint64_t bytes;
    uint32_t crc;
    bool summarised;
    bool complete; /* the job has ended and its last byte was shown */
};

/* Which streams are wanted. */
enum output_choice {
    OUTPUT_BOTH,
    OUTPUT_STDOUT_ONLY,
    OUTPUT_STDERR_ONLY,
};

/* Asks for the output of `job`. Prints why it can't. 0 or a negative errno. */
int output_stream_open(struct session *session, const char *job, uint64_t offset, bool follow,
                       enum output_choice choice, struct output_stream *ret);
void output_stream_close(struct output_stream *stream);
#define _cleanup_output_stream_ _cleanup_(output_stream_close)

/*
 * Shows what comes until the end. Returns 0 at a proper end; -EINTR when the session's interrupt
 * came (call it again to go on); -EPIPE when nobody reads our output any more; another negative
 * errno, told on stderr with the offset to go on from.
 */
int output_stream_show(struct output_stream *stream);
