/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"

/*
 * How a gRPC call ended, and how that travels in HTTP/2 trailers: `grpc-status` in decimal,
 * `grpc-message` percent-encoded, `grpc-status-details-bin` in base64 ("gRPC over HTTP/2", the
 * protocol page of grpc/grpc, section Responses).
 */

/* The numbers are the protocol's. */
enum grpc_status {
    GRPC_STATUS_OK = 0,
    GRPC_STATUS_CANCELLED = 1,
    GRPC_STATUS_UNKNOWN = 2,
    GRPC_STATUS_INVALID_ARGUMENT = 3,
    GRPC_STATUS_DEADLINE_EXCEEDED = 4,
    GRPC_STATUS_NOT_FOUND = 5,
    GRPC_STATUS_ALREADY_EXISTS = 6,
    GRPC_STATUS_PERMISSION_DENIED = 7,
    GRPC_STATUS_RESOURCE_EXHAUSTED = 8,
    GRPC_STATUS_FAILED_PRECONDITION = 9,
    GRPC_STATUS_ABORTED = 10,
    GRPC_STATUS_OUT_OF_RANGE = 11,
    GRPC_STATUS_UNIMPLEMENTED = 12,
    GRPC_STATUS_INTERNAL = 13,
    GRPC_STATUS_UNAVAILABLE = 14,
    GRPC_STATUS_DATA_LOSS = 15,
    GRPC_STATUS_UNAUTHENTICATED = 16,
    _GRPC_STATUS_MAX,
    _GRPC_STATUS_INVALID = -22, /* -EINVAL */
};

/* "NOT_FOUND"; "UNKNOWN" for a number that is none. Never NULL. */
const char *grpc_status_name(enum grpc_status status);

/* The number in decimal without leading zeros, 0–16, or _GRPC_STATUS_INVALID. */
enum grpc_status grpc_status_parse(const void *text, size_t size);

/* What a response without grpc-status means (grpc/grpc doc/http-grpc-status-mapping.md). */
enum grpc_status grpc_status_from_http(unsigned http_status);

/*
 * The end of a call as the client sees it. `message` is never NULL after grpc_result_set() and may
 * hold anything the server wrote (valid UTF-8, no NUL; escape it before it meets a terminal).
 * `details` is the decoded grpc-status-details-bin, a google.rpc.Status; NULL when there is none.
 */
struct grpc_result {
    enum grpc_status status;
    char *message;    /* owned */
    uint8_t *details; /* owned */
    size_t details_size;
};

/* Frees what it holds; a zero-initialised result is fine. */
void grpc_result_done(struct grpc_result *result);
#define _cleanup_grpc_result_ _cleanup_(grpc_result_done)

/* Drops what was there. Returns 0 or -ENOMEM (status is set all the same, message stays NULL). */
int grpc_result_set(struct grpc_result *result, enum grpc_status status, const char *message);

/*
 * Percent-encoding of grpc-message: bytes outside 0x20–0x7e and '%' become %XX. Decoding never
 * fails: a broken escape stays as it stands (the protocol demands that), and NUL and invalid UTF-8
 * become '?'. Both append to `out` and return 0 or a negative errno.
 */
int grpc_message_encode(struct buffer *out, const char *message);
int grpc_message_decode(struct buffer *out, const void *data, size_t size);

/*
 * Base64 (RFC 4648) of `-bin` headers. Encoding writes no padding; decoding takes both forms,
 * standard alphabet only, and refuses anything else with -EBADMSG (nothing is appended then). One
 * value: a comma, which joins several values, is refused as well.
 */
int grpc_base64_encode(struct buffer *out, const void *data, size_t size);
int grpc_base64_decode(struct buffer *out, const void *data, size_t size);
