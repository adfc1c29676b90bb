/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "grpc/tls-internal.h"
#include "grpc/tls-material.h"

/* What an alert of the peer's means for us (RFC 8446 §6.2), by its number. */
struct alert {
    int number;
    int code;
    const char *text;
};

static const struct alert alerts[] = {
    {SSL_AD_HANDSHAKE_FAILURE, -EPROTO, "it finds no key exchange, suite or signature in common"},
    {SSL_AD_BAD_CERTIFICATE, -EKEYREJECTED, "it refused our certificate as bad"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, -EKEYREJECTED,
     "it refused our certificate: wrong kind of key or extended key usage"},
    {SSL_AD_CERTIFICATE_REVOKED, -EKEYREJECTED, "it refused our certificate: revoked"},
    {SSL_AD_CERTIFICATE_EXPIRED, -EKEYREJECTED, "it refused our certificate: expired"},
    {SSL_AD_CERTIFICATE_UNKNOWN, -EKEYREJECTED, "it refused our certificate"},
    {SSL_AD_UNKNOWN_CA, -EKEYREJECTED, "it refused our certificate: of a CA that it doesn't know"},
    {SSL_AD_ACCESS_DENIED, -EKEYREJECTED, "it refused our certificate: access denied"},
    {SSL_AD_CERTIFICATE_REQUIRED, -EKEYREJECTED, "it wants a certificate and got none"},
    {SSL_AD_DECRYPT_ERROR, -EPROTO, "it could not verify our signature"},
    {SSL_AD_PROTOCOL_VERSION, -EPROTO, "it speaks no TLS 1.3"},
    {SSL_AD_INSUFFICIENT_SECURITY, -EPROTO, "it asks for stronger parameters"},
    {SSL_AD_NO_APPLICATION_PROTOCOL, -EPROTONOSUPPORT, "it doesn't speak HTTP/2 (ALPN h2)"},
    {SSL_AD_INTERNAL_ERROR, -EPROTO, "it has an internal error"},
};

/* What OpenSSL's own findings mean, where its words are unclear. */
static const struct {
    int reason;
    const char *text;
} findings[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "it doesn't speak TLS"},
    {SSL_R_HTTP_REQUEST, "it speaks HTTP without TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "it speaks HTTP without TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "it offers no TLS 1.3"},
    {SSL_R_VERSION_TOO_LOW, "it offers no TLS 1.3"},
    {SSL_R_NO_SHARED_CIPHER, "no suite in common"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "no key exchange in common"},
    {SSL_R_NO_SHARED_GROUPS, "no key exchange in common"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no kind of signature in common"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "it sent no certificate"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "it doesn't speak HTTP/2 (ALPN h2)"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "it closed the connection without a word"},
    {SSL_R_BAD_KEY_SHARE, "it sent a malformed key share"},
};

static const char *peer_name(const struct tls_session *session)
{
    return session->context->side == TLS_SERVER ? "the client" : "the server";
}

static int alert_error(const struct tls_session *session, int number, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(alerts); i++)
        if (alerts[i].number == number)
            return error_set(err, alerts[i].code, "%s ended TLS: %s", peer_name(session),
                             alerts[i].text);
    return error_set(err, -EPROTO, "%s ended TLS: %s", peer_name(session),
                     SSL_alert_desc_string_long(number));
}

static int finding_error(const struct tls_session *session, int reason, struct error *err)
{
    int code = reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ? -ECONNRESET
               : reason == SSL_R_NO_APPLICATION_PROTOCOL    ? -EPROTONOSUPPORT
                                                            : -EPROTO;

    for (size_t i = 0; i < ARRAY_SIZE(findings); i++)
        if (findings[i].reason == reason) {
            ERR_clear_error();
            return error_set(err, code, "TLS with %s failed: %s", peer_name(session),
                             findings[i].text);
        }
    return error_set(err, code, "TLS with %s failed: %s", peer_name(session), tls_library_error());
}

/* The reason of a failure for good, from the nearest to the most general. */
static int failure_error(const struct tls_session *session, int ssl_error, struct error *err)
{
    unsigned long queued = ERR_peek_error();
    int reason = ERR_GET_REASON(queued);

    if (session->verdict.code < 0) {
        if (err)
            *err = session->verdict;
        return session->verdict.code;
    }
    if (session->socket.flooded)
        return error_set(err, -EPROTO, "%s sends TLS records without contents", peer_name(session));
    if (session->socket.failure < 0)
        return error_set(err, session->socket.failure, "the connection to %s failed: %s",
                         peer_name(session), strerror(-session->socket.failure));
    if (ssl_error == SSL_ERROR_SSL && reason >= SSL_AD_REASON_OFFSET)
        return alert_error(session, reason - SSL_AD_REASON_OFFSET, err);
    if (ssl_error == SSL_ERROR_SSL && queued != 0)
        return finding_error(session, reason, err);
    return error_set(err, -ECONNRESET, "%s closed the connection", peer_name(session));
}

/* The end of the session for another reason than a goodbye; `ssl_error` is SSL_get_error()'s. */
static int session_fail(struct tls_session *session, int ssl_error, struct error *err)
{
    int r = failure_error(session, ssl_error, err);

    session->failed = true;
    session->wants = TLS_WANT_NOTHING;
    ERR_clear_error();
    (void)tls_socket_flush(&session->socket); /* the alert, as far as it goes */
    return r;
}

/* After an OpenSSL call that returned `result` ≤ 0: -EAGAIN, 0 for a proper end, or the failure. */
static int session_result(struct tls_session *session, int result, struct error *err)
{
    int ssl_error = SSL_get_error(session->ssl, result);

    if (ssl_error == SSL_ERROR_WANT_READ) {
        session->wants = TLS_WANT_READ;
        return -EAGAIN;
    }
    if (ssl_error == SSL_ERROR_ZERO_RETURN)
        return 0;
    return session_fail(session, ssl_error, err);
}

static int session_new(struct tls_context *context, int fd, struct tls_session **ret,
                       struct error *err)
{
    _cleanup_tls_session_ struct tls_session *session = calloc(1, sizeof(*session));
    BIO *bio;

    if (!session)
        return error_set(err, -ENOMEM, "out of memory");
    session->context = tls_context_ref(context);
    session->socket.fd = fd;
    session->ssl = SSL_new(context->ssl);
    bio = session->ssl ? tls_socket_bio(&session->socket) : NULL;
    if (!bio)
        return error_set(err, -ENOMEM, "a TLS session can't be made: %s", tls_library_error());
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_app_data(session->ssl, session);
    *ret = TAKE_PTR(session);
    return 0;
}

int tls_session_new_server(struct tls_context *context, int fd, struct tls_session **ret,
                           struct error *err)
{
    int r;

    assert(context->side == TLS_SERVER);
    r = session_new(context, fd, ret, err);
    if (r >= 0)
        SSL_set_accept_state((*ret)->ssl);
    return r;
}

static bool host_is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int session_expect_host(struct tls_session *session, const char *host)
{
    X509_VERIFY_PARAM *param;

    assert(session);
    param = SSL_get0_param(session->ssl);
    session->host = strdup(host);
    if (!session->host)
        return 0;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (host_is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
           SSL_set_tlsext_host_name(session->ssl, host) == 1;
}

int tls_session_new_client(struct tls_context *context, int fd, const char *host,
                           struct tls_session **ret, struct error *err)
{
    _cleanup_tls_session_ struct tls_session *session = NULL;
    int r;

    assert(context->side == TLS_CLIENT);
    if (!host || !host[0]) /* OpenSSL would take it for "any" */
        return error_set(err, -EINVAL, "the server's name is empty");
    r = session_new(context, fd, &session, err);
    if (r < 0)
        return r;
    if (!session_expect_host(session, host))
        return error_set(err, -EINVAL, "\"%s\" is no host name or address: %s", host,
                         tls_library_error());
    SSL_set_connect_state(session->ssl);
    *ret = TAKE_PTR(session);
    return 0;
}

struct tls_session *tls_session_free(struct tls_session *session)
{
    if (!session)
        return NULL;
    SSL_free(session->ssl);
    tls_socket_done(&session->socket);
    tls_context_unref(session->context);
    free(session->host);
    free(session);
    return NULL;
}

int tls_session_verify(X509_STORE_CTX *store, void *unused)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = SSL_get_app_data(ssl);
    enum tls_side peer = session->context->side == TLS_SERVER ? TLS_CLIENT : TLS_SERVER;

    (void)unused;
    return tls_verify_chain(store, peer, session->host, &session->verdict) >= 0;
}

enum tls_want tls_session_wants(const struct tls_session *session)
{
    return session->wants |
           (tls_socket_unsent(&session->socket) > 0 ? TLS_WANT_WRITE : TLS_WANT_NOTHING);
}

bool tls_session_has_h2(const struct tls_session *session)
{
    const unsigned char *protocol = NULL;
    unsigned size = 0;

    SSL_get0_alpn_selected(session->ssl, &protocol, &size);
    return size == 2 && memcmp(protocol, "h2", 2) == 0;
}

/* Sends what the handshake has to say; what remains goes with the next flush. */
static int handshake_flush(struct tls_session *session, int result, struct error *err)
{
    int r = tls_socket_flush(&session->socket);

    if (r < 0 && r != -EAGAIN)
        return session_fail(session, SSL_ERROR_SYSCALL, err);
    return result;
}

int tls_session_handshake(struct tls_session *session, struct error *err)
{
    int result, r;

    if (session->failed)
        return error_set(err, -EPROTO, "the handshake has failed before");
    if (session->established)
        return 0;
    ERR_clear_error();
    result = SSL_do_handshake(session->ssl);
    if (result != 1) {
        r = session_result(session, result, err);
        if (r == 0)
            return error_set(err, -ECONNRESET, "%s said goodbye during the handshake",
                             peer_name(session));
        return r == -EAGAIN ? handshake_flush(session, -EAGAIN, err) : r;
    }
    session->wants = TLS_WANT_NOTHING;
    session->established = true;
    /* OpenSSL lets a client pass that sent no ALPN extension at all. */
    if (!tls_session_has_h2(session)) {
        tls_session_close(session);
        session->failed = true;
        return error_set(err, -EPROTONOSUPPORT, "%s doesn't speak HTTP/2 (ALPN h2)",
                         peer_name(session));
    }
    return handshake_flush(session, 0, err);
}

ssize_t tls_session_read(struct tls_session *session, void *data, size_t size, struct error *err)
{
    int result;

    if (session->failed)
        return error_set(err, -EPROTO, "the session has failed before");
    ERR_clear_error();
    result = SSL_read(session->ssl, data, (int)MIN(size, (size_t)INT_MAX));
    if (result <= 0)
        return session_result(session, result, err);
    session->wants = TLS_WANT_NOTHING;
    tls_socket_allow(&session->socket, (size_t)result);
    return result;
}

bool tls_session_is_drained(const struct tls_session *session)
{
    return session->socket.drained && SSL_has_pending(session->ssl) == 0;
}

/* How much plaintext fits: up to the gather buffer's end, rounded up to a whole record. */
static size_t session_room(const struct tls_session *session)
{
    size_t unsent = tls_socket_unsent(&session->socket);

    if (unsent >= TLS_GATHER_MAX)
        return 0;
    return (TLS_GATHER_MAX - unsent + TLS_RECORD_SIZE - 1) / TLS_RECORD_SIZE * TLS_RECORD_SIZE;
}

ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size,
                          struct error *err)
{
    int result, r;

    if (session->failed)
        return error_set(err, -EPROTO, "the session has failed before");
    if (session_room(session) == 0) {
        r = tls_session_flush(session, err);
        if (r < 0 && (r != -EAGAIN || session_room(session) == 0))
            return r;
    }
    ERR_clear_error();
    result = SSL_write(session->ssl, data, (int)MIN(size, session_room(session)));
    if (result <= 0)
        return session_result(session, result, err);
    if (session_room(session) == 0) {
        r = tls_session_flush(session, err);
        if (r < 0 && r != -EAGAIN)
            return r;
    }
    return result;
}

int tls_session_flush(struct tls_session *session, struct error *err)
{
    int r = tls_socket_flush(&session->socket);

    return r == 0 || r == -EAGAIN ? r : session_fail(session, SSL_ERROR_SYSCALL, err);
}

size_t tls_session_unsent(const struct tls_session *session)
{
    return tls_socket_unsent(&session->socket);
}

void tls_session_close(struct tls_session *session)
{
    if (session->failed || !session->established)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl); /* sends once, whatever it returns */
    ERR_clear_error();
    (void)tls_socket_flush(&session->socket);
}

usec_t tls_session_peer_not_after(const struct tls_session *session)
{
    const X509 *certificate = SSL_get0_peer_certificate(session->ssl);

    return certificate ? tls_moment_to_wall(X509_get0_notAfter(certificate)) : USEC_INFINITY;
}

int tls_session_check_peer(const struct tls_session *session, const struct tls_context *context,
                           struct error *err)
{
    enum tls_side peer = session->context->side == TLS_SERVER ? TLS_CLIENT : TLS_SERVER;
    X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    _cleanup_(X509_STORE_CTX_freep) X509_STORE_CTX *store = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;

    assert(context->side == session->context->side);
    if (!certificate)
        return error_set(err, -EKEYREJECTED, "%s has sent no certificate", peer_name(session));
    if (!store || X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(context->ssl), certificate,
                                      SSL_get_peer_cert_chain(session->ssl)) != 1)
        return error_set(err, -ENOMEM, "out of memory");
    /* As ssl_verify_cert_chain() of OpenSSL sets it up for a handshake. */
    param = X509_STORE_CTX_get0_param(store);
    if (X509_STORE_CTX_set_default(store, peer == TLS_CLIENT ? "ssl_client" : "ssl_server") != 1 ||
        X509_VERIFY_PARAM_set1(param, SSL_CTX_get0_param(context->ssl)) != 1)
        return error_set(err, -ENOMEM, "out of memory");
    X509_VERIFY_PARAM_set_auth_level(param, SSL_CTX_get_security_level(context->ssl));
    return tls_verify_chain(store, peer, NULL, err);
}
