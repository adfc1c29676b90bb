/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct classes;
struct error;
struct launcher_client;
struct launcher_hello;
struct config_address;

/*
 * The first words with the launcher, before there is an event loop: each waits for its answer, at
 * most STARTUP_PATIENCE.
 */

#define STARTUP_PATIENCE (UINT64_C(10) * 1000 * 1000) /* usec */

/* What the launcher says of itself and of the host, and the jobs' cgroup root to read from, which
 * is the caller's (FD_NONE: none). */
int startup_hello(struct launcher_client *client, struct launcher_hello *ret, int *ret_cgroups,
                  struct error *err);

/* The listening socket, which is the caller's, and the real port (the one asked for may be 0). */
int startup_listen(struct launcher_client *client, const struct config_address *address,
                   int *ret_fd, uint16_t *ret_port, struct error *err);

/* Has the launcher each profile that a class names? */
int startup_check_profiles(const struct classes *classes, const struct launcher_hello *launcher,
                           struct error *err);
