/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/cleanup.h"

struct error;

/*
 * Certificates, keys and revocation lists, read from PEM files into a TLS context and checked.
 *
 * Every sentence names the file. A file of more than TLS_FILE_MAX bytes is refused.
 */

#define TLS_FILE_MAX (4 * 1024 * 1024) /* a revocation list of 60,000 entries */

DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(BIO *, BIO_free_all);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(X509_CRL *, X509_CRL_free);
DEFINE_CLEANUP(SSL_CTX *, SSL_CTX_free);
DEFINE_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free);

/* The words of OpenSSL's last error in this thread, and an empty error queue. Static storage. */
const char *tls_library_error(void);

/* The certificate and its intermediates. The key's type and the dates are checked too. */
int tls_material_use_certificate(SSL_CTX *ssl, const char *path, struct error *err);

/* Where the private key is, and who may own it. */
struct tls_secrets {
    const char *key;
    const char *passphrase; /* NULL: it isn't encrypted */
    bool root_is_nobody;    /* as in tls_server_options */
};

/* The private key; its file's mode is checked, and that it belongs to the certificate. */
int tls_material_use_key(SSL_CTX *ssl, const struct tls_secrets *secrets, struct error *err);

/* Trust in the CAs of a bundle; anything in it that is no CA is refused. */
int tls_material_add_authorities(SSL_CTX *ssl, const char *path, struct error *err);

/*
 * Revocation lists: each must be signed by a CA of the bundle and be up to date, and each CA must
 * have one, since a chain whose CA has none would be refused at every handshake.
 */
int tls_material_add_revocations(SSL_CTX *ssl, const char *path, struct error *err);
