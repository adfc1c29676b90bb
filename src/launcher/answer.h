/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "launcher/config.h"
#include "launcher/lifeline.h"
#include "launcher/listener.h"
#include "launcher/refusal-log.h"
#include "wire/launcher-messages.h"
#include "wire/packet.h"

struct error;
struct spawn_context;

/*
 * What the launcher does for hoistd: one function for each request, called `launcher_answer_` and
 * the verb that hoistd's side calls `launcher_client_`.
 *
 * By then the request is decoded and the request table allows it; here its meaning is checked
 * against the ceilings, and then it is done. Each returns 0 with *answer filled (type and content)
 * and, where the protocol says so, *ret_fds (the caller closes them); or a negative errno with a
 * sentence for hoistd, which is answered as a failure and ends nothing.
 */

struct launcher {
    int argc; /* the command line: a reload reads it again */
    char **argv;
    struct launcher_config *config; /* owned, these two */
    struct spawn_context *spawn;
    struct listeners listeners;
    struct lifeline lifeline;
    struct launcher_hello facts; /* what Hello is answered with */
    uint64_t cgroups_told;       /* spawn_context_cgroups_made() of what hoistd was given */
    bool stopping;               /* no job is started any more */
    struct refusal_log refusals;
};

/* Gathers what Hello tells, at the start and at each reload. After a failure it is what it was. */
int launcher_facts(struct launcher *launcher, struct error *err);

typedef int launcher_answer_fn(struct launcher *launcher, const struct launcher_request *request,
                               const struct packet_fds *fds, struct launcher_answer *answer,
                               struct packet_fds *ret_fds, struct error *err);

launcher_answer_fn launcher_answer_hello;
launcher_answer_fn launcher_answer_listen;
launcher_answer_fn launcher_answer_ready;
launcher_answer_fn launcher_answer_spawn;
launcher_answer_fn launcher_answer_kill;
launcher_answer_fn launcher_answer_remove;
launcher_answer_fn launcher_answer_list_groups;
launcher_answer_fn launcher_answer_find;
launcher_answer_fn launcher_answer_list_tasks;
