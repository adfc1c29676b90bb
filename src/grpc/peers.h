/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "grpc/server.h"

/*
 * Who is connected and how much of it: the counts behind the caps of a server (N7, N13). Any
 * thread; beginning and ending a stream takes no lock.
 */

#define PEERS_ADDRESS_MAX 48 /* an address as text, without its port */

struct peers;
struct peers_principal;

/* What one connection is charged for. Zero-initialised: nothing. */
struct peers_charge {
    char address[PEERS_ADDRESS_MAX];
    bool is_counted;
    bool is_authenticated;
    struct peers_principal *principal; /* shared, counted */
};

/* Zeroes in `limits` become the defaults. NULL: no memory. */
struct peers *peers_new(const struct grpc_server_limits *limits);
struct peers *peers_free(struct peers *peers); /* nothing is charged any more; returns NULL */

/*
 * Charges a connection from `address` that hasn't shown who it is. 0; -ENOMEM; -EDQUOT with
 * *ret_reason (static) when a cap is reached; -ESHUTDOWN after peers_close().
 */
int peers_enter(struct peers *peers, const char *address, struct peers_charge *charge,
                const char **ret_reason);

/* It has: from now on it counts for the principal. 0; -ENOMEM; -EDQUOT. */
int peers_authenticate(struct peers *peers, const char *principal, struct peers_charge *charge);

/* Gives everything back. True when nobody is left and the server is closed. */
bool peers_leave(struct peers *peers, struct peers_charge *charge);

/* Nobody enters any more. True when nobody is there. */
bool peers_close(struct peers *peers);

/* One more call of the principal; false when it has too many. Each true needs one end. */
bool peers_begin_stream(struct peers *peers, struct peers_charge *charge);
void peers_end_stream(struct peers *peers, struct peers_charge *charge);

void peers_count(struct peers *peers, struct grpc_server_counts *ret);
