/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between OpenSSL and the socket.
 *
 * OpenSSL's own socket BIO makes one write(2) for each record of 16 KiB; gathered to 256 KiB in
 * one, a stream is half as fast again. The gathering BIO never says "try again" to OpenSSL, which
 * would then insist on being given the same plaintext once more: how much may be written is decided
 * before SSL_write() (tls-session.c), and what OpenSSL adds by itself (alerts, answers to
 * KeyUpdate) fits into the slack.
 *
 * It also counts. A record of one byte costs 23, an empty one 22, a KeyUpdate 27 and gives nothing:
 * a peer could keep a thread busy without ever sending a request. What may be read is therefore
 * bound to what came out, at a rate that honest small frames stay well below.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "grpc/tls-internal.h"

#define GATHER_SLACK   (128 * 1024) /* 22 bytes a record, and what OpenSSL sends by itself */
#define GATHER_LIMIT   (TLS_GATHER_MAX + GATHER_SLACK)
#define GATHER_SMALL   (32 * 1024)  /* a buffer that served no more than this is given back */
#define OVERHEAD_BASE  (256 * 1024) /* encrypted bytes for handshake and a busy start */
#define OVERHEAD_RATIO 16 /* encrypted bytes for each decrypted one; HTTP/2 PINGs need 3 */

static int socket_grow(struct tls_socket *socket, size_t size)
{
    size_t unsent = tls_socket_unsent(socket), room = MAX(socket->room, (size_t)1024);
    uint8_t *larger;

    if (socket->start > 0 && unsent > 0)
        memmove(socket->data, socket->data + socket->start, unsent);
    socket->start = 0;
    socket->end = unsent;
    if (socket->room - unsent >= size)
        return 0;
    while (room - unsent < size)
        room *= 2;
    larger = realloc(socket->data, room);
    if (!larger)
        return -ENOMEM;
    socket->data = larger;
    socket->room = room;
    return 0;
}

static int socket_bio_write(BIO *bio, const char *data, size_t size, size_t *ret)
{
    struct tls_socket *socket = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (size > GATHER_LIMIT - MIN(tls_socket_unsent(socket), (size_t)GATHER_LIMIT)) {
        socket->failure = -ENOBUFS;
        return 0;
    }
    if (socket->room - socket->end < size && socket_grow(socket, size) < 0) {
        socket->failure = -ENOMEM;
        return 0;
    }
    memcpy(socket->data + socket->end, data, size);
    socket->end += size;
    socket->burst += size;
    *ret = size;
    return 1;
}

static int socket_bio_read(BIO *bio, char *data, size_t size, size_t *ret)
{
    struct tls_socket *socket = BIO_get_data(bio);
    ssize_t got;

    BIO_clear_retry_flags(bio);
    if (socket->received > OVERHEAD_BASE + socket->allowed) {
        socket->flooded = true;
        return 0;
    }
    do
        got = recv(socket->fd, data, size, 0);
    while (got < 0 && errno == EINTR);
    socket->drained = got < (ssize_t)size;
    if (got > 0) {
        socket->received += (uint64_t)got;
        *ret = (size_t)got;
        return 1;
    }
    if (got == 0)
        socket->ended = true;
    else if (errno == EAGAIN)
        BIO_set_retry_read(bio);
    else
        socket->failure = -errno;
    return 0;
}

static long socket_bio_control(BIO *bio, int command, long number, void *pointer)
{
    struct tls_socket *socket = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: /* sent by tls_socket_flush(), when a round of calls is over */
        return 1;
    case BIO_CTRL_EOF:
        return socket->ended;
    default:
        return 0;
    }
}

static BIO_METHOD *socket_method;

static void socket_method_make(void)
{
    socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hoist socket");
    if (!socket_method)
        return;
    BIO_meth_set_write_ex(socket_method, socket_bio_write);
    BIO_meth_set_read_ex(socket_method, socket_bio_read);
    BIO_meth_set_ctrl(socket_method, socket_bio_control);
}

BIO *tls_socket_bio(struct tls_socket *socket)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *bio;

    (void)pthread_once(&once, socket_method_make);
    bio = socket_method ? BIO_new(socket_method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    return bio;
}

int tls_socket_flush(struct tls_socket *socket)
{
    while (tls_socket_unsent(socket) > 0) {
        ssize_t sent =
            send(socket->fd, socket->data + socket->start, tls_socket_unsent(socket), MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? -EAGAIN : (socket->failure = -errno);
        socket->start += (size_t)sent;
    }
    if (socket->burst <= GATHER_SMALL) {
        free(socket->data);
        socket->data = NULL;
        socket->room = 0;
    }
    socket->start = socket->end = socket->burst = 0;
    return 0;
}

void tls_socket_done(struct tls_socket *socket)
{
    free(socket->data);
    *socket = (struct tls_socket){.fd = socket->fd};
}

void tls_socket_allow(struct tls_socket *socket, size_t size)
{
    socket->allowed += (uint64_t)size * OVERHEAD_RATIO;
}
