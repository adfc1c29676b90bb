/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hoist/internal/launcher.pb-c.h>

#include "base/buffer.h"
#include "wire/launcher-messages.h"

/*
 * What requests and answers of the launcher share in their coding: packing and unpacking within
 * bounds, and the pieces that both are made of. Used by launcher-request.c and launcher-answer.c.
 */

/*
 * Memory that unpacking one packet may take in all. The largest valid request needs a third of it;
 * 160 KiB of empty elements would want 40 bytes for every two.
 */
#define CODEC_MEMORY_MAX (1024 * 1024)

struct codec_memory {
    ProtobufCAllocator allocator;
    size_t left;
};

void codec_memory_init(struct codec_memory *memory);

/* Unpacks within CODEC_MEMORY_MAX: NULL with a sentence when it can't be done. */
ProtobufCMessage *codec_unpack(const ProtobufCMessageDescriptor *descriptor, const void *data,
                               size_t size, struct codec_memory *memory, struct error *err);

/* Neither `message` nor one inside it holds a field that its schema doesn't have. */
bool codec_is_known(const ProtobufCMessage *message);

/* Appends the packed message; -E2BIG when it is longer than `max`. */
int codec_pack(const ProtobufCMessage *message, size_t max, struct buffer *out, struct error *err);

/* A text of less than `room` bytes without a NUL; `what` names it in the sentence. */
int codec_get_text(const ProtobufCBinaryData *bytes, char *ret, size_t room, const char *what,
                   struct error *err);
ProtobufCBinaryData codec_put_text(const char *text);

int codec_get_id(const ProtobufCBinaryData *bytes, struct id *ret, struct error *err);
ProtobufCBinaryData codec_put_id(const struct id *id);

/* "p-<principal>" and an id that isn't nil. */
int codec_check_job(const char *group, const struct id *id, struct error *err);
int codec_get_job(const Hoist__Internal__JobRef *message, struct launcher_job_ref *ret,
                  struct error *err);
void codec_put_job(const struct launcher_job_ref *job, Hoist__Internal__JobRef *ret);

/* Limits need room for their messages while they are packed: `ret` must stay where it is. */
struct codec_limits {
    Hoist__Internal__LimitValues message;
    Hoist__Internal__LimitValue *pointers[_LIMIT_MAX];
    Hoist__Internal__LimitValue values[_LIMIT_MAX];
};

/* `message` NULL: none. Each limit at most once. */
int codec_get_limits(const Hoist__Internal__LimitValues *message, struct limits *ret,
                     struct error *err);
void codec_put_limits(const struct limits *limits, struct codec_limits *ret);
