/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Certificates for tests, made on the spot: right ones and every kind of wrong one.
 * Whatever fails ends the test at once.
 */

struct forge_name {    /* one attribute of a subject */
    const char *field; /* "CN", "O"; NULL ends the list */
    const char *value;
    int type; /* MBSTRING_…  or V_ASN1_…; 0: MBSTRING_UTF8 */
    int size; /* of the value; 0: strlen() */
};

#define NAME(the_field, the_value)                                                                 \
    {                                                                                              \
        .field = (the_field), .value = (the_value)                                                 \
    }
#define NAME_AS(the_field, the_value, the_type, the_size)                                          \
    {                                                                                              \
        .field = (the_field), .value = (the_value), .type = (the_type), .size = (the_size)         \
    }

#define FORGE_NAMES_MAX 4

struct forge_request {
    struct forge_name subject[FORGE_NAMES_MAX];
    const char *eku; /* "clientAuth", "serverAuth", …; NULL: the extension is absent */
    const char *san; /* "DNS:localhost,IP:127.0.0.1"; NULL: absent */
    const char *key; /* "P-256" (NULL), "P-384", "P-521", "ED25519", "RSA2048", "RSA3072" */
    bool ca;         /* basicConstraints CA:TRUE */
    long not_before; /* seconds from now; 0: an hour ago */
    long not_after;  /* seconds from now; 0: in an hour */
};

struct forged {
    X509 *certificate;
    EVP_PKEY *key;
};

/* `issuer` NULL: signed by itself. */
struct forged forge(const struct forge_request *request, const struct forged *issuer);
void forged_done(struct forged *forged);

/* A CA called `name`. */
struct forged forge_authority(const char *name, const struct forged *issuer);

/* The ordinary ones: a client CN=alice O=user, a server for localhost and 127.0.0.1. */
struct forged forge_client(const struct forged *issuer);
struct forged forge_server(const struct forged *issuer);

/* A list of `issuer` that revokes `revoked` (NULL: nothing), next update in `lifetime` seconds. */
X509_CRL *forge_revocation(const struct forged *issuer, const struct forged *revoked,
                           long lifetime);

/* A directory of files that is removed with its contents by forge_remove_directory(). */
char *forge_make_directory(void);
void forge_remove_directory(char *directory);

/*
 * Write PEM files and return their path, which the caller frees. `…` is a NULL-terminated list: of
 * struct forged *, and of X509_CRL *, which are freed.
 */
char *forge_write_certificates(const char *directory, const char *name, ...)
    __attribute__((sentinel));
char *forge_write_key(const char *directory, const char *name, const struct forged *forged,
                      const char *passphrase);
char *forge_write_revocations(const char *directory, const char *name, ...)
    __attribute__((sentinel));
char *forge_write_text(const char *directory, const char *name, const char *text);
