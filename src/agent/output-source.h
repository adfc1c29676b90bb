/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct agent_call;
struct grpc_call;
struct grpc_thread;

/*
 * StreamOutput on a connection thread: the job's bytes straight from its files into messages, as
 * flow control lets them. A reader is a few KiB and two descriptors, whatever its lag; nothing here
 * can touch the job.
 */

/* Starts to stream call->output (taken) as the call's request asks. */
void output_source_start(struct agent_call *call, struct grpc_call *grpc);

/* Each connection thread has one watch for all the jobs that its calls follow. */
int output_source_thread_start(struct grpc_thread *thread, void *arg);
void output_source_thread_stop(struct grpc_thread *thread, void *arg);
