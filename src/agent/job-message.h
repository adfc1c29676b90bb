/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

struct job_info;

/* What the worker knows of a job as hoist.v1.Job, which the caller frees; NULL: no memory. */
Hoist__V1__Job *job_to_message(const struct job_info *info, const char *host);
