/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How other threads speak to a connection thread: letters in order, an eventfd that wakes it.
 *
 * Counted, since who holds a call's ref may outlive the server. A letter is memory of its sender
 * with what to do inside; it is run exactly once, by the owning thread, or, once the mailbox is
 * closed, by whoever posts it.
 */

struct mailbox;

struct letter {
    struct letter *next;
    void (*run)(struct letter *letter); /* may free it or post it again */
};

struct mailbox *mailbox_new(void); /* NULL: no memory, no descriptor */
struct mailbox *mailbox_ref(struct mailbox *mailbox);
struct mailbox *mailbox_unref(struct mailbox *mailbox); /* returns NULL */

/* Readable when there are letters; for the owner's epoll. */
int mailbox_fd(const struct mailbox *mailbox);

/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* The owner: runs what is there now. */
void mailbox_run(struct mailbox *mailbox);

/* The owner, at its end: runs what is left; from now on letters are run by their senders. */
void mailbox_close(struct mailbox *mailbox);
