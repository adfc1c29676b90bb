/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/peers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "grpc/bounds.h"
#include "grpc/identity.h"

struct peers_address {
    char text[PEERS_ADDRESS_MAX]; /* the key */
    unsigned connections;
    unsigned unauthenticated; /* of them */
    UT_hash_handle hh;
};

struct peers_principal {
    char name[IDENTITY_TEXT_MAX]; /* the key */
    unsigned connections;         /* under the lock; the last one frees it */
    atomic_uint streams;
    UT_hash_handle hh;
};

struct peers {
    struct grpc_server_limits limits;
    atomic_uint streams;
    pthread_mutex_t lock;
    unsigned connections; /* under the lock, like all that follows */
    unsigned unauthenticated;
    struct peers_address *addresses;
    struct peers_principal *principals;
    bool is_closed;
};

static unsigned or_default(unsigned limit, unsigned value)
{
    return limit ? limit : value;
}

struct peers *peers_new(const struct grpc_server_limits *limits)
{
    struct peers *peers = calloc(1, sizeof(*peers));

    if (!peers)
        return NULL;
    peers->limits = (struct grpc_server_limits){
        .connections = or_default(limits->connections, GRPC_CONNECTIONS_MAX),
        .unauthenticated_connections =
            or_default(limits->unauthenticated_connections, GRPC_UNAUTHENTICATED_CONNECTIONS_MAX),
        .connections_per_address =
            or_default(limits->connections_per_address, GRPC_CONNECTIONS_PER_ADDRESS_MAX),
        .connections_per_principal =
            or_default(limits->connections_per_principal, GRPC_CONNECTIONS_PER_PRINCIPAL_MAX),
        .streams_per_principal =
            or_default(limits->streams_per_principal, GRPC_STREAMS_PER_PRINCIPAL_MAX),
    };
    atomic_init(&peers->streams, 0);
    pthread_mutex_init(&peers->lock, NULL);
    return peers;
}

struct peers *peers_free(struct peers *peers)
{
    if (!peers)
        return NULL;
    pthread_mutex_destroy(&peers->lock);
    free(peers);
    return NULL;
}

static struct peers_address *address_get(struct peers *peers, const char *text)
{
    struct peers_address *address = NULL;

    HASH_FIND_STR(peers->addresses, text, address);
    if (address)
        return address;
    address = calloc(1, sizeof(*address));
    if (!address)
        return NULL;
    snprintf(address->text, sizeof(address->text), "%s", text);
    HASH_ADD_STR(peers->addresses, text, address);
    return address;
}

static void address_put(struct peers *peers, struct peers_address *address)
{
    if (address->connections > 0)
        return;
    HASH_DEL(peers->addresses, address);
    free(address);
}

/* Whoever connects and says nothing must not keep all the others from saying something. */
static unsigned share_of_one(unsigned limit)
{
    return MAX(limit / 2, 1U);
}

/* Under the lock. */
static int enter(struct peers *peers, struct peers_charge *charge, const char **ret_reason)
{
    struct peers_address *address;

    if (peers->is_closed)
        return -ESHUTDOWN;
    if (peers->connections >= peers->limits.connections) {
        *ret_reason = "too many connections";
        return -EDQUOT;
    }
    if (peers->unauthenticated >= peers->limits.unauthenticated_connections) {
        *ret_reason = "too many connections that haven't finished their handshake";
        return -EDQUOT;
    }
    address = address_get(peers, charge->address);
    if (!address)
        return -ENOMEM;
    if (address->connections >= peers->limits.connections_per_address) {
        *ret_reason = "too many connections from this address";
        return -EDQUOT;
    }
    if (address->unauthenticated >= share_of_one(peers->limits.unauthenticated_connections)) {
        *ret_reason = "too many connections from this address that haven't finished their "
                      "handshake";
        return -EDQUOT;
    }
    address->connections++;
    address->unauthenticated++;
    peers->connections++;
    peers->unauthenticated++;
    charge->is_counted = true;
    return 0;
}

int peers_enter(struct peers *peers, const char *address, struct peers_charge *charge,
                const char **ret_reason)
{
    int r;

    *charge = (struct peers_charge){0};
    snprintf(charge->address, sizeof(charge->address), "%s", address);
    pthread_mutex_lock(&peers->lock);
    r = enter(peers, charge, ret_reason);
    pthread_mutex_unlock(&peers->lock);
    return r;
}

static struct peers_principal *principal_get(struct peers *peers, const char *name)
{
    struct peers_principal *principal = NULL;

    HASH_FIND_STR(peers->principals, name, principal);
    if (principal)
        return principal;
    principal = calloc(1, sizeof(*principal));
    if (!principal)
        return NULL;
    snprintf(principal->name, sizeof(principal->name), "%s", name);
    atomic_init(&principal->streams, 0);
    HASH_ADD_STR(peers->principals, name, principal);
    return principal;
}

/* One fewer that hasn't. */
static void authenticated(struct peers *peers, const struct peers_charge *charge)
{
    struct peers_address *address = NULL;

    HASH_FIND_STR(peers->addresses, charge->address, address);
    if (address)
        address->unauthenticated--;
    peers->unauthenticated--;
}

/* Under the lock. */
static int authenticate(struct peers *peers, const char *name, struct peers_charge *charge)
{
    struct peers_principal *principal = principal_get(peers, name);

    if (!principal)
        return -ENOMEM;
    if (principal->connections >= peers->limits.connections_per_principal)
        return -EDQUOT;
    principal->connections++;
    authenticated(peers, charge);
    charge->is_authenticated = true;
    charge->principal = principal;
    return 0;
}

int peers_authenticate(struct peers *peers, const char *principal, struct peers_charge *charge)
{
    int r;

    pthread_mutex_lock(&peers->lock);
    r = authenticate(peers, principal, charge);
    pthread_mutex_unlock(&peers->lock);
    return r;
}

/* Under the lock. */
static void leave(struct peers *peers, struct peers_charge *charge)
{
    struct peers_address *address = NULL;
    struct peers_principal *principal = charge->principal;

    if (!charge->is_authenticated)
        authenticated(peers, charge);
    HASH_FIND_STR(peers->addresses, charge->address, address);
    if (address) {
        address->connections--;
        address_put(peers, address);
    }
    if (principal && --principal->connections == 0) {
        HASH_DEL(peers->principals, principal);
        free(principal);
    }
    peers->connections--;
}

bool peers_leave(struct peers *peers, struct peers_charge *charge)
{
    bool is_last;

    pthread_mutex_lock(&peers->lock);
    if (charge->is_counted)
        leave(peers, charge);
    is_last = peers->is_closed && peers->connections == 0;
    pthread_mutex_unlock(&peers->lock);
    *charge = (struct peers_charge){0};
    return is_last;
}

bool peers_close(struct peers *peers)
{
    bool is_empty;

    pthread_mutex_lock(&peers->lock);
    peers->is_closed = true;
    is_empty = peers->connections == 0;
    pthread_mutex_unlock(&peers->lock);
    return is_empty;
}

bool peers_begin_stream(struct peers *peers, struct peers_charge *charge)
{
    struct peers_principal *principal = charge->principal;

    if (principal &&
        atomic_fetch_add(&principal->streams, 1) >= peers->limits.streams_per_principal) {
        atomic_fetch_sub(&principal->streams, 1);
        return false;
    }
    atomic_fetch_add_explicit(&peers->streams, 1, memory_order_relaxed);
    return true;
}

void peers_end_stream(struct peers *peers, struct peers_charge *charge)
{
    if (charge->principal)
        atomic_fetch_sub(&charge->principal->streams, 1);
    atomic_fetch_sub_explicit(&peers->streams, 1, memory_order_relaxed);
}

void peers_count(struct peers *peers, struct grpc_server_counts *ret)
{
    pthread_mutex_lock(&peers->lock);
    ret->connections = peers->connections;
    ret->unauthenticated_connections = peers->unauthenticated;
    pthread_mutex_unlock(&peers->lock);
    ret->streams = atomic_load_explicit(&peers->streams, memory_order_relaxed);
}
