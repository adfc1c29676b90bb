/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;
struct tls_session;
struct x509_st; /* OpenSSL's X509 */

/*
 * Who a certificate says its holder is.
 *
 * The principal is the subject's CN. There must be exactly one; it is taken by its length, never as
 * a C string, whatever ASN.1 string type it has, and must match [a-z0-9][a-z0-9._-]{0,62}, so that
 * "admin\0.evil", a Cyrillic "а" and a second CN make no one an admin.
 * The role is the subject's O; two of them are refused. An O that doesn't have the form of a role
 * ("Example Ltd") is an organisation's name and gives none.
 */

#define IDENTITY_TEXT_MAX 64 /* 63 characters and the NUL */

struct identity {
    char principal[IDENTITY_TEXT_MAX];
    char role[IDENTITY_TEXT_MAX]; /* empty: none */
};

/*
 * The identity of the peer of a session whose handshake is done. Returns 0, -EKEYREJECTED with a
 * sentence that says which part of the subject is wrong, or -ENOENT when there is no certificate.
 */
int identity_from_session(const struct tls_session *session, struct identity *ret,
                          struct error *err);

/* The same for a certificate at hand (borrowed). */
int identity_from_certificate(const struct x509_st *certificate, struct identity *ret,
                              struct error *err);
