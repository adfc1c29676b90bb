/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/launcher-client.h"

struct error;
struct packet_fds;

/*
 * The catalogue of what hoistd asks of the launcher: for each request what answers it, and how its
 * callback is called. Sending and matching, which know none of them, are launcher-client.c; both
 * are one module, whose face is launcher-client.h.
 */

/* Whom to call back: the member that goes with the request. */
struct launcher_call {
    union {
        launcher_hello_fn *hello;
        launcher_listen_fn *listen;
        launcher_done_fn *done; /* Ready, Kill */
        launcher_spawn_fn *spawn;
        launcher_remove_fn *remove;
        launcher_list_groups_fn *list_groups;
        launcher_find_fn *find;
        launcher_list_tasks_fn *list_tasks;
    };
    void *owner;
};

/* What came of a request; all of it is borrowed for the call. */
struct launcher_reply {
    struct launcher_answer *answer; /* NULL: it failed */
    struct packet_fds *fds;         /* of the answer; FD_NONE: didn't come, or was taken */
    const struct error *err;        /* NULL: it went well */
    enum spawn_failure failure;     /* of Spawn, these two */
    uint32_t refused;
};

struct launcher_request_kind {
    enum launcher_request_type type;
    enum launcher_answer_type answer;
    size_t fd_count; /* of its answer, beside a root of cgroups that the answer announces */
    void (*reply)(const struct launcher_call *call, struct launcher_reply *reply);
};

extern const struct launcher_request_kind launcher_request_kinds[_LAUNCHER_REQUEST_MAX];

/*
 * Sends `request` with descriptors that are borrowed for this call, at once or when there is room,
 * and calls back later: 0. Or a negative errno (launcher-client.h), and nobody is called.
 */
int launcher_client_request(struct launcher_client *client, struct launcher_request *request,
                            const int *fds, size_t fd_count, const struct launcher_call *call,
                            struct error *err);
