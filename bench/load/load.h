/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <hoist/v1/job_service.pb-c.h>

#include "grpc/channel.h"

/*
 * A client that only measures: connections to the agent that the environment names (HOIST_HOST,
 * HOIST_PORT, HOIST_CA, HOIST_CERT, HOIST_KEY), and calls whose answers are looked at no further
 * than counting needs. Every failure ends the program.
 */

struct grpc_channel *load_connect(void);

/* Starts StreamOutput of a job from its first byte on. */
struct grpc_client_call *load_stream(struct grpc_channel *channel, const char *job, bool follow);

/* A unary call from start to end; `response` (NULL: nobody asks) gets its answer. */
void load_call(struct grpc_channel *channel, const char *method, const ProtobufCMessage *request,
               struct buffer *response);

/* The next message of a stream; false at its end, which must be OK. */
bool load_next(struct grpc_client_call *call, const uint8_t **ret_message, size_t *ret_size);

/* Ends the program with the status and text of a call that failed. */
void load_check(const struct grpc_result *result);

/* ---- what it can do: print one JSON object ---- */

/* READERS connections, each by a thread, that read the whole output of a job at the same time. */
void load_streams(const char *job, unsigned long readers);

/* GetJob (NULL: Ping) one after the other for the latency, then PARALLEL at a time for the rate. */
void load_calls(const char *job, unsigned long count, unsigned long parallel);

/* StartJob of /bin/true and WaitJob, COUNT times, one after the other. */
void load_starts(unsigned long count);

/* Follows a job that writes its CLOCK_MONOTONIC in nanoseconds, 8 bytes a time, COUNT times. */
void load_tail(const char *job, unsigned long count);

/* Opens STREAMS streams that are never read, tells so by one line, and waits for the end of stdin.
 */
void load_hold(const char *job, unsigned long streams);
