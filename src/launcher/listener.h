/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "launcher/listen-rule.h"
#include "wire/launcher-messages.h"

struct error;

/*
 * The listening sockets. They are the launcher's and outlive hoistd: while that restarts, clients
 * wait in the backlog instead of being refused. The same address asked for again is the same
 * socket, port 0 ("any free one") included.
 */

#define LISTENERS_MAX 8

struct listener {
    struct launcher_listen asked; /* as hoistd asked for it */
    int fd;                       /* owned */
    uint16_t port;                /* the real one */
    bool wanted;                  /* by the hoistd that runs now */
};

struct listeners {
    size_t count;
    struct listener list[LISTENERS_MAX];
};

void listeners_done(struct listeners *listeners);

/*
 * The socket for an address that listen_rules_check() allows, now; it stays the launcher's.
 * -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL and others with sentences that say how to mend it.
 */
int listeners_open(struct listeners *listeners, const struct listen_rule *rules, size_t rule_count,
                   const struct launcher_listen *asked, const struct listener **ret,
                   struct error *err);

/* A hoistd begins: what it doesn't ask for before it is ready is closed by the second call. */
void listeners_forget(struct listeners *listeners);
void listeners_close_unwanted(struct listeners *listeners);
