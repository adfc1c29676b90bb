/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "agent/config.h"
#include "base/clock.h"
#include "wire/launcher-messages.h"

typedef struct sd_event sd_event;
struct cold_reads;
struct core;
struct grpc_server;
struct worker;

/*
 * hoistd as a whole. Made by the core thread before any other thread runs and unchanged while they
 * do, but for `shutting_down`; `config`, which a reload replaces, `launcher` and `worker` are the
 * core thread's alone.
 */
struct agent {
    struct config config;
    struct launcher_hello launcher; /* what the launcher said of itself and the host */
    bool own_root;                  /* and a user namespace with it (agent/confine.h) */
    char host[65];                  /* gethostname(2) */
    usec_t start_time;              /* wall */
    sd_event *event;
    struct core *core;
    struct worker *worker;
    struct grpc_server *server;
    struct cold_reads *cold_reads;
    atomic_bool shutting_down;
};
