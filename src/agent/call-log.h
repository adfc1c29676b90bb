/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "grpc/server.h"

struct agent_call;
struct job_info;

/*
 * The log lines of hoistd: one for each call, one for each end of a job, one for each connection
 * that failed (at most CALL_LOG_CONNECTIONS_MAX a second; the next line says how many were left
 * out).
 */

#define CALL_LOG_CONNECTIONS_MAX 20

void call_log(const struct agent_call *call, const struct grpc_call *grpc,
              const struct grpc_outcome *outcome);

/* For grpc_handlers.refused and .connection_failed. */
void call_log_refused(const struct identity *identity, const char *peer, const char *path,
                      const struct grpc_outcome *outcome, void *arg);
void call_log_connection(const char *peer, const char *reason, void *arg);

/* worker_ended_fn */
void call_log_ended(const struct job_info *job, void *userdata);
