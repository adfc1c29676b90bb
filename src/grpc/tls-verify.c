/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/tls-verify.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "grpc/tls-material.h"

#define RSA_BITS_MIN 3072

/* What follows `certificate "CN=…" `; "%s" takes what `detail` says. */
struct verdict {
    int code; /* X509_V_ERR_… */
    enum {
        DETAIL_NONE,
        DETAIL_NOT_BEFORE,
        DETAIL_NOT_AFTER,
        DETAIL_ISSUER,
        DETAIL_HOST,
    } detail;
    const char *text;
};

static const struct verdict verdicts[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, DETAIL_NOT_AFTER, "expired on %s"},
    {X509_V_ERR_CERT_NOT_YET_VALID, DETAIL_NOT_BEFORE,
     "is not valid before %s (is a clock wrong?)"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, DETAIL_ISSUER, "is of the unknown CA \"%s\""},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, DETAIL_ISSUER, "is of the unknown CA \"%s\""},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, DETAIL_ISSUER, "is of the unknown CA \"%s\""},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, DETAIL_NONE, "is signed by itself, by no known CA"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, DETAIL_NONE, "is a CA that is not known here"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, DETAIL_ISSUER, "was not signed by its issuer \"%s\""},
    {X509_V_ERR_CERT_REVOKED, DETAIL_ISSUER, "was revoked by \"%s\""},
    {X509_V_ERR_UNABLE_TO_GET_CRL, DETAIL_ISSUER, "is of \"%s\", which has no revocation list"},
    {X509_V_ERR_CRL_HAS_EXPIRED, DETAIL_ISSUER,
     "can't be checked: the revocation list of \"%s\" is out of date"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, DETAIL_NONE, "is the end of too long a chain of CAs"},
    {X509_V_ERR_INVALID_CA, DETAIL_NONE, "signed another one and is no CA"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, DETAIL_NONE, "has too weak a key (RSA needs 3072 bits)"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, DETAIL_NONE, "has too weak a key (RSA needs 3072 bits)"},
    {X509_V_ERR_CA_MD_TOO_WEAK, DETAIL_NONE, "is signed with too weak a digest"},
    {X509_V_ERR_HOSTNAME_MISMATCH, DETAIL_HOST,
     "is not for \"%s\" (no such name in its subject alternative names)"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, DETAIL_HOST,
     "is not for \"%s\" (no such address in its subject alternative names)"},
};

const char *tls_name_format(const X509_NAME *name, char text[static TLS_NAME_TEXT_MAX])
{
    /* RFC 2253 with everything escaped that is not printable ASCII. */
    _cleanup_(BIO_free_allp) BIO *out = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    long size = 0;

    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0)
        size = BIO_get_mem_data(out, &bytes);
    if (size <= 0)
        (void)snprintf(text, TLS_NAME_TEXT_MAX, "(no subject)");
    else if (size < TLS_NAME_TEXT_MAX)
        (void)snprintf(text, TLS_NAME_TEXT_MAX, "%.*s", (int)size, bytes);
    else
        (void)snprintf(text, TLS_NAME_TEXT_MAX, "%.*s...", TLS_NAME_TEXT_MAX - 4, bytes);
    return text;
}

usec_t tls_moment_to_wall(const ASN1_TIME *moment)
{
    struct tm tm;
    time_t seconds;

    if (!moment || !ASN1_TIME_to_tm(moment, &tm))
        return 0;
    seconds = timegm(&tm);
    return seconds <= 0 ? 0 : (usec_t)seconds * USEC_PER_SEC;
}

static const char *moment_format(const ASN1_TIME *moment, char text[static TLS_NAME_TEXT_MAX])
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(moment, &tm) || !strftime(text, TLS_NAME_TEXT_MAX, "%F %TZ", &tm))
        (void)snprintf(text, TLS_NAME_TEXT_MAX, "an unreadable date");
    return text;
}

static const char *detail_format(const struct verdict *verdict, const X509 *certificate,
                                 const char *host, char text[static TLS_NAME_TEXT_MAX])
{
    switch (verdict->detail) {
    case DETAIL_NOT_BEFORE:
        return moment_format(X509_get0_notBefore(certificate), text);
    case DETAIL_NOT_AFTER:
        return moment_format(X509_get0_notAfter(certificate), text);
    case DETAIL_ISSUER:
        return tls_name_format(X509_get_issuer_name(certificate), text);
    case DETAIL_HOST:
        return host ? host : "this host";
    case DETAIL_NONE:
    default:
        return "";
    }
}

static const struct verdict *verdict_find(int code)
{
    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
        if (verdicts[i].code == code)
            return &verdicts[i];
    return NULL;
}

/* The part of a verdict's text before "%s" and the part behind it, as one string. */
static void verdict_expand(const char *pattern, const char *detail, char *text, size_t size)
{
    const char *hole = strstr(pattern, "%s");

    if (hole)
        (void)snprintf(text, size, "%.*s%s%s", (int)(hole - pattern), pattern, detail, hole + 2);
    else
        (void)snprintf(text, size, "%s", pattern);
}

static int chain_error(X509_STORE_CTX *store, const char *host, struct error *err)
{
    int code = X509_STORE_CTX_get_error(store);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    const char *kind = X509_STORE_CTX_get_error_depth(store) > 0 ? "CA certificate" : "certificate";
    const struct verdict *verdict = verdict_find(code);
    char subject[TLS_NAME_TEXT_MAX], detail[TLS_NAME_TEXT_MAX], text[ERROR_TEXT_MAX];

    if (!certificate)
        certificate = X509_STORE_CTX_get0_cert(store);
    if (!certificate)
        return error_set(err, -EKEYREJECTED, "%s", X509_verify_cert_error_string(code));
    if (verdict)
        verdict_expand(verdict->text, detail_format(verdict, certificate, host, detail), text,
                       sizeof(text));
    else
        (void)snprintf(text, sizeof(text), "was refused: %s", X509_verify_cert_error_string(code));
    return error_set(err, -EKEYREJECTED, "the %s \"%s\" %s", kind,
                     tls_name_format(X509_get_subject_name(certificate), subject), text);
}

static bool key_is_strong(EVP_PKEY *key)
{
    char group[32];

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
        return true;
    case EVP_PKEY_RSA:
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    case EVP_PKEY_EC:
        return EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) &&
               (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0);
    default:
        return false;
    }
}

int tls_verify_key(X509 *certificate, struct error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    char subject[TLS_NAME_TEXT_MAX];

    if (key && key_is_strong(key))
        return 0;
    return error_set(err, -EKEYREJECTED,
                     "the certificate \"%s\" has a key that is none of Ed25519, P-256, P-384 and "
                     "RSA of %d bits or more",
                     tls_name_format(X509_get_subject_name(certificate), subject), RSA_BITS_MIN);
}

int tls_verify_usage(X509 *certificate, enum tls_side side, struct error *err)
{
    uint32_t wanted = side == TLS_CLIENT ? XKU_SSL_CLIENT : XKU_SSL_SERVER;
    const char *name = side == TLS_CLIENT ? "clientAuth" : "serverAuth";
    uint32_t flags = X509_get_extension_flags(certificate);
    char subject[TLS_NAME_TEXT_MAX];

    (void)tls_name_format(X509_get_subject_name(certificate), subject);
    if (flags & (EXFLAG_CA | EXFLAG_INVALID))
        return error_set(err, -EKEYREJECTED, "the certificate \"%s\" is %s", subject,
                         flags & EXFLAG_CA ? "a CA's own, which is no peer's" : "malformed");
    /* An absent extension would allow everything: X509_get_extended_key_usage() says UINT32_MAX. */
    if (!(flags & EXFLAG_XKUSAGE) || !(X509_get_extended_key_usage(certificate) & wanted))
        return error_set(err, -EKEYREJECTED,
                         "the certificate \"%s\" lacks the extended key usage %s", subject, name);
    return 0;
}

int tls_verify_chain(X509_STORE_CTX *store, enum tls_side side, const char *host, struct error *err)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    int r;

    /* Before the chain, whose words for it ("unsupported certificate purpose") say less. */
    r = tls_verify_usage(leaf, side, err);
    if (r >= 0)
        r = tls_verify_key(leaf, err);
    if (r < 0) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE); /* unsupported_certificate */
        return r;
    }
    if (X509_verify_cert(store) <= 0)
        return chain_error(store, host, err);
    return 0;
}
