/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct api_error;
struct failure;

/*
 * What the worker says went wrong, as clients see it: code by reason, the sentence, and the details
 * as metadata: "field.N" and "issue.N" for the issues of a specification, "candidate.N" for ids,
 * the other keys as they are; "job" names the job that stays as FAILED/START_FAILED.
 */
void failure_to_error(const struct failure *failure, struct api_error *ret);
