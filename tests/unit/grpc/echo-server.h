/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "grpc/server.h"

/*
 * A server to test against: handlers of every kind, and a "core" thread that answers some of them.
 *
 *   /test.Echo/Unary   answers with the request
 *   /test.Echo/Later   the same, from another thread
 *   /test.Echo/Fail    NOT_FOUND, a text with all sorts of characters, the request as details
 *   /test.Echo/Hang    never answers
 *   /test.Echo/Stream  "COUNT SIZE": so many messages of so many bytes, then OK
 *   /test.Echo/Tick    "COUNT": so many messages, one each millisecond, from a timer
 *   /test.Echo/Silent  a stream that never says anything
 *   /test.Echo/Break   a stream of one message that then fails with DATA_LOSS
 */

enum echo_method {
    ECHO_UNARY,
    ECHO_LATER,
    ECHO_FAIL,
    ECHO_HANG,
    ECHO_STREAM,
    ECHO_TICK,
    ECHO_SILENT,
    ECHO_BREAK,
    _ECHO_MAX,
};

#define ECHO_FAIL_TEXT "no such thing: 100%, \"né\"\n"

struct echo_server {
    struct grpc_server *server;
    int listen_fd;
    uint16_t port;
    atomic_uint requests;
    atomic_uint closed;    /* calls that ended … */
    atomic_uint delivered; /* … with everything said */
    atomic_uint refused;
    atomic_uint failed_connections;
    atomic_int last_status; /* of closed() and refused() */
};

extern const struct grpc_method echo_methods[_ECHO_MAX];
extern const struct grpc_handlers echo_handlers;

/* Listens on a free port of 127.0.0.1 (or on `port`) and serves. Ends the process on failure. */
void echo_server_start(struct echo_server *echo, struct tls_context *tls, uint16_t port,
                       unsigned threads, const struct grpc_server_limits *limits);
void echo_server_stop(struct echo_server *echo);
