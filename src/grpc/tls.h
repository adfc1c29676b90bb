/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/clock.h"

struct error;
struct tls_context;
struct tls_session;

/*
 * Mutual TLS 1.3 and nothing older, over a nonblocking socket (RFC 8446).
 *
 * A context is what certificates, keys and lists were read into: immutable once made, counted, safe
 * to share between threads. To reload is to make another one and to swap the pointer; sessions keep
 * the one that they were made with. A session is one connection and belongs to one thread.
 *
 * What both sides insist on, with no switch to turn it off: TLS 1.3; the key exchanges X25519,
 * P-256 and P-384; certificates on both sides with keys of Ed25519, P-256, P-384 or RSA of 3072
 * bits and more; the extended key usage for the side it is on *present* in the peer's certificate;
 * no CA as a peer; at most two intermediate certificates; ALPN "h2". There are no tickets, no
 * resumption (a revoked certificate would be let in again) and no early data.
 */

/*
 * Files in PEM form. A private key or passphrase file must belong to root or to this user and be
 * readable by nobody else; being readable (not writable) for this process's own group is allowed,
 * since "root:hoist 0640" is how an agent without privileges is given its key.
 */
struct tls_server_options {
    const char *cert;                /* the certificate, then its intermediates */
    const char *key;                 /* its private key */
    const char *key_passphrase_file; /* first line; NULL: the key is not encrypted */
    const char *client_ca;           /* bundle of the CAs whose clients are let in */
    const char *crl;                 /* one list for each CA of the bundle; NULL: no revocation */
    bool strict;                     /* TLS_AES_256_GCM_SHA384 only */
    bool root_is_nobody; /* we are in a user namespace that has no root: its files seem nobody's */
};

struct tls_client_options {
    const char *cert;
    const char *key;
    const char *key_passphrase_file; /* NULL: the key is not encrypted */
    const char *ca;                  /* bundle of the CAs that servers may have */
    bool strict;
};

/*
 * Read and check everything; the paths are not kept. Return 0 or -EINVAL, -EACCES (a key file that
 * others may read), -ENOENT, -EKEYREJECTED (an encrypted key and no or the wrong passphrase), …
 * with a sentence that names the file and says what is wrong with it. A server's certificate that
 * has expired or may not serve, and a revocation list that is out of date or missing for a CA, are
 * refused here.
 */
int tls_context_new_server(const struct tls_server_options *options, struct tls_context **ret,
                           struct error *err);
int tls_context_new_client(const struct tls_client_options *options, struct tls_context **ret,
                           struct error *err);

/* Thread-safe. Return the context, and NULL. NULL is accepted. */
struct tls_context *tls_context_ref(struct tls_context *context);
struct tls_context *tls_context_unref(struct tls_context *context);
DEFINE_CLEANUP(struct tls_context *, tls_context_unref);
#define _cleanup_tls_context_ _cleanup_(tls_context_unrefp)

/*
 * A session over `fd`: a connected, nonblocking stream socket that stays the caller's and must live
 * longer than the session. `host` is what the server's certificate must name in its subject
 * alternative names: a DNS name (no partial wildcards, never the CN) or the text of an IP address.
 */
int tls_session_new_server(struct tls_context *context, int fd, struct tls_session **ret,
                           struct error *err);
int tls_session_new_client(struct tls_context *context, int fd, const char *host,
                           struct tls_session **ret, struct error *err);

/* Frees it without a word to the peer (see tls_session_close()). Returns NULL; NULL is accepted. */
struct tls_session *tls_session_free(struct tls_session *session);
DEFINE_CLEANUP(struct tls_session *, tls_session_free);
#define _cleanup_tls_session_ _cleanup_(tls_session_freep)

/*
 * What the last call that returned -EAGAIN waits for. The bytes of a write that are still gathered
 * want the socket to be writable too, so ask after each round of calls.
 */
enum tls_want {
    TLS_WANT_NOTHING = 0,
    TLS_WANT_READ = 1 << 0,
    TLS_WANT_WRITE = 1 << 1,
};
enum tls_want tls_session_wants(const struct tls_session *session);

/*
 * Goes on with the handshake. Returns 0 when it is done, -EAGAIN to be called again (without a
 * sentence), or for good: -EPROTO, -EKEYREJECTED (the peer's certificate, or ours in the peer's
 * eyes), -ECONNRESET, … with a sentence that says which check failed on which certificate, or what
 * the peer's alert means. A peer that agreed to no ALPN "h2" is -EPROTONOSUPPORT.
 *
 * When it fails the alert has been handed to the socket: shutdown(SHUT_WR), then read and drop for
 * a moment (1 s, 64 KiB) before closing, or the peer never sees it (a close with unread bytes
 * resets).
 */
int tls_session_handshake(struct tls_session *session, struct error *err);

/* ALPN "h2" was agreed to: always so after a handshake that returned 0. */
bool tls_session_has_h2(const struct tls_session *session);

/*
 * Reads decrypted bytes: > 0, or 0 when the peer has closed properly, -EAGAIN, -ECONNRESET (it
 * closed without saying so: what was read may be cut off), -EKEYREJECTED (a client learns only here
 * that the server refused its certificate), -EPROTO. More may lie decrypted inside than fitted into
 * `data` and more may lie read but not decrypted: call it until -EAGAIN, poll(2) doesn't know of
 * these. A peer that makes us read far more than it says (floods of empty records or KeyUpdates) is
 * -EPROTO.
 */
ssize_t tls_session_read(struct tls_session *session, void *data, size_t size, struct error *err);

/*
 * The socket had no more at the last read, and nothing lies inside: until poll(2) says otherwise
 * the next tls_session_read() would be -EAGAIN. Spares a system call for each small message;
 * epoll(7) allows that with EPOLLET too.
 */
bool tls_session_is_drained(const struct tls_session *session);

/*
 * Encrypts into the session's gather buffer and returns how many bytes it took (> 0, may be fewer
 * than `size`), or -EAGAIN when it is full and the socket is too. The socket is written to (one
 * write(2) for about TLS_GATHER_MAX bytes) when the buffer is full; whoever has nothing more to
 * write calls tls_session_flush(). Give it as much as there is in one call: full records of 16 KiB
 * are what makes it fast. After -EAGAIN the next call may come with other bytes.
 */
ssize_t tls_session_write(struct tls_session *session, const void *data, size_t size,
                          struct error *err);
#define TLS_GATHER_MAX  (256 * 1024)
#define TLS_RECORD_SIZE ((size_t)16 * 1024) /* RFC 8446, 5.1 */

/* Writes what is gathered to the socket. 0: all of it; -EAGAIN: the rest waits; or an error. */
int tls_session_flush(struct tls_session *session, struct error *err);

/* Encrypted bytes that are gathered and not written. */
size_t tls_session_unsent(const struct tls_session *session);

/* Says goodbye (close_notify) and flushes, once, as far as the socket takes it. */
void tls_session_close(struct tls_session *session);

/* When the peer's certificate expires, wall time; USEC_INFINITY when there is none. */
usec_t tls_session_peer_not_after(const struct tls_session *session);

/*
 * Is the peer, who was let in once, still welcome by this (newer) context's CAs and revocation
 * lists, now? Returns 0, or -EKEYREJECTED with the sentence that a handshake would give.
 */
int tls_session_check_peer(const struct tls_session *session, const struct tls_context *context,
                           struct error *err);
