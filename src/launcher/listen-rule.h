/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct error;

/*
 * Which addresses hoistd may listen on: `listen_allow = ADDRESS:PORT`, either of them `*`.
 *
 * Without any rule everything is allowed that hoistd could do itself, without the launcher: any
 * address, but no port below 1024. Addresses are numeric; no name is ever resolved here.
 */

#define LISTEN_PORT_PRIVILEGED 1024 /* below: CAP_NET_BIND_SERVICE, ip(7) */

struct listen_rule {
    struct sockaddr_storage address; /* AF_UNSPEC: any */
    uint16_t port;                   /* 0: any */
};

/* "127.0.0.1:7443", "[::1]:7443", "*:7443", "192.0.2.1:*". */
int listen_rule_parse(const char *text, struct listen_rule *ret, struct error *err);

/* A numeric host and a port as a socket address, and its size. -EINVAL otherwise. */
int listen_address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret,
                         socklen_t *ret_size, struct error *err);

/* 0, or -EACCES with a sentence that says what launcher.conf would need. */
int listen_rules_check(const struct listen_rule *rules, size_t count,
                       const struct sockaddr_storage *address, struct error *err);
