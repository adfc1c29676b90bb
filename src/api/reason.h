/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <hoist/v1/job.pb-c.h>
#include <hoist/v1/job_service.pb-c.h>
#include <hoist/v1/reason.pb-c.h>

/*
 * The enums of the API as text and back: without their prefixes ("RUNNING", not
 * "JOB_STATE_RUNNING"), as people see them and as they travel in google.rpc.ErrorInfo.
 *
 * A number that this version doesn't know (from a newer peer) is "UNSPECIFIED" and never NULL.
 * Parsing takes either case, with or without the prefix, and is -EINVAL for anything else.
 */

const char *api_reason_name(int reason);
int api_reason_from_name(const char *name);

const char *api_job_state_name(int state);
int api_job_state_from_name(const char *name);

const char *api_cause_name(int cause);
int api_cause_from_name(const char *name);

const char *api_stream_name(int stream);
int api_stream_from_name(const char *name);

/* The gRPC status code (0 … 16) that goes with a reason unless there is cause for another. */
int api_reason_code(int reason);
