/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "worker/spawner.h"

typedef struct sd_event sd_event;
struct launcher_client;
struct launcher_hello;

/*
 * The spawner of hoistd: jobs are made by the launcher, asked through its socket. It watches the
 * socket on `event` from now on; the client stays the caller's and must live longer, and may be
 * used for other requests beside.
 */

/* What ends its use. */
struct spawner_launcher_events {
    /* The launcher is gone, or said what makes no sense: nothing can be started any more. */
    void (*gone)(const struct error *err, void *userdata);
    /* The jobs' cgroups are elsewhere now, where this process may not read: another one could. */
    void (*shut_out)(void *userdata);
    void *userdata;
};

/*
 * `hello` is the launcher's (copied); its degradations become those of the jobs. `cgroups` is what
 * came with it: taken on success.
 */
int spawner_launcher_new(sd_event *event, struct launcher_client *client,
                         const struct launcher_hello *hello, int cgroups,
                         const struct spawner_launcher_events *events, struct spawner **ret,
                         struct error *err);

/* What can be kept for jobs, and what the host lacks, are as in `hello` from now on. 0 or -ENOMEM.
 */
int spawner_launcher_renew(struct spawner *spawner, const struct launcher_hello *hello);
