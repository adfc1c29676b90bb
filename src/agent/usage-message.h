/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

struct job_usage;

/* What a job uses, as clients see it; api_free() it. NULL: no memory. */
Hoist__V1__Usage *usage_to_message(const struct job_usage *usage);
