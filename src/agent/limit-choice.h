/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "agent/class.h"

struct api_error;

/*
 * The limits of one job: what its class says, changed by what the specification asks for, never
 * beyond a ceiling. The class is a ceiling too (a job may ask for less than its class gives), and
 * so is what the launcher allows; 0 counts as "no limit", which is beyond every ceiling, but for
 * swap_max, where 0 is the least.
 * Returns 0, or -EREMOTEIO with OVER_CEILING: metadata "limit", "asked", "ceiling", "set_by", of
 * the smallest of the ceilings that are passed; "asked" is "none" where there is no such limit.
 */
int limits_choose(const struct class *class, const struct limits *asked,
                  const struct limits *launcher, struct limits *ret, struct api_error *error);

/*
 * Can the chosen limits be put into force? `enforceable`: LIMIT_BIT()s, as the launcher told. A
 * limit that is no cgroup's, or says "none", is passed over. The launcher checks again when it
 * writes them; asked here, the refusal can name what is missing.
 * Returns 0, or -EREMOTEIO with LIMIT_NOT_ENFORCEABLE: metadata "limit", "controller".
 */
int limits_check_enforceable(const struct limits *limits, uint32_t enforceable,
                             struct api_error *error);
