/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct agent_call;
struct grpc_call;

/*
 * The functions behind the rows of `methods`, one file for each RPC. Those that end in _here run on
 * the connection thread, the others on the core thread (agent/method.h).
 */

void rpc_start_job(struct agent_call *call);
void rpc_stop_job(struct agent_call *call);
void rpc_signal_job(struct agent_call *call);
void rpc_get_job(struct agent_call *call);
void rpc_list_jobs(struct agent_call *call);
void rpc_wait_job(struct agent_call *call);
void rpc_watch_job_here(struct agent_call *call, struct grpc_call *grpc);
void rpc_watch_job(struct agent_call *call);
void rpc_stream_output(struct agent_call *call);
void rpc_delete_job(struct agent_call *call);
void rpc_get_info(struct agent_call *call);
void rpc_ping_here(struct agent_call *call, struct grpc_call *grpc);
void rpc_health_check_here(struct agent_call *call, struct grpc_call *grpc);
void rpc_health_watch_here(struct agent_call *call, struct grpc_call *grpc);
