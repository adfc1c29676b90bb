/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

struct arguments;
struct error;

/*
 * What the flags and words of `run` and `start` ask for, as a StartJobRequest that the caller frees
 * with api_free(). Values of variables come from --env, --env-file and our own environment, never
 * onto a command line that others can see. Returns 0, or a negative errno with a sentence.
 */
int job_flags_to_request(const struct arguments *arguments, Hoist__V1__StartJobRequest **ret,
                         struct error *err);
