/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "wire/launcher-messages.h"
#include "wire/spawn-spec.h"

struct error;

/*
 * hoistd's side of the launcher's socket: requests go out, answers come back to callbacks.
 *
 * Asynchronous and single-threaded: the owner's event loop watches launcher_client_fd() for
 * launcher_client_events() and calls launcher_client_dispatch(). Answers may come in any order
 * between requests. A callback is called exactly once for each request that was accepted (0 was
 * returned), from launcher_client_dispatch(), launcher_client_wait() or launcher_client_free(), and
 * never inside the call that made the request. It may make new requests, but not free the client.
 *
 * Bounded: at most LAUNCHER_CLIENT_PENDING_MAX requests without an answer, of which at most
 * LAUNCHER_CLIENT_QUEUE_MAX wait for room in the socket; beyond that a request is refused with
 * -ENOBUFS. Once the launcher is gone every request is refused, and every pending callback called,
 * with -EPIPE; hoistd then ends.
 */

#define LAUNCHER_CLIENT_PENDING_MAX 1024
#define LAUNCHER_CLIENT_QUEUE_MAX   128

/* The environment variable in which the launcher tells hoistd the number of the descriptor. */
#define LAUNCHER_CLIENT_ENV "HOIST_LAUNCHER_FD"

struct launcher_client;

/* What the launcher says unasked; each may be NULL. */
struct launcher_notices {
    void (*stopping)(void *owner); /* it was told to end and asks hoistd to end too; jobs go on */
    /* It has read its configuration again: what Hello would be answered with by now. */
    void (*reloaded)(const struct launcher_hello *hello, void *owner);
};

/* Takes `fd` on success: a connected SOCK_SEQPACKET socket. */
int launcher_client_new(int fd, const struct launcher_notices *notices, void *owner,
                        struct launcher_client **ret, struct error *err);

/*
 * The descriptor named by LAUNCHER_CLIENT_ENV, checked to be a SOCK_SEQPACKET socket and made
 * close-on-exec and nonblocking; the variable is removed. -ENOENT with a sentence when hoistd was
 * not started by a launcher.
 */
int launcher_client_fd_from_env(int *ret, struct error *err);

/* Calls what is pending with -ECANCELED. Accepts NULL; returns NULL. */
struct launcher_client *launcher_client_free(struct launcher_client *client);
DEFINE_CLEANUP(struct launcher_client *, launcher_client_free);
#define _cleanup_launcher_client_ _cleanup_(launcher_client_freep)

int launcher_client_fd(const struct launcher_client *client);

/* POLLIN, and POLLOUT while requests wait for room. May change with every request and dispatch. */
uint32_t launcher_client_events(const struct launcher_client *client);

/*
 * Sends and receives as far as it goes without waiting (a bounded number of packets) and calls
 * callbacks. Returns 0; -EPIPE when the launcher is gone; -EPROTO when it said what makes no sense.
 * After an error the client is dead: all later calls return it.
 */
int launcher_client_dispatch(struct launcher_client *client, struct error *err);

/* Waits at most `timeout` for the socket and dispatches: for the start, before there is a loop.
 * Returns as dispatch does; -ETIMEDOUT when nothing came. */
int launcher_client_wait(struct launcher_client *client, usec_t timeout, struct error *err);

/* Requests without an answer yet. */
unsigned launcher_client_pending(const struct launcher_client *client);

/*
 * The requests. Each returns 0 and calls `done` later, or a negative errno at once (-EINVAL,
 * -E2BIG: the request itself; -ENOBUFS; -ENOMEM; -EPIPE). In callbacks `err` is NULL exactly when
 * it went well; values are borrowed for the call.
 */

/*
 * First of all. -EPROTONOSUPPORT: the launcher speaks another version. *cgroups is the jobs' cgroup
 * root to read from (linux/cgroup-view.h), FD_NONE where there is none; TAKE_FD keeps it.
 */
typedef void launcher_hello_fn(const struct launcher_hello *hello, int *cgroups,
                               const struct error *err, void *owner);
int launcher_client_hello(struct launcher_client *client, launcher_hello_fn *done, void *owner,
                          struct error *err);

/*
 * A listening socket on a numeric address; the same one again after a restart of hoistd. Take *fd
 * (TAKE_FD) to keep it. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES (not in launcher.conf's listen_allow),
 * -EINVAL with sentences that say how to mend it. `port` is the real one.
 */
typedef void launcher_listen_fn(int *fd, uint16_t port, const struct error *err, void *owner);
int launcher_client_listen(struct launcher_client *client, const char *host, uint16_t port,
                           launcher_listen_fn *done, void *owner, struct error *err);

typedef void launcher_done_fn(const struct error *err, void *owner);

/*
 * The ends of the lifeline (worker/state-dir.h), borrowed for the call: the launcher holds one as
 * long as it lives, the other is what hoist-inits watch.
 */
struct launcher_lifeline {
    int hold;  /* O_RDWR */
    int watch; /* O_RDONLY */
};

/* hoistd serves on `address` (for people). From then on jobs may be started and removed. */
int launcher_client_ready(struct launcher_client *client, const char *address,
                          const struct launcher_lifeline *lifeline, launcher_done_fn *done,
                          void *owner, struct error *err);

/*
 * Starts a job. `spec` and `files` are borrowed for this call only. On success hoist-init runs, and
 * `result` is valid for the callback; TAKE_FD(result->pidfd) keeps the pidfd. On failure `failure`
 * says of what kind, result->limits.refused for which limit (SPAWN_FAILURE_UNAVAILABLE: no answer
 * came, and nobody can know whether the job runs: its state file and cgroup tell). *cgroups is
 * FD_NONE, or a new one in the place of Hello's: somebody had removed the root.
 */
typedef void launcher_spawn_fn(struct spawn_result *result, int *cgroups,
                               enum spawn_failure failure, const struct error *err, void *owner);
int launcher_client_spawn(struct launcher_client *client, const struct spawn_spec *spec,
                          const struct spawn_files *files, launcher_spawn_fn *done, void *owner,
                          struct error *err);

/* Kills the command's whole tree (cgroup.kill on cmd/). -ENOENT: no such job; -EOPNOTSUPP: jobs
 * have no cgroups here. */
int launcher_client_kill(struct launcher_client *client, const char *group, const struct id *id,
                         launcher_done_fn *done, void *owner, struct error *err);

/*
 * Kills what is left of a job and removes its cgroups. `err` with -EBUSY: killed, but not all gone
 * yet: ask again when cgroup.events changes. -ENOENT: it has none. On success `usage` is final.
 */
typedef void launcher_remove_fn(const struct cgroup_usage *usage, const struct error *err,
                                void *owner);
int launcher_client_remove(struct launcher_client *client, const char *group, const struct id *id,
                           launcher_remove_fn *done, void *owner, struct error *err);

/* One page of the jobs that have cgroups, sorted; `after` NULL: the first. Pass the last one of a
 * page with `more` to get the next. */
typedef void launcher_list_groups_fn(const struct launcher_page *page, const struct error *err,
                                     void *owner);
int launcher_client_list_groups(struct launcher_client *client,
                                const struct launcher_job_ref *after, launcher_list_groups_fn *done,
                                void *owner, struct error *err);

/*
 * The hoist-init of a job that another hoistd has started, as spawn_find() finds it: `result` is
 * valid for the callback and without limits, TAKE_FD(result->pidfd) keeps the pidfd.
 */
typedef void launcher_find_fn(struct spawn_result *result, const struct error *err, void *owner);
int launcher_client_find(struct launcher_client *client, const char *group, const struct id *id,
                         const struct spawn_process *known, launcher_find_fn *done, void *owner,
                         struct error *err);

/* The first tasks of a job that can't be ended. */
typedef void launcher_list_tasks_fn(const struct launcher_tasks *tasks, const struct error *err,
                                    void *owner);
int launcher_client_list_tasks(struct launcher_client *client, const char *group,
                               const struct id *id, launcher_list_tasks_fn *done, void *owner,
                               struct error *err);
