/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"
#include "grpc/tls-verify.h"
#include "grpc/tls.h"

/*
 * What the files of the TLS door share: tls.c (contexts), tls-session.c (sessions), tls-socket.c
 * (the BIO between OpenSSL and the socket), identity.c.
 */

struct tls_context {
    atomic_uint references;
    SSL_CTX *ssl; /* owned */
    enum tls_side side;
};

/*
 * Encrypted bytes on their way to the socket, gathered so that one write(2) carries many records,
 * and what came from it, counted.
 */
struct tls_socket {
    int fd;        /* borrowed */
    uint8_t *data; /* owned; unsent bytes are data[start … end) */
    size_t start;
    size_t end;
    size_t room;
    size_t burst;      /* bytes gathered since the buffer was last empty */
    uint64_t received; /* encrypted bytes read */
    uint64_t allowed;  /* encrypted bytes that may be read by now, see tls_socket_allow() */
    int failure;       /* negative errno of the last read(2) or write(2) that failed, or 0 */
    bool drained;      /* the last read(2) got less than it asked for */
    bool ended;        /* the peer closed its side */
    bool flooded;      /* it sent more than `allowed` */
};

struct tls_session {
    struct tls_context *context; /* a reference */
    SSL *ssl;                    /* owned; its BIO is over `socket` */
    struct tls_socket socket;
    char *host; /* what the peer's certificate must name; NULL on a server */
    enum tls_want wants;
    bool established;     /* the handshake is done, and h2 was agreed to */
    bool failed;          /* no more is to be said on this connection */
    struct error verdict; /* what is wrong with the peer's certificate; code 0: nothing */
};

/* A BIO over `socket`, which must outlive it. NULL: no memory. */
BIO *tls_socket_bio(struct tls_socket *socket);

/*
 * Sends what is gathered. Returns 0 when all of it went, -EAGAIN, or another negative errno. The
 * memory is kept while there is much to send and given back otherwise: an idle connection holds
 * none.
 */
int tls_socket_flush(struct tls_socket *socket);
void tls_socket_done(struct tls_socket *socket);

static inline size_t tls_socket_unsent(const struct tls_socket *socket)
{
    return socket->end - socket->start;
}

/* `size` decrypted bytes came out: the peer may send that much overhead more. */
void tls_socket_allow(struct tls_socket *socket, size_t size);

/* The callback of SSL_CTX_set_cert_verify_callback(): verifies the peer of a session. */
int tls_session_verify(X509_STORE_CTX *store, void *unused);
