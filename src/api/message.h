/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <grpc/health/v1/health.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hoist/v1/agent_service.pb-c.h>
#include <hoist/v1/job_service.pb-c.h>

#include "base/cleanup.h"

struct buffer;
struct error;

/*
 * The public messages (proto/hoist/v1): from bytes that a stranger sent, to bytes, and building
 * them.
 *
 * Unpacking is strict, since protobuf-c is not: the wire is walked once by the message's descriptor
 * before anything is allocated (see wire-scan.h for what is refused), then unpacked with a memory
 * budget. A message that was unpacked here holds only texts that are UTF-8 and without NUL (so that
 * a C string is all of the text), and no more elements than the tables allow.
 *
 * Every message is freed by the generated <type>__free_unpacked(message, NULL), by api_free(), or
 * by _cleanup_api_message_ on a variable of any message type.
 */

enum api_peer {
    API_FROM_CLIENT, /* requests: small */
    API_FROM_SERVER, /* responses: pages of jobs, chunks of output; an agent is hostile to a CLI too
                      */
};

/*
 * Unpacks `size` bytes (NULL with 0 is the empty message) into a fresh message that the caller
 * frees. Returns 0, or -EBADMSG    broken wire format, a wrong wire type, a text that is not UTF-8
 * or holds a NUL -E2BIG      more elements, unknown fields or nesting than allowed; the sentence
 * names field and limit -ENOBUFS    more memory than the budget of `peer` -ENOMEM
 * api_error_set_from_unpack() makes the answer for the client of it.
 */
int api_unpack(const ProtobufCMessageDescriptor *descriptor, enum api_peer peer, const void *data,
               size_t size, ProtobufCMessage **ret, struct error *err);

/* The same, typed: `Hoist__V1__Job *job; api_unpack_as(hoist__v1__job, API_FROM_SERVER, …, &job,
 * err)`. */
#define api_unpack_as(type, peer, data, size, ret, err)                                            \
    ({                                                                                             \
        ProtobufCMessage *_message = NULL;                                                         \
        int _result = api_unpack(&type##__descriptor, (peer), (data), (size), &_message, (err));   \
        if (_result >= 0)                                                                          \
            *(ret) = (__typeof__(type##__unpack(NULL, 0, NULL)))(void *)_message;                  \
        _result;                                                                                   \
    })

/* Appends the message's wire form. Returns 0, -ENOMEM, or -ENOBUFS at the buffer's limit. */
int api_pack(const ProtobufCMessage *message, struct buffer *out);

/* Frees a message and all that it holds. NULL is accepted. */
void api_free(ProtobufCMessage *message);

static inline void api_freep(void *message)
{
    api_free(*(ProtobufCMessage **)message);
}
#define _cleanup_api_message_ _cleanup_(api_freep)

/* A fresh empty message, or NULL: `Hoist__V1__Job *job = api_new(hoist__v1__job)`. */
ProtobufCMessage *api_message_new(const ProtobufCMessageDescriptor *descriptor);
#define api_new(type)                                                                              \
    ((__typeof__(type##__unpack(NULL, 0, NULL)))(void *)api_message_new(&type##__descriptor))

/*
 * Filling a message in. Each copies what it is given, replaces and frees what was there, and
 * returns 0 or -ENOMEM (the message is as it was). A NULL text is the empty one.
 */
int api_set_text(char **field, const char *text);
int api_set_bytes(ProtobufCBinaryData *field, const void *data, size_t size);

/*
 * Appends to a repeated field, growing its array by one. For messages the element is taken on
 * success: `api_append_take(&job->n_limits, &job->limits, status)`.
 */
int api_append_text(size_t *count, char ***list, const char *text);
int api_append_bytes(size_t *count, ProtobufCBinaryData **list, const void *data, size_t size);
int api_append_message_take(size_t *count, void *list, ProtobufCMessage *element);
#define api_append_take(count, list, element)                                                      \
    api_append_message_take((count), (1 ? (list) : (__typeof__(element) **)0), &(element)->base)

/* Adds an entry to a map<string, string> (any generated …Entry type is {base, key, value}). */
int api_append_entry(const ProtobufCMessageDescriptor *entry, size_t *count, void *list,
                     const char *key, const char *value);

/*
 * One field of Limits by its name ("memory_max"), so that tables over limits need no switch.
 * api_limits_get returns 1 and the value, 0 when it is absent, -EINVAL when there is no such limit.
 */
int api_limits_get(const Hoist__V1__Limits *limits, const char *name, uint64_t *ret);
int api_limits_set(Hoist__V1__Limits *limits, const char *name, uint64_t value);
