/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

struct api_error;

/*
 * The exit code of `hoist run` and `hoist wait`: the job's own; 128 + n when signal n ended it; 124
 * when its timeout passed; 126 and 127 as shells do; 125 when it was lost, could not be started for
 * another reason, or hoist itself failed.
 */
int exit_code_of_job(const Hoist__V1__Job *job);
int exit_code_of_refusal(const struct api_error *error);
