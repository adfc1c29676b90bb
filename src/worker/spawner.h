/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cgroup-usage.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/id.h"
#include "base/pidref.h"
#include "wire/control.h"
#include "wire/spawn-spec.h"

/*
 * The seam between the registry of jobs and whatever makes processes: the launcher (hoistd), the
 * calling process itself (libhoist alone), a fake (tests).
 *
 * All requests are asynchronous. A completion is called later from the event loop, exactly once,
 * and never inside the call that asked for it; spawner_free() drops what is under way without
 * calling. Each request copies what it needs before it returns 0, or a negative errno when it can't
 * even be asked (-ENOMEM, -EPIPE, -ENOBUFS); then there is no completion.
 */

struct spawner;

/* What came of a Spawn. With code 0 `result` is filled; the callee takes the pidfd with TAKE_FD.
 * Otherwise result.limits.refused alone may be. */
struct spawner_started {
    int code; /* 0 or a negative errno */
    enum spawn_failure failure;
    struct error error;
    struct spawn_result result;
};

/* What came of a Remove: the cgroups are gone, and these are their last figures. */
struct spawner_removed {
    int code; /* 0; -EBUSY: something in them lives yet, ask again; or another errno */
    struct error error;
    struct cgroup_usage usage; /* with code 0 */
};

/* One job's cgroups as found on the host. */
struct spawner_group {
    struct id id;
    char group[SPAWN_GROUP_MAX];
};

struct spawner_groups {
    int code;
    struct error error;
    const struct spawner_group *groups; /* valid during the call */
    size_t count;
};

/* Who a job's hoist-init is. */
struct spawner_found {
    int code; /* as spawn_find() returns it; with 0 the callee takes result.pidfd with TAKE_FD */
    struct error error;
    struct spawn_result result;
};

/* The first tasks of a job that can't be ended. */
struct spawner_tasks {
    int code;
    size_t count;
    struct spawn_task list[SPAWN_TASKS_MAX];
};

typedef void spawner_started_fn(struct spawner_started *started, void *userdata);
typedef void spawner_killed_fn(int code, void *userdata);
typedef void spawner_removed_fn(const struct spawner_removed *removed, void *userdata);
typedef void spawner_listed_fn(const struct spawner_groups *groups, void *userdata);
typedef void spawner_found_fn(struct spawner_found *found, void *userdata);
typedef void spawner_tasks_fn(const struct spawner_tasks *tasks, void *userdata);

struct spawner_class {
    const char *name; /* for messages: "launcher" */
    int (*spawn)(struct spawner *spawner, const struct spawn_spec *spec,
                 const struct spawn_files *files, spawner_started_fn *done, void *userdata);
    /* SIGKILL to everything in the job's cmd/; -ENOENT when there is no such cgroup. */
    int (*kill)(struct spawner *spawner, const struct id *id, const char *group,
                spawner_killed_fn *done, void *userdata);
    /* Reads the last figures, then removes the job's cgroups; -ENOENT: there were none. */
    int (*remove)(struct spawner *spawner, const struct id *id, const char *group,
                  spawner_removed_fn *done, void *userdata);
    /* All cgroups of jobs below the root. */
    int (*list)(struct spawner *spawner, spawner_listed_fn *done, void *userdata);
    /* Figures of a living job whose cmd/ is `cgroup` (spawn_result.cgroup), read at once: files of
     * cgroupfs don't block. 0 or a negative errno. */
    int (*usage)(struct spawner *spawner, const char *cgroup, struct cgroup_usage *ret);
    /* All of them by the kernel's names: "cpu.stat.usage_usec 123"; NULL-terminated, the caller's.
     * NULL: there are none. */
    int (*statistics)(struct spawner *spawner, const char *cgroup, char ***ret);
    /* The tasks of a job that can't be ended. */
    int (*tasks)(struct spawner *spawner, const struct id *id, const char *group,
                 spawner_tasks_fn *done, void *userdata);
    /* The hoist-init of a job that was started before this spawner was there: spawn_find(). */
    int (*find)(struct spawner *spawner, const struct id *id, const char *group,
                const struct spawn_process *known, spawner_found_fn *done, void *userdata);
    /* NULL: a queued signal to the pidfd (wire/control.h). For spawners without processes. */
    int (*control)(struct spawner *spawner, const struct pidref *init,
                   const struct control_request *request);
    void (*free)(struct spawner *spawner);
};

/* The head of every implementation's own struct. */
struct spawner {
    const struct spawner_class *class;
    struct spawn_room room;    /* what can be kept for jobs */
    char *const *degradations; /* one sentence for each lack of the host; borrowed; NULL: none */
};

int spawner_spawn(struct spawner *spawner, const struct spawn_spec *spec,
                  const struct spawn_files *files, spawner_started_fn *done, void *userdata);
int spawner_kill(struct spawner *spawner, const struct id *id, const char *group,
                 spawner_killed_fn *done, void *userdata);
int spawner_remove(struct spawner *spawner, const struct id *id, const char *group,
                   spawner_removed_fn *done, void *userdata);
int spawner_list(struct spawner *spawner, spawner_listed_fn *done, void *userdata);
int spawner_usage(struct spawner *spawner, const char *cgroup, struct cgroup_usage *ret);
int spawner_statistics(struct spawner *spawner, const char *cgroup, char ***ret);
int spawner_tasks(struct spawner *spawner, const struct id *id, const char *group,
                  spawner_tasks_fn *done, void *userdata);
int spawner_find(struct spawner *spawner, const struct id *id, const char *group,
                 const struct spawn_process *known, spawner_found_fn *done, void *userdata);

/* Asks a job's hoist-init for something. -ESRCH when it has ended. */
int spawner_control(struct spawner *spawner, const struct pidref *init,
                    const struct control_request *request);

/* Accepts NULL; returns NULL. */
struct spawner *spawner_free(struct spawner *spawner);
DEFINE_CLEANUP(struct spawner *, spawner_free);
