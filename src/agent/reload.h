/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "agent/config.h"

struct agent;
struct error;
struct tls_context;

/*
 * The configuration, keys and certificates, at the start and again while hoistd serves: then all of
 * it is taken or, where anything isn't in order, nothing.
 */

/* Keys, certificates, authorities and revocation lists that `config` names. `root_is_nobody`: as
 * grpc/tls.h has it. */
int reload_certificates(const struct config *config, bool root_is_nobody, struct tls_context **ret,
                        struct error *err);

struct reload {
    struct config config;
    struct tls_context *tls; /* owned */
    char *kept;              /* "listen, threads"; "": nothing */
};

#define RELOAD_NULL ((struct reload){.kept = NULL})

void reload_done(struct reload *reload);
#define _cleanup_reload_ _cleanup_(reload_done)

/*
 * Reads the command line once more, and the file that it names. What hoistd only looks at when it
 * starts (setting.at_start) stays as it is in agent->config; ret->kept names the keys for which
 * another value was read.
 */
int reload_read(int argc, char **argv, const struct agent *agent, struct reload *ret,
                struct error *err);
