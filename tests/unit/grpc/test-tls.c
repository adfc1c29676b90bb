/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/error.h"
#include "forge.h"
#include "grpc/tls.h"

/* A directory with everything that a server and a client need; tests replace what they are about.
 */
struct fixture {
    char *directory;
    struct forged ca, server, client;
    char *ca_file, *server_cert, *server_key, *client_cert, *client_key;
};

static int fixture_init(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->directory = forge_make_directory();
    f->ca = forge_authority("the CA", NULL);
    f->server = forge_server(&f->ca);
    f->client = forge_client(&f->ca);
    f->ca_file = forge_write_certificates(f->directory, "ca.crt", &f->ca, NULL);
    f->server_cert = forge_write_certificates(f->directory, "server.crt", &f->server, NULL);
    f->server_key = forge_write_key(f->directory, "server.key", &f->server, NULL);
    f->client_cert = forge_write_certificates(f->directory, "client.crt", &f->client, NULL);
    f->client_key = forge_write_key(f->directory, "client.key", &f->client, NULL);
    *state = f;
    return 0;
}

static int fixture_done(void **state)
{
    struct fixture *f = *state;

    forge_remove_directory(f->directory);
    forged_done(&f->ca);
    forged_done(&f->server);
    forged_done(&f->client);
    free(f->ca_file);
    free(f->server_cert);
    free(f->server_key);
    free(f->client_cert);
    free(f->client_key);
    free(f);
    return 0;
}

static struct tls_server_options server_options(const struct fixture *f)
{
    return (struct tls_server_options){
        .cert = f->server_cert, .key = f->server_key, .client_ca = f->ca_file};
}

static void assert_server(struct tls_server_options options, int code, const char *part)
{
    struct tls_context *context = NULL;
    struct error err = {0};

    assert_int_equal(tls_context_new_server(&options, &context, &err), code);
    if (code < 0 && !strstr(err.text, part))
        fail_msg("\"%s\" doesn't hold \"%s\"", err.text, part);
    tls_context_unref(context);
}

static void test_tls_context_new_server_reads_its_files(void **state)
{
    struct fixture *f = *state;
    struct tls_server_options options = server_options(f);

    assert_server(options, 0, NULL);
    options.strict = true;
    assert_server(options, 0, NULL);
}

static void test_tls_context_is_counted(void **state)
{
    struct fixture *f = *state;
    struct tls_server_options options = server_options(f);
    struct tls_context *context = NULL, *other;

    assert_int_equal(tls_context_new_server(&options, &context, NULL), 0);
    other = tls_context_ref(context);
    assert_ptr_equal(other, context);
    assert_null(tls_context_unref(context));
    assert_null(tls_context_unref(other));
    assert_null(tls_context_unref(NULL));
}

static void test_tls_context_names_the_missing_file(void **state)
{
    struct tls_server_options options = server_options(*state);

    options.cert = "/nonexistent/server.crt";
    assert_server(options, -ENOENT,
                  "the certificate \"/nonexistent/server.crt\" can't be read: No such file");
    options = server_options(*state);
    options.key = NULL;
    assert_server(options, -EINVAL, "no key is given");
    options = server_options(*state);
    options.client_ca = "/nonexistent/ca.crt";
    assert_server(options, -ENOENT, "the CA bundle \"/nonexistent/ca.crt\"");
}

static void test_tls_context_refuses_a_key_that_others_can_read(void **state)
{
    struct fixture *f = *state;
    static const mode_t modes[] = {0644, 0604, 0660, 0620, 0601};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(f->server_key, modes[i]), 0);
        assert_server(server_options(f), -EACCES, "others may read or change the key");
    }
    assert_int_equal(chmod(f->server_key, 0640), 0); /* our own group */
    assert_server(server_options(f), 0, NULL);
}

static void test_tls_context_refuses_another_pair(void **state)
{
    struct fixture *f = *state;
    struct tls_server_options options = server_options(f);

    options.key = f->client_key;
    assert_server(options, -EINVAL, "doesn't belong to the certificate");
}

static void test_tls_context_opens_an_encrypted_key(void **state)
{
    struct fixture *f = *state;
    struct tls_server_options options = server_options(f);
    char *key = forge_write_key(f->directory, "encrypted.key", &f->server, "open sesame");
    char *right = forge_write_text(f->directory, "right", "open sesame\n");
    char *wrong = forge_write_text(f->directory, "wrong", "open barley\n");

    options.key = key;
    assert_server(options, -EKEYREJECTED, "is encrypted and no passphrase file is given");
    options.key_passphrase_file = wrong;
    assert_server(options, -EKEYREJECTED, "is encrypted and the passphrase is wrong");
    options.key_passphrase_file = right;
    assert_server(options, 0, NULL);
    assert_int_equal(chmod(right, 0644), 0);
    assert_server(options, -EACCES, "others may read or change the passphrase file");
    free(key);
    free(right);
    free(wrong);
}

static void assert_certificate_refused(struct fixture *f, struct forge_request request, int code,
                                       const char *part)
{
    struct tls_server_options options = server_options(f);
    struct forged forged = forge(&request, &f->ca);
    char *cert = forge_write_certificates(f->directory, "other.crt", &forged, NULL);
    char *key = forge_write_key(f->directory, "other.key", &forged, NULL);

    options.cert = cert;
    options.key = key;
    assert_server(options, code, part);
    forged_done(&forged);
    free(cert);
    free(key);
}

static void test_tls_context_refuses_an_unfit_certificate(void **state)
{
    struct forge_request request = {.subject = {NAME("CN", "srv")}, .eku = "serverAuth"};

    request.not_before = -7200;
    request.not_after = -3600;
    assert_certificate_refused(*state, request, -EKEYREJECTED, "has expired");
    request.not_before = 3600;
    request.not_after = 7200;
    assert_certificate_refused(*state, request, -EKEYREJECTED, "is not valid yet");
    request = (struct forge_request){.subject = {NAME("CN", "srv")}, .eku = "clientAuth"};
    assert_certificate_refused(*state, request, -EKEYREJECTED,
                               "lacks the extended key usage serverAuth");
    request.eku = NULL;
    assert_certificate_refused(*state, request, -EKEYREJECTED,
                               "lacks the extended key usage serverAuth");
}

static void test_tls_context_knows_the_kinds_of_keys(void **state)
{
    static const char *const good[] = {"P-256", "P-384", "ED25519", "RSA3072"};
    static const char *const bad[] = {"P-521", "RSA2048", "ED448"};
    struct forge_request request = {.subject = {NAME("CN", "srv")}, .eku = "serverAuth"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        request.key = good[i];
        assert_certificate_refused(*state, request, 0, NULL);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.key = bad[i];
        assert_certificate_refused(*state, request, -EKEYREJECTED, "has a key that is none of");
    }
}

static void test_tls_context_refuses_a_bundle_of_other_things(void **state)
{
    struct fixture *f = *state;
    struct tls_server_options options = server_options(f);
    char *mixed = forge_write_certificates(f->directory, "mixed", &f->ca, &f->server, NULL);
    char *empty = forge_write_text(f->directory, "empty", "");
    char *torn = forge_write_text(f->directory, "torn",
                                  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

    options.client_ca = mixed;
    assert_server(options, -EINVAL, "\"CN=the server\" is no CA");
    options.client_ca = empty;
    assert_server(options, -EINVAL, "holds no certificate in PEM form");
    options.client_ca = torn;
    assert_server(options, -EINVAL, "is not in order: entry 1");
    free(mixed);
    free(empty);
    free(torn);
}

static void assert_crl(struct fixture *f, char *crl, int code, const char *part)
{
    struct tls_server_options options = server_options(f);

    options.crl = crl;
    assert_server(options, code, part);
    free(crl);
}

static void test_tls_context_fails_closed_on_revocation_lists(void **state)
{
    struct fixture *f = *state;
    struct forged other = forge_authority("another CA", NULL);
    char *both = forge_write_certificates(f->directory, "both.crt", &f->ca, &other, NULL);

    assert_crl(
        f,
        forge_write_revocations(f->directory, "good", forge_revocation(&f->ca, NULL, 3600), NULL),
        0, NULL);
    assert_crl(
        f, forge_write_revocations(f->directory, "old", forge_revocation(&f->ca, NULL, -60), NULL),
        -EKEYEXPIRED, "the list of \"CN=the CA\" is out of date");
    assert_crl(f,
               forge_write_revocations(f->directory, "foreign",
                                       forge_revocation(&other, NULL, 3600), NULL),
               -EINVAL, "the list of \"CN=another CA\" is signed by no CA of the bundle");
    assert_crl(f, strdup("/nonexistent/crl"), -ENOENT, "the revocation file \"/nonexistent/crl\"");
    assert_crl(f, forge_write_text(f->directory, "torn", "-----BEGIN X509 CRL-----\n"), -EINVAL,
               "is not in order");
    free(f->ca_file);
    f->ca_file = both;
    assert_crl(f,
               forge_write_revocations(f->directory, "lacking",
                                       forge_revocation(&f->ca, NULL, 3600), NULL),
               -EINVAL, "has no list of \"CN=another CA\"");
    forged_done(&other);
}

static void test_tls_context_new_client_reads_its_files(void **state)
{
    struct fixture *f = *state;
    struct tls_client_options options = {
        .cert = f->client_cert, .key = f->client_key, .ca = f->ca_file};
    struct tls_context *context = NULL;
    struct error err = {0};

    assert_int_equal(tls_context_new_client(&options, &context, &err), 0);
    tls_context_unref(context);
    options.cert = f->server_cert;
    options.key = f->server_key;
    assert_int_equal(tls_context_new_client(&options, &context, &err), -EKEYREJECTED);
    assert_non_null(strstr(err.text, "lacks the extended key usage clientAuth"));
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, fixture_init, fixture_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(test_tls_context_new_server_reads_its_files),
        fixture_test(test_tls_context_is_counted),
        fixture_test(test_tls_context_names_the_missing_file),
        fixture_test(test_tls_context_refuses_a_key_that_others_can_read),
        fixture_test(test_tls_context_refuses_another_pair),
        fixture_test(test_tls_context_opens_an_encrypted_key),
        fixture_test(test_tls_context_refuses_an_unfit_certificate),
        fixture_test(test_tls_context_knows_the_kinds_of_keys),
        fixture_test(test_tls_context_refuses_a_bundle_of_other_things),
        fixture_test(test_tls_context_fails_closed_on_revocation_lists),
        fixture_test(test_tls_context_new_client_reads_its_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
