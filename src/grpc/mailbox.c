/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

struct mailbox {
    atomic_uint refs;
    int fd; /* eventfd */
    pthread_mutex_t lock;
    struct letter *first; /* under the lock, like all that follows */
    struct letter **end;
    bool is_closed;
};

struct mailbox *mailbox_new(void)
{
    struct mailbox *mailbox = calloc(1, sizeof(*mailbox));

    if (!mailbox)
        return NULL;
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->fd < 0) {
        free(mailbox);
        return NULL;
    }
    atomic_init(&mailbox->refs, 1);
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->end = &mailbox->first;
    return mailbox;
}

struct mailbox *mailbox_ref(struct mailbox *mailbox)
{
    atomic_fetch_add_explicit(&mailbox->refs, 1, memory_order_relaxed);
    return mailbox;
}

struct mailbox *mailbox_unref(struct mailbox *mailbox)
{
    if (!mailbox || atomic_fetch_sub_explicit(&mailbox->refs, 1, memory_order_acq_rel) > 1)
        return NULL;
    fd_close(mailbox->fd);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
    return NULL;
}

int mailbox_fd(const struct mailbox *mailbox)
{
    return mailbox->fd;
}

static void mailbox_wake(struct mailbox *mailbox)
{
    uint64_t one = 1;

    /* EAGAIN needs 2^64 - 2 wakings that nobody heard. */
    (void)!write(mailbox->fd, &one, sizeof(one));
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    bool is_first, is_closed;

    letter->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    is_first = mailbox->first == NULL;
    is_closed = mailbox->is_closed;
    if (!is_closed) {
        *mailbox->end = letter;
        mailbox->end = &letter->next;
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (is_closed)
        letter->run(letter);
    else if (is_first)
        mailbox_wake(mailbox);
}

static struct letter *mailbox_take(struct mailbox *mailbox, bool close)
{
    struct letter *first;

    pthread_mutex_lock(&mailbox->lock);
    first = mailbox->first;
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    mailbox->is_closed = close;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

static void letters_run(struct letter *letter)
{
    while (letter) {
        struct letter *next = letter->next; /* run() may free it */

        letter->run(letter);
        letter = next;
    }
}

void mailbox_run(struct mailbox *mailbox)
{
    uint64_t count;

    /* Before the letters are taken: one that is posted in between wakes us once more. */
    (void)!read(mailbox->fd, &count, sizeof(count));
    letters_run(mailbox_take(mailbox, false));
}

void mailbox_close(struct mailbox *mailbox)
{
    letters_run(mailbox_take(mailbox, true));
}
