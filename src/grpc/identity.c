/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/identity.h"

#include <errno.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "grpc/tls-internal.h"

/*
 * X509_NAME_get_text_by_NID() is not used, since it lies: it stops at a NUL ("admin\0.evil" reads
 * as "admin"), sees the first of two, returns raw two-byte characters of a BMPString and cuts at
 * the buffer's end. Here each value is found by its index, converted to UTF-8 by its type, and
 * compared by its length.
 */

enum value_fit {
    VALUE_FITS,
    VALUE_HAS_NUL,
    VALUE_TOO_LONG,
    VALUE_UNREADABLE,
};

static enum value_fit value_copy(const ASN1_STRING *value, char text[static IDENTITY_TEXT_MAX])
{
    unsigned char *utf8 = NULL;
    int size = ASN1_STRING_to_UTF8(&utf8, value);
    enum value_fit fit = VALUE_FITS;

    if (size < 0)
        return VALUE_UNREADABLE;
    if (memchr(utf8, '\0', (size_t)size))
        fit = VALUE_HAS_NUL;
    else if (size >= IDENTITY_TEXT_MAX)
        fit = VALUE_TOO_LONG;
    else
        *(char *)mempcpy(text, utf8, (size_t)size) = '\0';
    OPENSSL_free(utf8);
    return fit;
}

/* How often `nid` is in the subject; *ret is its first value. */
static unsigned subject_find(const X509_NAME *subject, int nid, const ASN1_STRING **ret)
{
    unsigned count = 0;

    for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); at >= 0;
         at = X509_NAME_get_index_by_NID(subject, nid, at))
        if (count++ == 0)
            *ret = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    return count;
}

static int principal_read(const X509_NAME *subject, char text[static IDENTITY_TEXT_MAX],
                          struct error *err)
{
    static const char *const complaints[] = {
        [VALUE_HAS_NUL] = "the CN of the certificate's subject holds a NUL",
        [VALUE_TOO_LONG] = "the CN of the certificate's subject is longer than 63 bytes",
        [VALUE_UNREADABLE] = "the CN of the certificate's subject is no readable text",
    };
    const ASN1_STRING *value = NULL;
    unsigned count = subject_find(subject, NID_commonName, &value);
    enum value_fit fit;

    if (count == 0)
        return error_set(err, -EKEYREJECTED, "the certificate's subject has no CN");
    if (count > 1)
        return error_set(err, -EKEYREJECTED, "the certificate's subject has %u CNs, not one",
                         count);
    fit = value_copy(value, text);
    if (fit != VALUE_FITS)
        return error_set(err, -EKEYREJECTED, "%s", complaints[fit]);
    if (!principal_is_valid(text))
        return error_set(err, -EKEYREJECTED,
                         "the CN of the certificate's subject is no principal: it must match "
                         "[a-z0-9][a-z0-9._-]{0,62}");
    return 0;
}

static int role_read(const X509_NAME *subject, char text[static IDENTITY_TEXT_MAX],
                     struct error *err)
{
    const ASN1_STRING *value = NULL;
    unsigned count = subject_find(subject, NID_organizationName, &value);
    enum value_fit fit;

    text[0] = '\0';
    if (count == 0)
        return 0;
    if (count > 1)
        return error_set(err, -EKEYREJECTED, "the certificate's subject has %u Os, not one", count);
    fit = value_copy(value, text);
    if (fit == VALUE_HAS_NUL)
        return error_set(err, -EKEYREJECTED, "the O of the certificate's subject holds a NUL");
    if (fit == VALUE_UNREADABLE)
        return error_set(err, -EKEYREJECTED,
                         "the O of the certificate's subject is no readable text");
    if (fit == VALUE_TOO_LONG || !principal_is_valid(text)) /* roles are written like principals */
        text[0] = '\0';
    return 0;
}

int identity_from_certificate(const struct x509_st *certificate, struct identity *ret,
                              struct error *err)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    struct identity identity = {0};
    int r;

    r = principal_read(subject, identity.principal, err);
    if (r < 0)
        return r;
    r = role_read(subject, identity.role, err);
    if (r < 0)
        return r;
    *ret = identity;
    return 0;
}

int identity_from_session(const struct tls_session *session, struct identity *ret,
                          struct error *err)
{
    const X509 *certificate = SSL_get0_peer_certificate(session->ssl);

    if (!certificate)
        return error_set(err, -ENOENT, "the peer has sent no certificate");
    return identity_from_certificate(certificate, ret, err);
}
