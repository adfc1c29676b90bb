/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "grpc/tls-internal.h"
#include "grpc/tls-material.h"

#define SUITES_STRICT "TLS_AES_256_GCM_SHA384"
#define SUITES        SUITES_STRICT ":TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"

/* OpenSSL would also offer X448, P-521 and ffdhe2048 … 8192: the last costs seconds of CPU. */
#define GROUPS "X25519:P-256:P-384"

/*
 * What may sign: in TLS 1.3 the certificates' own signatures are judged by the same list, so the
 * PKCS #1 ones are in it, which TLS 1.3 itself never uses for a handshake.
 */
#define SIGNATURES                                                                                 \
    "ed25519:ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:"                                       \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"                                 \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

#define SECURITY_LEVEL          3 /* 128 bits: RSA 3072, P-256, SHA-256 (SSL_CTX_set_security_level(3)) */
#define CHAIN_DEPTH             2 /* intermediates */
#define CERTIFICATE_LIST_MAX    (32 * 1024)
#define CLIENT_READ_BUFFER_SIZE (128 * 1024) /* one read(2) takes many records of output */

static const unsigned char alpn_h2[] = {2, 'h', '2'};

static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *offered, unsigned offered_size, void *unused)
{
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)unused;
    if (SSL_select_next_proto(&chosen, out_size, alpn_h2, sizeof(alpn_h2), offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* What holds for both sides. */
static int context_restrict(SSL_CTX *ssl, bool strict, struct error *err)
{
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_max_cert_list(ssl, CERTIFICATE_LIST_MAX);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(ssl, CHAIN_DEPTH);
    SSL_CTX_set_cert_verify_callback(ssl, tls_session_verify, NULL);
    if (SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ssl, strict ? SUITES_STRICT : SUITES) != 1 ||
        SSL_CTX_set1_groups_list(ssl, GROUPS) != 1 ||
        SSL_CTX_set1_sigalgs_list(ssl, SIGNATURES) != 1 || SSL_CTX_set_num_tickets(ssl, 0) != 1 ||
        SSL_CTX_set_max_early_data(ssl, 0) != 1 || SSL_CTX_set_recv_max_early_data(ssl, 0) != 1)
        return error_set(err, -EOPNOTSUPP, "this OpenSSL can't do what is needed: %s",
                         tls_library_error());
    return 0;
}

static int context_new(enum tls_side side, bool strict, struct tls_context **ret, struct error *err)
{
    _cleanup_tls_context_ struct tls_context *context = calloc(1, sizeof(*context));
    int r;

    if (!context)
        return error_set(err, -ENOMEM, "out of memory");
    atomic_init(&context->references, 1);
    context->side = side;
    context->ssl = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
    if (!context->ssl)
        return error_set(err, -ENOMEM, "OpenSSL can't be set up: %s", tls_library_error());
    r = context_restrict(context->ssl, strict, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(context);
    return 0;
}

static int context_use_pair(struct tls_context *context, const char *cert,
                            const struct tls_secrets *secrets, struct error *err)
{
    int r;

    assert(context);
    r = tls_material_use_certificate(context->ssl, cert, err);
    if (r < 0)
        return r;
    r = tls_verify_usage(SSL_CTX_get0_certificate(context->ssl), context->side, err);
    if (r < 0)
        return error_prefix(err, "%s", cert);
    return tls_material_use_key(context->ssl, secrets, err);
}

int tls_context_new_server(const struct tls_server_options *options, struct tls_context **ret,
                           struct error *err)
{
    const struct tls_secrets secrets = {
        .key = options->key,
        .passphrase = options->key_passphrase_file,
        .root_is_nobody = options->root_is_nobody,
    };
    _cleanup_tls_context_ struct tls_context *context = NULL;
    int r;

    r = context_new(TLS_SERVER, options->strict, &context, err);
    if (r < 0)
        return r;
    r = context_use_pair(context, options->cert, &secrets, err);
    if (r < 0)
        return r;
    r = tls_material_add_authorities(context->ssl, options->client_ca, err);
    if (r < 0)
        return r;
    if (options->crl) {
        r = tls_material_add_revocations(context->ssl, options->crl, err);
        if (r < 0)
            return r;
    }
    if (SSL_CTX_set_purpose(context->ssl, X509_PURPOSE_SSL_CLIENT) != 1)
        return error_set(err, -EOPNOTSUPP, "OpenSSL knows no clients: %s", tls_library_error());
    SSL_CTX_set_alpn_select_cb(context->ssl, alpn_select, NULL);
    *ret = TAKE_PTR(context);
    return 0;
}

int tls_context_new_client(const struct tls_client_options *options, struct tls_context **ret,
                           struct error *err)
{
    const struct tls_secrets secrets = {
        .key = options->key,
        .passphrase = options->key_passphrase_file,
    };
    _cleanup_tls_context_ struct tls_context *context = NULL;
    int r;

    r = context_new(TLS_CLIENT, options->strict, &context, err);
    if (r < 0)
        return r;
    r = context_use_pair(context, options->cert, &secrets, err);
    if (r < 0)
        return r;
    r = tls_material_add_authorities(context->ssl, options->ca, err);
    if (r < 0)
        return r;
    SSL_CTX_clear_mode(context->ssl,
                       SSL_MODE_RELEASE_BUFFERS); /* one connection: nothing to save */
    SSL_CTX_set_default_read_buffer_len(context->ssl, CLIENT_READ_BUFFER_SIZE);
    if (SSL_CTX_set_purpose(context->ssl, X509_PURPOSE_SSL_SERVER) != 1 ||
        SSL_CTX_set_alpn_protos(context->ssl, alpn_h2, sizeof(alpn_h2)) != 0)
        return error_set(err, -ENOMEM, "OpenSSL can't be set up: %s", tls_library_error());
    *ret = TAKE_PTR(context);
    return 0;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    if (context)
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

struct tls_context *tls_context_unref(struct tls_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) > 1)
        return NULL;
    SSL_CTX_free(context->ssl);
    free(context);
    return NULL;
}
