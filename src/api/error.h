/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <hoist/v1/reason.pb-c.h>

#include "base/cleanup.h"

struct buffer;
struct error;

/*
 * Why a call failed, as it travels: gRPC status code, one sentence, and in
 * `grpc-status-details-bin` a google.rpc.Status that holds one google.rpc.ErrorInfo {reason, domain
 * "hoist", metadata} (AIP-193).
 *
 * Zero-initialised is "no error" and safe to clean up. Metadata is bounded so that the trailers
 * stay below 8 KiB; what doesn't fit is left out, the sentence counts it.
 */

#define API_ERROR_DOMAIN             "hoist"
#define API_ERROR_METADATA_MAX       40   /* pairs: 16 issues with their fields, and some */
#define API_ERROR_METADATA_BYTES_MAX 4096 /* keys and values together */
#define API_ERROR_TEXT_MAX           1024 /* bytes of the sentence that travel */

struct api_pair {
    char *key;
    char *value;
};

struct api_error {
    int code; /* gRPC status code; 0: no error */
    Hoist__V1__Reason
        reason; /* UNSPECIFIED in a peer's error without (or with an unknown) ErrorInfo */
    char *text; /* UTF-8; NULL: none */
    struct api_pair *metadata;
    size_t metadata_count;
};

void api_error_done(struct api_error *error);
#define _cleanup_api_error_ _cleanup_(api_error_done)

/*
 * Fills a fresh or used error. The code is the one that goes with the reason (api_reason_code());
 * whoever needs another assigns error->code afterwards. Without memory the sentence is missing,
 * never the code. Returns -EREMOTEIO, so that it can be handed up in one expression.
 */
int api_error_set(struct api_error *error, Hoist__V1__Reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a metadata pair (copied). What doesn't fit or finds no memory is left out. */
void api_error_add(struct api_error *error, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of a metadata key, or NULL. */
const char *api_error_get(const struct api_error *error, const char *key);

/* From the result of api_unpack(): MALFORMED_REQUEST, TOO_LARGE, or RESOURCE_EXHAUSTED for -ENOMEM.
 */
int api_error_set_from_unpack(struct api_error *error, const struct error *cause);

/*
 * Appends the bytes (not base64) of `grpc-status-details-bin`. Returns 0 or -ENOMEM.
 */
int api_error_pack_details(const struct api_error *error, struct buffer *out);

/*
 * What a peer said: its status code and message (NULL: none), and the bytes of
 * `grpc-status-details-bin` (size 0: none). Broken or foreign details are no failure: what can't be
 * read is left out, code and sentence stay. Texts are as the peer wrote them, to be escaped before
 * they are shown. Returns 0 or -ENOMEM.
 */
int api_error_parse(int code, const char *text, const void *details, size_t size,
                    struct api_error *ret);
