/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct tls_end;

/*
 * What HTTP/2 by nghttp2 and gRPC's framing add to TLS: one server-streaming call, answered with a
 * file in messages of 64 KiB that are read straight to where they are encrypted from.
 */

/* Serves one call with the contents of `file`, until the client is gone. */
void http2_end_serve(struct tls_end *end, int file);

/* Makes one call and returns the bytes of its messages, without framing. */
uint64_t http2_end_fetch(struct tls_end *end);
