/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static EVP_PKEY *key_make(const char *kind)
{
    EVP_PKEY *key;

    if (!kind)
        kind = "P-256";
    if (strncmp(kind, "RSA", 3) == 0)
        key = EVP_RSA_gen((unsigned)atoi(kind + 3));
    else if (strncmp(kind, "P-", 2) == 0)
        key = EVP_EC_gen(kind);
    else
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    assert_non_null(key);
    return key;
}

static void extension_add(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void subject_set(X509 *certificate, const struct forge_name *names)
{
    X509_NAME *subject = X509_NAME_new();

    for (; names->field; names++) {
        int type = names->type ? names->type : MBSTRING_UTF8;
        int size = names->size ? names->size : (int)strlen(names->value);
        X509_NAME_ENTRY *entry = NULL;

        /* Built by hand where the table of lengths (64 characters) would refuse it. */
        if (type == V_ASN1_UTF8STRING) {
            entry = X509_NAME_ENTRY_new();
            assert_int_equal(
                X509_NAME_ENTRY_set_object(entry, OBJ_nid2obj(OBJ_txt2nid(names->field))), 1);
            assert_int_equal(
                X509_NAME_ENTRY_set_data(entry, type, (const unsigned char *)names->value, size),
                1);
            assert_int_equal(X509_NAME_add_entry(subject, entry, -1, 0), 1);
            X509_NAME_ENTRY_free(entry);
            continue;
        }
        assert_int_equal(X509_NAME_add_entry_by_txt(subject, names->field, type,
                                                    (const unsigned char *)names->value, size, -1,
                                                    0),
                         1);
    }
    assert_int_equal(X509_set_subject_name(certificate, subject), 1);
    X509_NAME_free(subject);
}

static const EVP_MD *digest_for(EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

struct forged forge(const struct forge_request *request, const struct forged *issuer)
{
    static long serial = 1;
    struct forged forged = {.certificate = X509_new(), .key = key_make(request->key)};

    if (!issuer)
        issuer = &forged;
    assert_int_equal(X509_set_version(forged.certificate, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(forged.certificate), serial++);
    subject_set(forged.certificate, request->subject);
    X509_set_issuer_name(forged.certificate, X509_get_subject_name(issuer->certificate));
    X509_gmtime_adj(X509_getm_notBefore(forged.certificate),
                    request->not_before ? request->not_before : -3600);
    X509_gmtime_adj(X509_getm_notAfter(forged.certificate),
                    request->not_after ? request->not_after : 3600);
    X509_set_pubkey(forged.certificate, forged.key);
    extension_add(forged.certificate, NID_basic_constraints,
                  request->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (request->ca)
        extension_add(forged.certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (request->eku)
        extension_add(forged.certificate, NID_ext_key_usage, request->eku);
    if (request->san)
        extension_add(forged.certificate, NID_subject_alt_name, request->san);
    assert_int_not_equal(X509_sign(forged.certificate, issuer->key, digest_for(issuer->key)), 0);
    return forged;
}

void forged_done(struct forged *forged)
{
    X509_free(forged->certificate);
    EVP_PKEY_free(forged->key);
    *forged = (struct forged){0};
}

struct forged forge_authority(const char *name, const struct forged *issuer)
{
    return forge(&(struct forge_request){.subject = {NAME("CN", name)}, .ca = true}, issuer);
}

struct forged forge_client(const struct forged *issuer)
{
    return forge(&(struct forge_request){.subject = {NAME("CN", "alice"), NAME("O", "user")},
                                         .eku = "clientAuth"},
                 issuer);
}

struct forged forge_server(const struct forged *issuer)
{
    return forge(&(struct forge_request){.subject = {NAME("CN", "the server")},
                                         .eku = "serverAuth",
                                         .san = "DNS:localhost,IP:127.0.0.1"},
                 issuer);
}

X509_CRL *forge_revocation(const struct forged *issuer, const struct forged *revoked, long lifetime)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *last = X509_gmtime_adj(NULL, -7200), *next = X509_gmtime_adj(NULL, lifetime);

    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate));
    X509_CRL_set1_lastUpdate(list, last);
    X509_CRL_set1_nextUpdate(list, next);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();

        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate));
        X509_REVOKED_set_revocationDate(entry, last);
        assert_int_equal(X509_CRL_add0_revoked(list, entry), 1);
    }
    assert_int_not_equal(X509_CRL_sign(list, issuer->key, EVP_sha256()), 0);
    ASN1_TIME_free(last);
    ASN1_TIME_free(next);
    return list;
}

char *forge_make_directory(void)
{
    const char *root = getenv("TMPDIR");
    char *path = NULL;

    assert_true(asprintf(&path, "%s/hoist-test-tls-XXXXXX", root ? root : "/tmp") > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

void forge_remove_directory(char *directory)
{
    DIR *listing = opendir(directory);
    struct dirent *entry;

    assert_non_null(listing);
    while ((entry = readdir(listing)))
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(listing), entry->d_name, 0), 0);
    closedir(listing);
    assert_int_equal(rmdir(directory), 0);
    free(directory);
}

static FILE *file_make(const char *directory, const char *name, char **ret_path)
{
    FILE *file;

    assert_true(asprintf(ret_path, "%s/%s", directory, name) > 0);
    file = fopen(*ret_path, "we");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    return file;
}

char *forge_write_certificates(const char *directory, const char *name, ...)
{
    char *path;
    FILE *file = file_make(directory, name, &path);
    const struct forged *forged;
    va_list list;

    va_start(list, name);
    while ((forged = va_arg(list, const struct forged *)))
        assert_int_equal(PEM_write_X509(file, forged->certificate), 1);
    va_end(list);
    assert_int_equal(fclose(file), 0);
    return path;
}

char *forge_write_key(const char *directory, const char *name, const struct forged *forged,
                      const char *passphrase)
{
    char *path;
    FILE *file = file_make(directory, name, &path);

    assert_int_equal(
        PEM_write_PKCS8PrivateKey(file, forged->key, passphrase ? EVP_aes_256_cbc() : NULL,
                                  passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
        1);
    assert_int_equal(fclose(file), 0);
    return path;
}

char *forge_write_revocations(const char *directory, const char *name, ...)
{
    char *path;
    FILE *file = file_make(directory, name, &path);
    X509_CRL *crl;
    va_list list;

    va_start(list, name);
    while ((crl = va_arg(list, X509_CRL *))) {
        assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
        X509_CRL_free(crl);
    }
    va_end(list);
    assert_int_equal(fclose(file), 0);
    return path;
}

char *forge_write_text(const char *directory, const char *name, const char *text)
{
    char *path;
    FILE *file = file_make(directory, name, &path);

    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}
