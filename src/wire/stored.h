/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include <hoist/internal/specification.pb-c.h>

#include "base/buffer.h"
#include "base/id.h"
#include "wire/limits.h"

struct error;

/*
 * Pieces that specification.c and outcome.c share.
 *
 * On the way out protobuf-c's structs borrow from ours (packing only reads); on the way in
 * everything is copied, since protobuf-c owns its memory. Texts that a client may fill with any
 * byte are `bytes` there; a NUL inside means that the file is not ours. All return 0, -ENOMEM or
 * -EPROTO.
 */

/* Copies; NULL stays NULL. */
int stored_copy_text(const char *text, char **ret);
int stored_copy_list(char *const *list, char ***ret);

/* Borrowed. */
char *stored_text(const char *text);
ProtobufCBinaryData stored_bytes(const char *text);
ProtobufCBinaryData stored_id(const struct id *id);

/* A list of texts as borrowed bytes: *ret is an array that the caller frees. */
int stored_list(char *const *list, size_t *ret_count, ProtobufCBinaryData **ret);

/* Fills arrays of _LIMIT_MAX with the given limits; `report` may be NULL. Returns their number. */
size_t stored_limits(const struct limits *limits, const struct limit_report *report,
                     Hoist__Internal__StoredLimit *stored, Hoist__Internal__StoredLimit **pointers);

/* Appends the message to `out`. */
int stored_pack(const ProtobufCMessage *message, struct buffer *out);

int stored_read_id(const ProtobufCBinaryData *stored, struct id *ret);
int stored_read_text(const ProtobufCBinaryData *stored, char **ret);
int stored_read_list(const ProtobufCBinaryData *stored, size_t count, char ***ret);

/* Adds it to `limits`. Returns which limit it is. */
int stored_read_limit(const Hoist__Internal__StoredLimit *stored, struct limits *limits);

/* For _cleanup_. */
void stored_message_freep(ProtobufCMessage **message);

/* The sentence for a decoding that failed with `code`; returns it. */
int stored_error(int code, const char *what, struct error *err);
