/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/tls-material.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "grpc/tls-verify.h"

#define OVERFLOW_UID 65534 /* kernel.overflowuid's default: user_namespaces(7) */

#define SECRET_SIZE_MAX (64 * 1024)

const char *tls_library_error(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason ? reason : "malformed";
}

static int public_file_open(const char *what, const char *path, char **ret_text, BIO **ret,
                            struct error *err)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    if (!path)
        return error_set(err, -EINVAL, "no %s is given", what);
    r = file_read(AT_FDCWD, path, TLS_FILE_MAX, &text, &size);
    if (r < 0)
        return error_set(err, r, "the %s \"%s\" can't be read: %s", what, path, strerror(-r));
    *ret = BIO_new_mem_buf(text, (int)size);
    if (!*ret)
        return error_set(err, -ENOMEM, "out of memory");
    *ret_text = TAKE_PTR(text);
    return 0;
}

/* After the last `thing` of a PEM file: 0 when there was just no more of it, or an error. */
static int pem_end(const char *what, const char *path, const char *thing, unsigned count,
                   struct error *err)
{
    unsigned long code = ERR_peek_last_error();

    if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return count > 0 ? 0
                         : error_set(err, -EINVAL, "the %s \"%s\" holds no %s in PEM form", what,
                                     path, thing);
    }
    return error_set(err, -EINVAL, "the %s \"%s\" is not in order: entry %u: %s", what, path,
                     count + 1, tls_library_error());
}

static int certificate_check_dates(X509 *certificate, const char *path, struct error *err)
{
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        return error_set(err, -EKEYREJECTED, "the certificate \"%s\" has expired", path);
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        return error_set(err, -EKEYREJECTED,
                         "the certificate \"%s\" is not valid yet (is the clock wrong?)", path);
    return 0;
}

int tls_material_use_certificate(SSL_CTX *ssl, const char *path, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_(BIO_free_allp) BIO *in = NULL;
    _cleanup_(X509_freep) X509 *leaf = NULL;
    X509 *intermediate;
    unsigned count = 1;
    int r;

    r = public_file_open("certificate", path, &text, &in, err);
    if (r < 0)
        return r;
    leaf = PEM_read_bio_X509(in, NULL, NULL, NULL);
    if (!leaf)
        return pem_end("certificate", path, "certificate", 0, err);
    r = tls_verify_key(leaf, err);
    if (r < 0)
        return error_prefix(err, "%s", path);
    r = certificate_check_dates(leaf, path, err);
    if (r < 0)
        return r;
    if (SSL_CTX_use_certificate(ssl, leaf) != 1)
        return error_set(err, -EINVAL, "the certificate \"%s\" can't be used: %s", path,
                         tls_library_error());
    for (; (intermediate = PEM_read_bio_X509(in, NULL, NULL, NULL)); count++)
        if (SSL_CTX_add0_chain_cert(ssl, intermediate) != 1) {
            X509_free(intermediate);
            return error_set(err, -EINVAL, "the certificate \"%s\": its chain can't be used: %s",
                             path, tls_library_error());
        }
    return pem_end("certificate", path, "certificate", count, err);
}

/*
 * In a user namespace that has no root (linux/cage.h) root's files seem to be nobody's. There only
 * root and members of our group can have made a file of our group.
 */
static bool owner_may_be_root(const struct stat *st, bool root_is_nobody)
{
    return st->st_uid == 0 ||
           (root_is_nobody && st->st_uid == OVERFLOW_UID && st->st_gid == getegid());
}

/*
 * 0600, or 0640 with this process's own group: an unprivileged agent is given its key that way.
 * Links are followed, since mounted secrets are links.
 */
static int secret_open(const char *what, const char *path, bool root_is_nobody, int *ret_fd,
                       struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, -errno, "the %s \"%s\" can't be read: %m", what, path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "the %s \"%s\" is no regular file", what, path);
    if (st.st_uid != geteuid() && !owner_may_be_root(&st, root_is_nobody))
        return error_set(err, -EACCES,
                         "the %s \"%s\" belongs to another user (uid %u), who could change it",
                         what, path, st.st_uid);
    if ((st.st_mode & 037) || ((st.st_mode & 040) && st.st_gid != getegid()))
        return error_set(err, -EACCES,
                         "others may read or change the %s \"%s\" (mode %04o): chmod 600 it", what,
                         path, st.st_mode & 07777);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Into `text`, which the caller wipes; NUL-terminated. */
static int secret_read(const char *what, const char *path, bool root_is_nobody,
                       char text[static SECRET_SIZE_MAX], size_t *ret_size, struct error *err)
{
    _cleanup_close_ int fd = FD_NONE;
    size_t size = 0;
    ssize_t got;
    int r;

    r = secret_open(what, path, root_is_nobody, &fd, err);
    if (r < 0)
        return r;
    while ((got = read(fd, text + size, SECRET_SIZE_MAX - 1 - size)) > 0)
        size += (size_t)got;
    if (got < 0)
        return error_set(err, -errno, "the %s \"%s\" can't be read: %m", what, path);
    if (size == SECRET_SIZE_MAX - 1)
        return error_set(err, -EFBIG, "the %s \"%s\" is too large to be one", what, path);
    text[size] = '\0';
    *ret_size = size;
    return 0;
}

/* The callback of PEM_read_bio_PrivateKey(); never asks at a terminal. */
static int passphrase_give(char *buffer, int size, int writing, void *owner)
{
    const char *passphrase = owner;
    size_t length;

    (void)writing;
    if (!passphrase)
        return -1;
    length = strcspn(passphrase, "\r\n");
    if (length > (size_t)size)
        return -1;
    memcpy(buffer, passphrase, length);
    return (int)length;
}

static int key_parse(const char *path, const char *pem, size_t size, char *passphrase,
                     EVP_PKEY **ret, struct error *err)
{
    _cleanup_(BIO_free_allp) BIO *in = BIO_new_mem_buf(pem, (int)size);

    if (!in)
        return error_set(err, -ENOMEM, "out of memory");
    *ret = PEM_read_bio_PrivateKey(in, NULL, passphrase_give, passphrase);
    if (*ret)
        return 0;
    if (!strstr(pem, "PRIVATE KEY-----"))
        return error_set(err, -EINVAL, "the key \"%s\" holds no private key in PEM form", path);
    if (!strstr(pem, "ENCRYPTED"))
        return error_set(err, -EINVAL, "the key \"%s\" is not in order: %s", path,
                         tls_library_error());
    ERR_clear_error();
    return error_set(err, -EKEYREJECTED, "the key \"%s\" is encrypted and %s", path,
                     passphrase ? "the passphrase is wrong" : "no passphrase file is given");
}

static int key_read(const struct tls_secrets *secrets, EVP_PKEY **ret, struct error *err)
{
    /* Room for both on the heap, wiped by OPENSSL_clear_free() whatever happens. */
    char *pem = OPENSSL_zalloc(SECRET_SIZE_MAX), *passphrase = OPENSSL_zalloc(SECRET_SIZE_MAX);
    size_t size = 0, passphrase_size = 0;
    int r;

    r = pem && passphrase ? 0 : error_set(err, -ENOMEM, "out of memory");
    if (r >= 0)
        r = secret_read("key", secrets->key, secrets->root_is_nobody, pem, &size, err);
    if (r >= 0 && secrets->passphrase)
        r = secret_read("passphrase file", secrets->passphrase, secrets->root_is_nobody, passphrase,
                        &passphrase_size, err);
    if (r >= 0)
        r = key_parse(secrets->key, pem, size, secrets->passphrase ? passphrase : NULL, ret, err);
    OPENSSL_clear_free(pem, SECRET_SIZE_MAX);
    OPENSSL_clear_free(passphrase, SECRET_SIZE_MAX);
    return r;
}

int tls_material_use_key(SSL_CTX *ssl, const struct tls_secrets *secrets, struct error *err)
{
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    int r;

    if (!secrets->key)
        return error_set(err, -EINVAL, "no key is given");
    r = key_read(secrets, &key, err);
    if (r < 0)
        return r;
    if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
        ERR_clear_error();
        return error_set(err, -EINVAL, "the key \"%s\" doesn't belong to the certificate",
                         secrets->key);
    }
    return 0;
}

int tls_material_add_authorities(SSL_CTX *ssl, const char *path, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_(BIO_free_allp) BIO *in = NULL;
    char subject[TLS_NAME_TEXT_MAX];
    unsigned count = 0;
    int r;

    r = public_file_open("CA bundle", path, &text, &in, err);
    if (r < 0)
        return r;
    for (;; count++) {
        _cleanup_(X509_freep) X509 *authority = PEM_read_bio_X509(in, NULL, NULL, NULL);

        if (!authority)
            return pem_end("CA bundle", path, "certificate", count, err);
        if (X509_check_ca(authority) != 1) /* 2 … 5: merely old enough to be taken for one */
            return error_set(err, -EINVAL, "the CA bundle \"%s\": \"%s\" is no CA", path,
                             tls_name_format(X509_get_subject_name(authority), subject));
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), authority) != 1)
            return error_set(err, -EINVAL, "the CA bundle \"%s\": %s", path, tls_library_error());
    }
}

/* The CA of the bundle that signed the list, or NULL. */
static X509 *revocation_issuer(STACK_OF(X509_OBJECT) * objects, X509_CRL *list)
{
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

        if (authority &&
            X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(list)) == 0 &&
            X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1)
            return authority;
    }
    ERR_clear_error();
    return NULL;
}

static int revocation_check(STACK_OF(X509_OBJECT) * objects, X509_CRL *list, const char *path,
                            struct error *err)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    char issuer[TLS_NAME_TEXT_MAX];

    (void)tls_name_format(X509_CRL_get_issuer(list), issuer);
    if (!revocation_issuer(objects, list))
        return error_set(err, -EINVAL,
                         "the revocation file \"%s\": the list of \"%s\" is signed by no CA of "
                         "the bundle",
                         path, issuer);
    if (X509_cmp_current_time(X509_CRL_get0_lastUpdate(list)) > 0 || !next ||
        X509_cmp_current_time(next) < 0)
        return error_set(err, -EKEYEXPIRED,
                         "the revocation file \"%s\": the list of \"%s\" is out of date", path,
                         issuer);
    return 0;
}

/* Every CA must have a list by now. */
static int revocations_check_complete(X509_STORE *store, const char *path, struct error *err)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    char subject[TLS_NAME_TEXT_MAX];

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

        if (authority && !X509_OBJECT_retrieve_by_subject(objects, X509_LU_CRL,
                                                          X509_get_subject_name(authority)))
            return error_set(err, -EINVAL,
                             "the revocation file \"%s\" has no list of \"%s\", whose "
                             "certificates would all be refused",
                             path, tls_name_format(X509_get_subject_name(authority), subject));
    }
    return 0;
}

int tls_material_add_revocations(SSL_CTX *ssl, const char *path, struct error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    _cleanup_free_ char *text = NULL;
    _cleanup_(BIO_free_allp) BIO *in = NULL;
    int r;

    r = public_file_open("revocation file", path, &text, &in, err);
    if (r < 0)
        return r;
    for (unsigned count = 0;; count++) {
        _cleanup_(X509_CRL_freep) X509_CRL *list = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL);

        if (!list) {
            r = pem_end("revocation file", path, "revocation list", count, err);
            break;
        }
        r = revocation_check(X509_STORE_get0_objects(store), list, path, err);
        if (r < 0)
            return r;
        if (X509_STORE_add_crl(store, list) != 1)
            return error_set(err, -EINVAL, "the revocation file \"%s\": %s", path,
                             tls_library_error());
    }
    if (r < 0)
        return r;
    (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return revocations_check_complete(store, path, err);
}
