/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

struct context_profile;
struct spawn_context;

/*
 * The root that jobs share, made ahead: a mount namespace of our own with everything in it that is
 * the same for each job. Private to this folder; docs/decisions/0016 says why it is so.
 *
 * hoist-init makes it in a process of its own (wire/plan.h: PLAN_MAKES_ROOT) and ends; what stays
 * is a descriptor of the namespace, of which each job gets a copy. Nobody lives in it, nothing of
 * the host is in it but what jobs see, and what covers hidden places is mounted by each job for
 * itself, so that a place that came into being meanwhile is covered, too.
 *
 * A copy shows what the host had mounted when the root was made. Hence before each start both are
 * asked that could tell of a change: the watch of the mounts (linux/mount-watch.h), and the list of
 * "/", whose directories are mounted by name. After one the root is given up, the job builds its
 * own as if there had never been another (job-plan.h), and a new one is made when none has come
 * between two starts: where mounts come and go all the time none is made in vain. No start waits
 * for one, so that a file system that hangs holds up nobody but those who look into it.
 *
 * Its mounts are slaves of the host's, so that what is unmounted there is not kept by us; where the
 * host's mounts aren't shared it is let go when whoever waits for the watch hears of it.
 *
 * Profiles with a root or binds of their own, whose places root chooses, build at each start.
 */

enum ready_root_state {
    READY_ROOT_NONE,
    READY_ROOT_MAKING,
    READY_ROOT_THERE,
    READY_ROOT_FAILED, /* told in `failure`; not tried again before the mounts change */
};

struct ready_root {
    bool wanted;
    enum ready_root_state state;
    bool unsettled;       /* the host's mounts have changed since the start before this one */
    uint64_t mounts;      /* the number of the context's watch that was heeded last */
    struct buffer list;   /* of "/", when the making began */
    int answer_fd;        /* MAKING: what hoist-init will say */
    int maker_fd;         /* MAKING: its pidfd */
    pid_t maker;          /* until it is reaped; 0: none */
    int namespace_fd;     /* THERE */
    struct error failure; /* code 0: none that wasn't told */
};

#define READY_ROOT_NULL                                                                            \
    ((struct ready_root){                                                                          \
        .answer_fd = FD_NONE,                                                                      \
        .maker_fd = FD_NONE,                                                                       \
        .namespace_fd = FD_NONE,                                                                   \
    })

/* Begins to make one, if it is wanted and can be here: as root of the initial user namespace. */
void ready_root_init(struct spawn_context *context, bool wanted);
void ready_root_done(struct ready_root *root);

/*
 * At the beginning of each start, before anything else is found out about the host's mounts: what
 * is shown then is at least as old. Returns the namespace, borrowed until the next call of any of
 * these, or FD_NONE: the job builds its root itself.
 */
int ready_root_use(struct spawn_context *context, const struct context_profile *used);

/* At the end of a start: begins to make one if that is due. */
void ready_root_renew(struct spawn_context *context);

/* Gives up a root that is older than the host's mounts are. */
void ready_root_heed_mounts(struct spawn_context *context);

/* spawn_context_waits(), spawn_context_settle() and spawn_context_reaped() are this. */
struct pollfd ready_root_waits(const struct ready_root *root);
void ready_root_settle(struct ready_root *root);
bool ready_root_reaped(struct ready_root *root, pid_t pid);
