/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

struct agent;
struct api_error;
struct job_spec;

/*
 * What a client asks to run, as the worker takes it: checked by start_job_check(), its class found,
 * its limits chosen. Returns 0 and fills *ret (job_spec_done()), or -EREMOTEIO with the refusal.
 */
int job_spec_from_request(const struct agent *agent, const Hoist__V1__StartJobRequest *request,
                          struct job_spec *ret, struct api_error *error);
