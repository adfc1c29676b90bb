/* SPDX-License-Identifier: Apache-2.0 */
#include "tls-end.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

#define RECORD_MAX  ((size_t)17 * 1024) /* with its head and tag */
#define READ_AHEAD  ((size_t)256 * 1024)
#define GATHER_ROOM (TLS_END_BATCH + RECORD_MAX)

static void die(const char *what)
{
    ERR_print_errors_fp(stderr);
    measure_usage(what);
}

static SSL_CTX *make_context(const SSL_METHOD *method, const char *cert, const char *key,
                             const char *authority)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1 ||
        SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(context, authority, NULL) != 1)
        die("a TLS context can't be made");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

SSL_CTX *tls_end_server_context(const char *cert, const char *key, const char *authority)
{
    return make_context(TLS_server_method(), cert, key, authority);
}

SSL_CTX *tls_end_client_context(const char *cert, const char *key, const char *authority)
{
    SSL_CTX *context = make_context(TLS_client_method(), cert, key, authority);

    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    return context;
}

static void send_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

        if (n < 0)
            measure_die("send");
        data += n;
        size -= (size_t)n;
    }
}

/* ---- the BIO ---- */

static int bio_write(BIO *bio, const char *data, size_t size, size_t *ret)
{
    struct tls_end *end = BIO_get_data(bio);

    if (size > GATHER_ROOM - end->size)
        tls_end_flush(end);
    if (size > GATHER_ROOM)
        return 0;
    memcpy(end->gathered + end->size, data, size);
    end->size += size;
    *ret = size;
    return 1;
}

static int bio_read(BIO *bio, char *data, size_t size, size_t *ret)
{
    struct tls_end *end = BIO_get_data(bio);
    ssize_t n;

    if (end->size > 0) /* a handshake's turn */
        tls_end_flush(end);
    n = recv(end->fd, data, size, 0);
    if (n < 0)
        measure_die("recv");
    *ret = (size_t)n;
    return n > 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO *make_bio(struct tls_end *end)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gathering");
    BIO *bio;

    if (!method)
        die("a BIO can't be made");
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    bio = BIO_new(method);
    if (!bio)
        die("a BIO can't be made");
    BIO_set_data(bio, end);
    BIO_set_init(bio, 1);
    return bio;
}

static struct tls_end *make_end(SSL_CTX *context, int fd)
{
    struct tls_end *end = calloc(1, sizeof(*end));
    BIO *bio;

    if (!end)
        measure_die("memory");
    end->fd = fd;
    end->ssl = SSL_new(context);
    end->gathered = malloc(GATHER_ROOM);
    if (!end->ssl || !end->gathered)
        die("a TLS session can't be made");
    bio = make_bio(end);
    SSL_set_bio(end->ssl, bio, bio);
    return end;
}

struct tls_end *tls_end_accept(SSL_CTX *context, int fd)
{
    struct tls_end *end = make_end(context, fd);

    if (SSL_accept(end->ssl) != 1)
        die("the client can't be accepted");
    return end;
}

struct tls_end *tls_end_connect(SSL_CTX *context, int fd)
{
    struct tls_end *end = make_end(context, fd);

    if (SSL_connect(end->ssl) != 1)
        die("the server can't be reached");
    tls_end_flush(end);
    return end;
}

void tls_end_free(struct tls_end *end)
{
    SSL_free(end->ssl);
    (void)close(end->fd);
    free(end->gathered);
    free(end);
}

/* ---- bytes ---- */

void tls_end_flush(struct tls_end *end)
{
    send_all(end->fd, end->gathered, end->size);
    end->size = 0;
}

void tls_end_write(struct tls_end *end, const void *data, size_t size)
{
    size_t written;

    if (SSL_write_ex(end->ssl, data, size, &written) != 1)
        die("SSL_write");
    if (end->size >= TLS_END_BATCH)
        tls_end_flush(end);
}

size_t tls_end_read(struct tls_end *end, void *data, size_t size)
{
    size_t n = 0;

    return SSL_read_ex(end->ssl, data, size, &n) == 1 ? n : 0;
}
