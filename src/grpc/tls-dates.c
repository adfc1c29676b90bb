/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/tls-dates.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "grpc/tls-material.h"
#include "grpc/tls-verify.h"

/* The next one's end; false when there is none. */
static bool end_read(enum tls_dated kind, BIO *in, usec_t *ret)
{
    if (kind == TLS_DATED_CERTIFICATES) {
        _cleanup_(X509_freep) X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);

        if (certificate)
            *ret = tls_moment_to_wall(X509_get0_notAfter(certificate));
        return certificate;
    }
    _cleanup_(X509_CRL_freep) X509_CRL *list = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL);

    if (list)
        *ret = tls_moment_to_wall(X509_CRL_get0_nextUpdate(list));
    return list;
}

int tls_dates_read(enum tls_dated kind, const char *path, usec_t *ret, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_(BIO_free_allp) BIO *in = NULL;
    usec_t first = USEC_INFINITY, end;
    size_t size = 0;
    int r = file_read(AT_FDCWD, path, TLS_FILE_MAX, &text, &size);

    if (r < 0)
        return error_set(err, r, "%s can't be read: %s", path, strerror(-r));
    in = BIO_new_mem_buf(text, (int)size);
    if (!in)
        return error_set(err, -ENOMEM, "out of memory");
    while (end_read(kind, in, &end))
        first = MIN(first, end);
    ERR_clear_error(); /* that there was no more of it */
    if (first == USEC_INFINITY)
        return error_set(err, -EINVAL, "%s holds no %s", path,
                         kind == TLS_DATED_CERTIFICATES ? "certificate" : "revocation list");
    *ret = first;
    return 0;
}
