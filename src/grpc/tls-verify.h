/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/x509.h>

#include "base/clock.h"

struct error;

/*
 * Is a certificate good enough for the side that it is on? OpenSSL's chain verification, and what
 * it leaves out: an extended key usage that is there, a leaf that is no CA, a key of a known kind.
 */

enum tls_side {
    TLS_SERVER,
    TLS_CLIENT,
};

#define TLS_NAME_TEXT_MAX 96 /* of a subject in a sentence; longer ones are cut */

/* The subject in one harmless ASCII line ("CN=alice,O=user"); returns `text`. */
const char *tls_name_format(const X509_NAME *name, char text[static TLS_NAME_TEXT_MAX]);

/* A certificate's date as wall time; 0, long ago, when it can't be read or isn't there. */
usec_t tls_moment_to_wall(const ASN1_TIME *moment);

/* Ed25519, P-256, P-384, RSA of 3072 bits and more. Returns 0 or -EKEYREJECTED. */
int tls_verify_key(X509 *certificate, struct error *err);

/* It may be used by a peer on `side`. Returns 0 or -EKEYREJECTED. */
int tls_verify_usage(X509 *certificate, enum tls_side side, struct error *err);

/*
 * Verifies the chain that `store` was set up for, whose leaf is the peer on `side`; `host` (or
 * NULL) is for the sentence. On failure the store's error is set, from which OpenSSL makes the
 * alert.
 */
int tls_verify_chain(X509_STORE_CTX *store, enum tls_side side, const char *host,
                     struct error *err);
