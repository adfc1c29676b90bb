/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "agent/class.h"
#include "agent/config.h"

struct api_error;

/*
 * What bounds the output of one job: what its class says, changed by what it asks for (`asked`),
 * where neither says anything what the agent is configured with. The cap of the class is a ceiling
 * for its jobs, and that of the agent for all; no cap is more than any.
 * Returns 0, or -EREMOTEIO with OVER_CEILING: metadata "limit", "asked",
 * "ceiling", "set_by".
 */
int output_choose(const struct class *class, const struct config_output *agent,
                  const struct output_choice *asked, struct output_choice *ret,
                  struct api_error *error);
