/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct buffer;
struct emitter;
struct error;

/*
 * Writing one document as JSON or as YAML by the same calls.
 *
 *     emitter_begin_map(emitter, NULL);
 *     emitter_text(emitter, "name", job->name);
 *     emitter_begin_list(emitter, "args");
 *     emitter_text(emitter, NULL, "first");
 *     emitter_end(emitter);
 *     emitter_end(emitter);
 *     r = emitter_finish(emitter, EMITTER_JSON, &out, &err);
 *
 * `key` is the member's name inside a map and NULL inside a list and at the top. The first failure
 * is kept, later calls do nothing, and emitter_finish() reports it: callers check once. Keys stay
 * in the order of the calls. A call that doesn't fit (a key in a list, two values at the top, an
 * end too many) is the caller's bug and ends as -EINVAL.
 */

enum emitter_format {
    EMITTER_JSON,
    EMITTER_YAML,
};

/* NULL when there is no memory. */
struct emitter *emitter_new(void);
struct emitter *emitter_free(struct emitter *emitter);
DEFINE_CLEANUP(struct emitter *, emitter_free);
#define _cleanup_emitter_ _cleanup_(emitter_freep)

void emitter_begin_map(struct emitter *emitter, const char *key);
void emitter_begin_list(struct emitter *emitter, const char *key);
void emitter_end(struct emitter *emitter);

/* A NULL text is null. Bytes that are not UTF-8 become \xNN in letters, the rest stays as it is. */
void emitter_text(struct emitter *emitter, const char *key, const char *text);
void emitter_bytes(struct emitter *emitter, const char *key, const void *data, size_t size);

void emitter_bool(struct emitter *emitter, const char *key, bool value);
void emitter_integer(struct emitter *emitter, const char *key, int64_t value);
/* Above INT64_MAX it is written as a text of digits, since JSON readers would bend the number. */
void emitter_unsigned(struct emitter *emitter, const char *key, uint64_t value);
/* Infinity and NaN, which JSON doesn't have, are null. */
void emitter_real(struct emitter *emitter, const char *key, double value);
void emitter_null(struct emitter *emitter, const char *key);

/*
 * Appends the finished document, ending in a newline, to `out`. Returns 0, -EINVAL (begin and end
 * don't match, or nothing was emitted) or -ENOMEM. The emitter is empty afterwards and can be used
 * again.
 */
int emitter_finish(struct emitter *emitter, enum emitter_format format, struct buffer *out,
                   struct error *err);
