/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "grpc/call.h"

/*
 * What goes out on a call's stream.
 */

/* For http2_init(): DATA is written straight into the output. */
int answer_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *user_data);
ssize_t answer_read_length(nghttp2_session *session, uint8_t frame_type, int32_t stream_id,
                           int32_t session_window, int32_t stream_window, uint32_t frame_max,
                           void *user_data);

/*
 * Ends a call in any state before ANSWERED: Trailers-Only, or trailers after what is pending.
 * `text` and `details` may be NULL.
 */
void call_end(struct grpc_call *call, enum grpc_status status, const char *text,
              const void *details, size_t details_size);

/* Answers what is no gRPC with a bare HTTP status ("415"). */
void call_end_http(struct grpc_call *call, const char *http_status);

/* Drops what is pending: the stream is gone, or nothing of it was sent. */
void answer_drop(struct grpc_call *call);

/* As call_end() for a call that may wait for its peer: it is reset when the peer's window holds its
 * bytes back, and one that was answered already stays as it is. */
void call_abort(struct grpc_call *call, enum grpc_status status, const char *text,
                const void *details, size_t details_size);
