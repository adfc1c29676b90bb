/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/message.h"
#include "cli/output-sink.h"

struct grpc_client_call;
struct session;

/*
 * A job's output on its way to stdout and stderr. What arrives is checked: offsets must follow each
 * other, and the last message must agree on number and CRC-32C of the bytes. It may be asked for
 * again, over another connection, from the next byte on.
 */

/* Which streams are wanted. */
enum output_choice {
    OUTPUT_BOTH,
    OUTPUT_STDOUT_ONLY,
    OUTPUT_STDERR_ONLY,
};

enum output_begin {
    OUTPUT_FROM_OFFSET,
    OUTPUT_FROM_TIME,
    OUTPUT_LAST_LINES,
    OUTPUT_LAST_BYTES,
};

/* What is asked for; the texts are borrowed. */
struct output_wish {
    const char *job;
    const char *prefix; /* before each line; NULL: none */
    enum output_begin begin;
    uint64_t begin_at; /* offset, wall usec, lines or bytes */
    usec_t until;      /* wall; USEC_INFINITY: to the end */
    bool follow;
    enum output_choice choice;
};

struct output_stream {
    struct session *session;
    struct output_wish wish;
    struct grpc_client_call *call; /* owned; NULL: not asked for now */
    struct output_sink sinks[2];   /* stdout, stderr */

    bool placed;          /* next_offset is known: the agent has said where the output begins */
    uint64_t next_offset; /* everything wanted before it was shown */
    uint64_t bytes;       /* of this call */
    uint32_t crc;         /* of them */
    uint64_t total_bytes; /* of all calls that are over */
    uint32_t total_crc;
    uint64_t unverified_bytes; /* of calls that broke off before the agent's checksum came */

    bool complete;   /* the job has written all that there is */
    bool summarised; /* the last message of this call has come */
    bool ended;      /* the agent has said and sent all */
    bool over;       /* and all of it was written */
};

struct output_stream output_stream_make(struct session *session, const struct output_wish *wish);
void output_stream_close(struct output_stream *stream);
#define _cleanup_output_stream_ _cleanup_(output_stream_close)

/* Asks for the output, or for the rest of it. Prints why it can't. 0 or a negative errno. */
int output_stream_ask(struct output_stream *stream);

/* Drops the call, so that the connection can be replaced. What was shown stays shown. */
void output_stream_hang_up(struct output_stream *stream);

/*
 * Shows one message if one is there. Returns 1: there may be more at once; 0: nothing is there now,
 * wait on the connection; -EINTR: the session's interrupt came while nobody read our output (call
 * it again to go on); -ENOTCONN: the agent went away (*ret_why, to be freed: how): hang up and ask
 * again; -EPIPE: nobody reads our output any more; another negative errno, told on stderr with the
 * offset to go on from. `over` says that it was the end.
 */
int output_stream_step(struct output_stream *stream, char **ret_why);

/* How to go on from where it stands, on stderr. */
void output_stream_tell_rest(const struct output_stream *stream);
