/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Mutual TLS 1.3 over a blocking socket, as fast as OpenSSL lets it be: the sender's records are
 * gathered and written TLS_END_BATCH at a time.
 */

#define TLS_END_BATCH ((size_t)256 * 1024)

struct tls_end {
    SSL *ssl;
    int fd;
    uint8_t *gathered; /* TLS_END_BATCH and one record more */
    size_t size;
};

/* Contexts from PEM files; `authority` is what the peer must be signed by. */
SSL_CTX *tls_end_server_context(const char *cert, const char *key, const char *authority);
SSL_CTX *tls_end_client_context(const char *cert, const char *key, const char *authority);

/* Shake hands over a connected socket. */
struct tls_end *tls_end_accept(SSL_CTX *context, int fd);
struct tls_end *tls_end_connect(SSL_CTX *context, int fd);
void tls_end_free(struct tls_end *end);

/* Encrypts; what is gathered goes out when it is TLS_END_BATCH, or by tls_end_flush(). */
void tls_end_write(struct tls_end *end, const void *data, size_t size);
void tls_end_flush(struct tls_end *end);

/* > 0 bytes, or 0 at the end. */
size_t tls_end_read(struct tls_end *end, void *data, size_t size);
