/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

/*
 * Limits in words. Their names on the wire ("cpu_millis", "io_read_bps") are for programs and for
 * --limit; people read "cpu" and "100%".
 */

/* "memory", "disk read"; a name that this version doesn't know: itself. Not yet harmless. */
const char *limit_words(const char *name);

/* A limit's value as people write it: "512MB", "512MiB", "25%", "10MB/s", "none". */
#define LIMIT_TEXT_MAX 48
const char *limit_text(const char *name, uint64_t value, char text[static LIMIT_TEXT_MAX]);

/* What happens at the cap on output: "keep_ends", "stop_job". */
const char *output_policy_text(Hoist__V1__OutputPolicy policy);

/* The lines of a job's limits: name, value, and whether it is in force. */
void show_limits(const Hoist__V1__Job *job);

/* Those of a class, one line: "cpu 100%, memory 512MB". Prints no newline. */
void show_class_limits(const Hoist__V1__ClassInfo *class);

/* The lines of an agent's limits: which it can enforce, and why not the others. */
void show_limit_support(const Hoist__V1__GetInfoResponse *info);
