/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes over a socket pair, both ends in one thread: a loop gives each its turn until neither
 * has anything to do. The other end is ours where it behaves, and OpenSSL with its defaults where
 * it doesn't.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "forge.h"
#include "grpc/identity.h"
#include "grpc/tls.h"

struct fixture {
    char *directory;
    struct forged ca;
    struct tls_context *server_context;
    int fds[2]; /* server, client */
    struct tls_session *server, *client;
    struct error server_error, client_error;
};

static struct tls_context *server_context_make(const struct fixture *f, const char *crl,
                                               bool strict)
{
    struct forged forged = forge_server(&f->ca);
    char *ca = forge_write_certificates(f->directory, "ca.crt", &f->ca, NULL);
    char *cert = forge_write_certificates(f->directory, "server.crt", &forged, NULL);
    char *key = forge_write_key(f->directory, "server.key", &forged, NULL);
    struct tls_server_options options = {
        .cert = cert, .key = key, .client_ca = ca, .crl = crl, .strict = strict};
    struct tls_context *context = NULL;
    struct error err = {0};

    if (tls_context_new_server(&options, &context, &err) < 0)
        fail_msg("%s", err.text);
    forged_done(&forged);
    free(ca);
    free(cert);
    free(key);
    return context;
}

static struct tls_context *client_context_make(const struct fixture *f, const struct forged *forged,
                                               const struct forged *trusted)
{
    char *ca = forge_write_certificates(f->directory, "trusted.crt", trusted, NULL);
    char *cert = forge_write_certificates(f->directory, "client.crt", forged, NULL);
    char *key = forge_write_key(f->directory, "client.key", forged, NULL);
    struct tls_client_options options = {.cert = cert, .key = key, .ca = ca};
    struct tls_context *context = NULL;
    struct error err = {0};

    if (tls_context_new_client(&options, &context, &err) < 0)
        fail_msg("%s", err.text);
    free(ca);
    free(cert);
    free(key);
    return context;
}

static int fixture_init(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->directory = forge_make_directory();
    f->ca = forge_authority("the CA", NULL);
    f->server_context = server_context_make(f, NULL, false);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->fds), 0);
    *state = f;
    return 0;
}

static int fixture_done(void **state)
{
    struct fixture *f = *state;

    tls_session_free(f->server);
    tls_session_free(f->client);
    tls_context_unref(f->server_context);
    forged_done(&f->ca);
    close(f->fds[0]);
    close(f->fds[1]);
    forge_remove_directory(f->directory);
    free(f);
    return 0;
}

static void open_server(struct fixture *f)
{
    assert_int_equal(
        tls_session_new_server(f->server_context, f->fds[0], &f->server, &f->server_error), 0);
}

static void open_client(struct fixture *f, const struct forged *forged,
                        const struct forged *trusted, const char *host)
{
    struct tls_context *context = client_context_make(f, forged, trusted);

    assert_int_equal(tls_session_new_client(context, f->fds[1], host, &f->client, &f->client_error),
                     0);
    tls_context_unref(context); /* the session holds it */
}

/* Both sides take turns until neither waits. Returns the server's result; *ret_client the client's.
 */
static int shake_hands(struct fixture *f, int *ret_client)
{
    int server = -EAGAIN, client = -EAGAIN;

    for (int turn = 0; turn < 20; turn++) {
        if (client == -EAGAIN)
            client = tls_session_handshake(f->client, &f->client_error);
        if (server == -EAGAIN)
            server = tls_session_handshake(f->server, &f->server_error);
    }
    *ret_client = client;
    return server;
}

static void establish(struct fixture *f)
{
    struct forged alice = forge_client(&f->ca);
    int client;

    open_server(f);
    open_client(f, &alice, &f->ca, "localhost");
    if (shake_hands(f, &client) != 0 || client != 0)
        fail_msg("server: %s; client: %s", f->server_error.text, f->client_error.text);
    forged_done(&alice);
}

/*
 * The other end with OpenSSL's defaults and whatever certificate: it checks nothing, speaks every
 * version, and offers or selects `alpn` (NULL: no extension).
 */
struct stranger {
    const struct forged *forged, *intermediate;
    const char *alpn;
    int max_version;
    const char *groups;
    SSL_CTX *context;
    SSL *ssl;
    unsigned long error; /* of the queue, when it failed */
};

static int stranger_select(SSL *ssl, const unsigned char **out, unsigned char *size,
                           const unsigned char *offered, unsigned offered_size, void *owner)
{
    const struct stranger *stranger = owner;

    if (!stranger->alpn)
        return SSL_TLSEXT_ERR_NOACK;
    *out = (const unsigned char *)stranger->alpn + 1;
    *size = (unsigned char)stranger->alpn[0];
    return SSL_TLSEXT_ERR_OK;
}

static void stranger_open(struct stranger *stranger, int fd, bool serving)
{
    stranger->context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_security_level(stranger->context, 0);
    if (stranger->forged) {
        SSL_CTX_use_certificate(stranger->context, stranger->forged->certificate);
        SSL_CTX_use_PrivateKey(stranger->context, stranger->forged->key);
    }
    if (stranger->intermediate)
        SSL_CTX_add1_chain_cert(stranger->context, stranger->intermediate->certificate);
    if (stranger->max_version)
        SSL_CTX_set_max_proto_version(stranger->context, stranger->max_version);
    if (stranger->groups)
        assert_int_equal(SSL_CTX_set1_groups_list(stranger->context, stranger->groups), 1);
    SSL_CTX_set_alpn_select_cb(stranger->context, stranger_select, stranger);
    stranger->ssl = SSL_new(stranger->context);
    if (stranger->alpn && !serving)
        SSL_set_alpn_protos(stranger->ssl, (const unsigned char *)stranger->alpn,
                            (unsigned)strlen(stranger->alpn));
    SSL_set_fd(stranger->ssl, fd);
    if (serving)
        SSL_set_accept_state(stranger->ssl);
    else
        SSL_set_connect_state(stranger->ssl);
}

static void stranger_turn(struct stranger *stranger)
{
    char byte;

    ERR_clear_error();
    if (SSL_read(stranger->ssl, &byte, 1) <= 0 && ERR_peek_error() && !stranger->error)
        stranger->error = ERR_peek_error();
    ERR_clear_error();
}

static void stranger_close(struct stranger *stranger)
{
    SSL_free(stranger->ssl);
    SSL_CTX_free(stranger->context);
}

/* Our `session` meets the stranger; returns the end of our handshake. */
static int meet(struct tls_session *session, struct stranger *stranger, struct error *err)
{
    int r = -EAGAIN;

    for (int turn = 0; turn < 20; turn++) {
        stranger_turn(stranger);
        if (r == -EAGAIN)
            r = tls_session_handshake(session, err);
    }
    return r;
}

static void assert_sentence(const struct error *err, const char *part)
{
    if (!strstr(err->text, part))
        fail_msg("\"%s\" doesn't hold \"%s\"", err->text, part);
}

/* Our server meets a stranger and refuses it; the stranger gets `alert` (0: none). */
static void assert_server_refuses(struct fixture *f, struct stranger stranger, int code,
                                  const char *sentence, int alert)
{
    open_server(f);
    stranger_open(&stranger, f->fds[1], false);
    assert_int_equal(meet(f->server, &stranger, &f->server_error), code);
    assert_sentence(&f->server_error, sentence);
    assert_int_equal(ERR_GET_REASON(stranger.error), alert ? SSL_AD_REASON_OFFSET + alert : 0);
    assert_int_equal(tls_session_handshake(f->server, NULL), -EPROTO); /* for good */
    stranger_close(&stranger);
    f->server = tls_session_free(f->server);
}

static void assert_certificate_refused(struct fixture *f, struct forge_request request,
                                       const char *sentence, int alert)
{
    struct forged forged = forge(&request, &f->ca);

    assert_server_refuses(f, (struct stranger){.forged = &forged, .alpn = "\x2h2"}, -EKEYREJECTED,
                          sentence, alert);
    forged_done(&forged);
}

static void test_tls_session_handshake_gives_identity_and_h2(void **state)
{
    struct fixture *f = *state;
    struct identity identity;
    usec_t now = clock_wall();

    establish(f);
    assert_true(tls_session_has_h2(f->server));
    assert_true(tls_session_has_h2(f->client));
    assert_int_equal(identity_from_session(f->server, &identity, NULL), 0);
    assert_string_equal(identity.principal, "alice");
    assert_string_equal(identity.role, "user");
    assert_true(tls_session_peer_not_after(f->server) > now + 3500 * USEC_PER_SEC);
    assert_true(tls_session_peer_not_after(f->server) < now + 3700 * USEC_PER_SEC);
}

static void test_tls_session_handshake_with_every_kind_of_key(void **state)
{
    static const char *const kinds[] = {"P-384", "ED25519", "RSA3072"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct fixture *f = *state;
        struct forged forged = forge(&(struct forge_request){.subject = {NAME("CN", "bob")},
                                                             .eku = "clientAuth",
                                                             .key = kinds[i]},
                                     &f->ca);
        int client;

        open_server(f);
        open_client(f, &forged, &f->ca, "127.0.0.1");
        assert_int_equal(shake_hands(f, &client), 0);
        assert_int_equal(client, 0);
        f->server = tls_session_free(f->server);
        f->client = tls_session_free(f->client);
        forged_done(&forged);
    }
}

static void test_tls_session_moves_bytes_both_ways(void **state)
{
    struct fixture *f = *state;
    char text[16] = {0};

    establish(f);
    assert_int_equal(tls_session_read(f->server, text, sizeof(text), NULL), -EAGAIN);
    assert_int_equal(tls_session_wants(f->server), TLS_WANT_READ);
    assert_int_equal(tls_session_write(f->client, "ping", 4, NULL), 4);
    assert_int_equal(tls_session_wants(f->client) & TLS_WANT_WRITE, TLS_WANT_WRITE);
    assert_int_equal(tls_session_read(f->server, text, sizeof(text), NULL), -EAGAIN); /* gathered */
    assert_int_equal(tls_session_flush(f->client, NULL), 0);
    assert_int_equal(tls_session_unsent(f->client), 0);
    assert_int_equal(tls_session_read(f->server, text, 1, NULL), 1);
    assert_false(tls_session_is_drained(f->server)); /* the rest lies inside */
    assert_int_equal(tls_session_read(f->server, text + 1, sizeof(text) - 1, NULL), 3);
    assert_true(tls_session_is_drained(f->server));
    assert_string_equal(text, "ping");
    tls_session_close(f->server);
    assert_int_equal(tls_session_read(f->client, text, sizeof(text), NULL), 0);
}

static void test_tls_session_write_gathers_and_is_never_lossy(void **state)
{
    struct fixture *f = *state;
    const size_t total = 3 * 1024 * 1024;
    uint8_t *sent = malloc(total), *got = malloc(total);
    size_t written = 0, read = 0;
    ssize_t r;

    assert_true(sent && got);
    for (size_t i = 0; i < total; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 24);
    establish(f);
    while (read < total) {
        while (written < total) {
            r = tls_session_write(f->server, sent + written, total - written, NULL);
            if (r == -EAGAIN)
                break;
            assert_true(r > 0 && r <= TLS_GATHER_MAX);
            written += (size_t)r;
        }
        r = tls_session_flush(f->server, NULL);
        assert_true(r == 0 || r == -EAGAIN);
        while ((r = tls_session_read(f->client, got + read, total - read, NULL)) > 0)
            read += (size_t)r;
        assert_true(r == -EAGAIN || read == total);
    }
    assert_memory_equal(sent, got, total);
    free(sent);
    free(got);
}

static void test_tls_session_write_waits_when_nobody_reads(void **state)
{
    struct fixture *f = *state;
    static const uint8_t block[64 * 1024];
    ssize_t r;

    establish(f);
    for (int i = 0; (r = tls_session_write(f->server, block, sizeof(block), NULL)) > 0; i++)
        assert_true(i < 1000);
    assert_int_equal(r, -EAGAIN);
    assert_int_equal(tls_session_wants(f->server) & TLS_WANT_WRITE, TLS_WANT_WRITE);
    assert_true(tls_session_unsent(f->server) < TLS_GATHER_MAX + 64 * 1024);
}

static void test_tls_session_read_tells_a_cut_from_an_end(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    char byte;

    establish(f);
    assert_int_equal(shutdown(f->fds[1], SHUT_WR), 0);
    assert_int_equal(tls_session_read(f->server, &byte, 1, &err), -ECONNRESET);
    assert_string_equal(err.text,
                        "TLS with the client failed: it closed the connection without a word");
}

static void test_tls_session_read_bounds_empty_talk(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);
    struct stranger stranger = {.forged = &alice, .alpn = "\x2h2"};
    struct error err = {0};
    char byte;
    int r = -EAGAIN;

    open_server(f);
    stranger_open(&stranger, f->fds[1], false);
    assert_int_equal(meet(f->server, &stranger, &err), 0);
    for (int i = 0; i < 100000 && r == -EAGAIN; i++) {
        if (SSL_key_update(stranger.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
            (void)SSL_do_handshake(stranger.ssl);
        r = (int)tls_session_read(f->server, &byte, 1, &err);
    }
    assert_int_equal(r, -EPROTO);
    assert_string_equal(err.text, "the client sends TLS records without contents");
    stranger_close(&stranger);
    forged_done(&alice);
}

static void test_tls_session_refuses_older_tls(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);

    assert_server_refuses(
        f, (struct stranger){.forged = &alice, .alpn = "\x2h2", .max_version = TLS1_2_VERSION},
        -EPROTO, "TLS with the client failed: it offers no TLS 1.3", SSL_AD_PROTOCOL_VERSION);
    forged_done(&alice);
}

static void test_tls_session_refuses_large_groups(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);

    assert_server_refuses(
        f, (struct stranger){.forged = &alice, .alpn = "\x2h2", .groups = "ffdhe8192:P-521"},
        -EPROTO, "no key exchange in common", SSL_AD_HANDSHAKE_FAILURE);
    forged_done(&alice);
}

static void test_tls_session_refuses_a_client_without_h2(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);

    assert_server_refuses(f, (struct stranger){.forged = &alice}, -EPROTONOSUPPORT,
                          "the client doesn't speak HTTP/2 (ALPN h2)", 0);
    close(f->fds[0]);
    close(f->fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->fds), 0);
    assert_server_refuses(f, (struct stranger){.forged = &alice, .alpn = "\x8http/1.1"},
                          -EPROTONOSUPPORT,
                          "TLS with the client failed: it doesn't speak HTTP/2 (ALPN h2)",
                          SSL_AD_NO_APPLICATION_PROTOCOL);
    forged_done(&alice);
}

static void test_tls_session_refuses_plaintext(void **state)
{
    static const char *const greetings[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM",
                                            "SSH-2.0-OpenSSH_9.2\r\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
        ssize_t size = (ssize_t)strlen(greetings[i]);

        open_server(f);
        assert_int_equal(send(f->fds[1], greetings[i], (size_t)size, 0), size);
        assert_int_equal(tls_session_handshake(f->server, &f->server_error), -EPROTO);
        assert_sentence(&f->server_error, i == 0 ? "HTTP without TLS" : "it doesn't speak TLS");
        f->server = tls_session_free(f->server);
        close(f->fds[0]);
        close(f->fds[1]);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->fds),
                         0);
    }
}

static void test_tls_session_wants_a_client_certificate(void **state)
{
    assert_server_refuses(*state, (struct stranger){.alpn = "\x2h2"}, -EPROTO,
                          "TLS with the client failed: it sent no certificate",
                          SSL_AD_CERTIFICATE_REQUIRED);
}

static void test_tls_session_refuses_an_expired_client(void **state)
{
    assert_certificate_refused(*state,
                               (struct forge_request){.subject = {NAME("CN", "alice")},
                                                      .eku = "clientAuth",
                                                      .not_before = -7200,
                                                      .not_after = -3600},
                               "the certificate \"CN=alice\" expired on ",
                               SSL_AD_CERTIFICATE_EXPIRED);
}

static void test_tls_session_refuses_a_client_from_the_future(void **state)
{
    assert_certificate_refused(*state,
                               (struct forge_request){.subject = {NAME("CN", "alice")},
                                                      .eku = "clientAuth",
                                                      .not_before = 3600,
                                                      .not_after = 7200},
                               "the certificate \"CN=alice\" is not valid before ",
                               SSL_AD_BAD_CERTIFICATE);
}

static void test_tls_session_refuses_a_client_without_client_auth(void **state)
{
    assert_certificate_refused(
        *state, (struct forge_request){.subject = {NAME("CN", "alice")}},
        "the certificate \"CN=alice\" lacks the extended key usage clientAuth",
        SSL_AD_UNSUPPORTED_CERTIFICATE);
}

static void test_tls_session_refuses_a_server_as_a_client(void **state)
{
    assert_certificate_refused(
        *state, (struct forge_request){.subject = {NAME("CN", "srv")}, .eku = "serverAuth"},
        "the certificate \"CN=srv\" lacks the extended key usage clientAuth",
        SSL_AD_UNSUPPORTED_CERTIFICATE);
}

static void test_tls_session_refuses_any_usage_as_a_client(void **state)
{
    assert_certificate_refused(
        *state,
        (struct forge_request){.subject = {NAME("CN", "any")}, .eku = "anyExtendedKeyUsage"},
        "lacks the extended key usage clientAuth", SSL_AD_UNSUPPORTED_CERTIFICATE);
}

static void test_tls_session_refuses_a_ca_as_a_client(void **state)
{
    assert_certificate_refused(
        *state,
        (struct forge_request){.subject = {NAME("CN", "sub")}, .eku = "clientAuth", .ca = true},
        "the certificate \"CN=sub\" is a CA's own, which is no peer's",
        SSL_AD_UNSUPPORTED_CERTIFICATE);
}

static void test_tls_session_refuses_a_weak_key(void **state)
{
    assert_certificate_refused(
        *state,
        (struct forge_request){
            .subject = {NAME("CN", "weak")}, .eku = "clientAuth", .key = "RSA2048"},
        "the certificate \"CN=weak\" has a key that is none of", SSL_AD_UNSUPPORTED_CERTIFICATE);
}

static void test_tls_session_refuses_a_client_of_another_ca(void **state)
{
    struct fixture *f = *state;
    struct forged other = forge_authority("another CA", NULL);
    struct forged alice = forge_client(&other);

    assert_server_refuses(f, (struct stranger){.forged = &alice, .alpn = "\x2h2"}, -EKEYREJECTED,
                          "the certificate \"O=user,CN=alice\" is of the unknown CA "
                          "\"CN=another CA\"",
                          SSL_AD_UNKNOWN_CA);
    forged_done(&alice);
    forged_done(&other);
}

static void test_tls_session_refuses_a_client_of_a_false_ca(void **state)
{
    struct fixture *f = *state;
    struct forged fake = forge_server(&f->ca); /* a leaf that signs */
    struct forged mallory = forge_client(&fake);

    assert_server_refuses(
        f, (struct stranger){.forged = &mallory, .intermediate = &fake, .alpn = "\x2h2"},
        -EKEYREJECTED, "is no CA", SSL_AD_UNKNOWN_CA);
    forged_done(&mallory);
    forged_done(&fake);
}

static void test_tls_session_takes_a_chain(void **state)
{
    struct fixture *f = *state;
    struct forged intermediate = forge_authority("an intermediate", &f->ca);
    struct forged alice = forge_client(&intermediate);
    struct stranger stranger = {.forged = &alice, .intermediate = &intermediate, .alpn = "\x2h2"};
    struct error err = {0};

    open_server(f);
    stranger_open(&stranger, f->fds[1], false);
    if (meet(f->server, &stranger, &err) != 0)
        fail_msg("%s", err.text);
    stranger_close(&stranger);
    forged_done(&alice);
    forged_done(&intermediate);
}

static void test_tls_session_refuses_a_revoked_client(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);
    char *crl =
        forge_write_revocations(f->directory, "crl", forge_revocation(&f->ca, &alice, 3600), NULL);

    tls_context_unref(f->server_context);
    f->server_context = server_context_make(f, crl, false);
    assert_server_refuses(f, (struct stranger){.forged = &alice, .alpn = "\x2h2"}, -EKEYREJECTED,
                          "the certificate \"O=user,CN=alice\" was revoked by \"CN=the CA\"",
                          SSL_AD_CERTIFICATE_REVOKED);
    forged_done(&alice);
    free(crl);
}

static void test_tls_session_check_peer_finds_the_revoked(void **state)
{
    struct fixture *f = *state;
    struct tls_context *newer;
    struct error err = {0};
    struct forged alice = forge_client(&f->ca);
    char *crl =
        forge_write_revocations(f->directory, "crl", forge_revocation(&f->ca, &alice, 3600), NULL);
    int client;

    open_server(f);
    open_client(f, &alice, &f->ca, "localhost");
    assert_int_equal(shake_hands(f, &client), 0);
    assert_int_equal(tls_session_check_peer(f->server, f->server_context, &err), 0);
    newer = server_context_make(f, crl, false);
    assert_int_equal(tls_session_check_peer(f->server, newer, &err), -EKEYREJECTED);
    assert_sentence(&err, "was revoked by \"CN=the CA\"");
    tls_context_unref(newer);
    forged_done(&alice);
    free(crl);
}

/* A client of ours learns from the server's alert, after its own handshake, that it is not welcome.
 */
static void test_tls_session_read_tells_why_the_server_refused(void **state)
{
    struct fixture *f = *state;
    struct forged other = forge_authority("another CA", NULL);
    struct forged alice = forge_client(&other);
    char byte;
    int client;

    open_server(f);
    open_client(f, &alice, &f->ca, "localhost");
    assert_int_equal(shake_hands(f, &client), -EKEYREJECTED);
    assert_int_equal(client, 0);
    assert_int_equal(tls_session_read(f->client, &byte, 1, &f->client_error), -EKEYREJECTED);
    assert_string_equal(f->client_error.text, "the server ended TLS: it refused our certificate: "
                                              "of a CA that it doesn't know");
    forged_done(&alice);
    forged_done(&other);
}

/* Our client meets a server with `forged` under the name `host` and refuses it. */
static void assert_client_refuses(struct fixture *f, struct stranger stranger, const char *host,
                                  int code, const char *sentence)
{
    struct forged alice = forge_client(&f->ca);

    open_client(f, &alice, &f->ca, host);
    stranger_open(&stranger, f->fds[0], true);
    assert_int_equal(meet(f->client, &stranger, &f->client_error), code);
    assert_sentence(&f->client_error, sentence);
    stranger_close(&stranger);
    f->client = tls_session_free(f->client);
    forged_done(&alice);
}

static void assert_server_certificate_refused(struct fixture *f, struct forge_request request,
                                              const char *host, const char *sentence)
{
    struct forged forged = forge(&request, &f->ca);

    assert_client_refuses(f, (struct stranger){.forged = &forged, .alpn = "\x2h2"}, host,
                          -EKEYREJECTED, sentence);
    forged_done(&forged);
}

static void test_tls_session_refuses_a_server_of_another_name(void **state)
{
    static const char *const hosts[] = {"example.org", "127.0.0.2", "::1", "localhost.evil"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct fixture *f = *state;
        struct forged server = forge_server(&f->ca);

        assert_client_refuses(f, (struct stranger){.forged = &server, .alpn = "\x2h2"}, hosts[i],
                              -EKEYREJECTED, "is not for \"");
        forged_done(&server);
        close(f->fds[0]);
        close(f->fds[1]);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->fds),
                         0);
    }
}

static void test_tls_session_never_takes_the_cn_for_a_name(void **state)
{
    assert_server_certificate_refused(
        *state, (struct forge_request){.subject = {NAME("CN", "localhost")}, .eku = "serverAuth"},
        "localhost", "is not for \"localhost\" (no such name in its subject alternative names)");
}

static void test_tls_session_knows_no_partial_wildcards(void **state)
{
    assert_server_certificate_refused(*state,
                                      (struct forge_request){.subject = {NAME("CN", "x")},
                                                             .eku = "serverAuth",
                                                             .san = "DNS:lo*.example.org"},
                                      "local.example.org", "is not for \"local.example.org\"");
}

static void test_tls_session_refuses_a_server_without_server_auth(void **state)
{
    assert_server_certificate_refused(
        *state, (struct forge_request){.subject = {NAME("CN", "x")}, .san = "DNS:localhost"},
        "localhost", "lacks the extended key usage serverAuth");
}

static void test_tls_session_refuses_a_server_without_h2(void **state)
{
    struct fixture *f = *state;
    struct forged server = forge_server(&f->ca);

    assert_client_refuses(f, (struct stranger){.forged = &server}, "localhost", -EPROTONOSUPPORT,
                          "the server doesn't speak HTTP/2 (ALPN h2)");
    forged_done(&server);
}

static void test_tls_session_new_client_needs_a_name(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);
    struct tls_context *context = client_context_make(f, &alice, &f->ca);
    struct error err = {0};

    assert_int_equal(tls_session_new_client(context, f->fds[1], "", &f->client, &err), -EINVAL);
    assert_string_equal(err.text, "the server's name is empty");
    assert_null(f->client);
    tls_context_unref(context);
    forged_done(&alice);
}

static void test_tls_session_strict_has_one_suite(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);
    struct stranger stranger = {.forged = &alice, .alpn = "\x2h2"};

    tls_context_unref(f->server_context);
    f->server_context = server_context_make(f, NULL, true);
    open_server(f);
    stranger_open(&stranger, f->fds[1], false);
    assert_int_equal(SSL_set_ciphersuites(stranger.ssl, "TLS_AES_128_GCM_SHA256"), 1);
    assert_int_equal(meet(f->server, &stranger, &f->server_error), -EPROTO);
    assert_sentence(&f->server_error, "no suite in common");
    stranger_close(&stranger);
    forged_done(&alice);
}

static void test_tls_session_gives_no_tickets(void **state)
{
    struct fixture *f = *state;
    struct forged alice = forge_client(&f->ca);
    struct stranger stranger = {.forged = &alice, .alpn = "\x2h2"};

    open_server(f);
    stranger_open(&stranger, f->fds[1], false);
    assert_int_equal(meet(f->server, &stranger, &f->server_error), 0);
    assert_int_equal(SSL_version(stranger.ssl), TLS1_3_VERSION);
    assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(stranger.ssl)), 0);
    assert_string_equal(SSL_get_cipher_name(stranger.ssl), "TLS_AES_256_GCM_SHA384");
    stranger_close(&stranger);
    forged_done(&alice);
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, fixture_init, fixture_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(test_tls_session_handshake_gives_identity_and_h2),
        fixture_test(test_tls_session_handshake_with_every_kind_of_key),
        fixture_test(test_tls_session_moves_bytes_both_ways),
        fixture_test(test_tls_session_write_gathers_and_is_never_lossy),
        fixture_test(test_tls_session_write_waits_when_nobody_reads),
        fixture_test(test_tls_session_read_tells_a_cut_from_an_end),
        fixture_test(test_tls_session_read_bounds_empty_talk),
        fixture_test(test_tls_session_refuses_older_tls),
        fixture_test(test_tls_session_refuses_large_groups),
        fixture_test(test_tls_session_refuses_a_client_without_h2),
        fixture_test(test_tls_session_refuses_plaintext),
        fixture_test(test_tls_session_wants_a_client_certificate),
        fixture_test(test_tls_session_refuses_an_expired_client),
        fixture_test(test_tls_session_refuses_a_client_from_the_future),
        fixture_test(test_tls_session_refuses_a_client_without_client_auth),
        fixture_test(test_tls_session_refuses_a_server_as_a_client),
        fixture_test(test_tls_session_refuses_any_usage_as_a_client),
        fixture_test(test_tls_session_refuses_a_ca_as_a_client),
        fixture_test(test_tls_session_refuses_a_weak_key),
        fixture_test(test_tls_session_refuses_a_client_of_another_ca),
        fixture_test(test_tls_session_refuses_a_client_of_a_false_ca),
        fixture_test(test_tls_session_takes_a_chain),
        fixture_test(test_tls_session_refuses_a_revoked_client),
        fixture_test(test_tls_session_check_peer_finds_the_revoked),
        fixture_test(test_tls_session_read_tells_why_the_server_refused),
        fixture_test(test_tls_session_refuses_a_server_of_another_name),
        fixture_test(test_tls_session_never_takes_the_cn_for_a_name),
        fixture_test(test_tls_session_knows_no_partial_wildcards),
        fixture_test(test_tls_session_refuses_a_server_without_server_auth),
        fixture_test(test_tls_session_refuses_a_server_without_h2),
        fixture_test(test_tls_session_new_client_needs_a_name),
        fixture_test(test_tls_session_strict_has_one_suite),
        fixture_test(test_tls_session_gives_no_tickets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
