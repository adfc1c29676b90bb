/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"
#include "grpc/client-session.h"
#include "grpc/tls.h"

/*
 * What the files of the channel share: channel.c (moving bytes, waiting), channel-connect.c (how it
 * comes to be).
 */

/* One TLS record at a time comes out of OpenSSL, whatever the buffer. */
#define CHANNEL_READ_SIZE (16 * 1024)

/* What is read before messages are taken. With this and what OpenSSL reads ahead (tls.c) bytes are
 * still in the processor's cache when they are looked at. */
#define CHANNEL_TURN_BYTES ((size_t)64 * 1024)

struct grpc_channel {
    int fd;
    struct tls_context *tls; /* counted */
    struct tls_session *tls_session;
    struct client_session *session;
    usec_t keepalive;
    usec_t keepalive_timeout;
    usec_t heard;  /* last byte of the server */
    usec_t pinged; /* 0: no PING is out */
    bool has_more; /* the turn's budget ended a read: bytes may lie inside TLS, where poll(2) is
                      blind */
    bool is_dead;
    uint8_t read_buffer[CHANNEL_READ_SIZE]; /* not on the stack, which is cleared at each call */
    struct error failure;                   /* why, when dead */
};

/* One poll(2) on the channel's descriptor: 0; -ETIMEDOUT; -EINTR when interrupt_fd became readable.
 */
int channel_poll(int fd, short events, usec_t deadline, int interrupt_fd);
