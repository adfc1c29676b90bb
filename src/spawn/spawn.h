/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "linux/cgroup-stat.h"
#include "wire/limits.h"
#include "wire/spawn-spec.h"

struct error;

/*
 * From a checked specification to a running hoist-init.
 *
 * The context holds what is the same for every job and is made once: the root of the jobs' cgroups
 * with its controllers, hoist-init's image as a sealed memfd, the compiled seccomp filter, the
 * profile's prepared root. Used by the launcher and by libhoist's in-process spawner; by one thread
 * at a time. Nothing is logged; what is missing on this host is listed as degradations.
 *
 * A job's cgroups are <root>/<group>/<uuid>/{init,cmd}: hoist-init without limits in init/, the
 * command with all of them in cmd/.
 */

struct spawn_context;

/* A directory or file of the host that jobs of a profile see, too. */
struct spawn_bind {
    const char *source; /* absolute, of the host */
    const char *target; /* absolute, in the job's root: right below "/", or a place that is there */
    bool writable;
};

/*
 * Surroundings beside the default ones: what differs. Everything is borrowed and must outlive the
 * context.
 */
struct spawn_profile {
    const char *name;
    const char *rootfs; /* its top-level directories instead of the host's; NULL: the host's */
    bool rootfs_writable;
    bool network_host; /* the host's network instead of one of its own */
    bool userns; /* the command is root in a user namespace of its own, without capabilities */
    uid_t uid;   /* always this one, outside of the range for jobs; 0: one of the range */
    gid_t gid;
    const struct spawn_bind *binds;
    size_t bind_count;
};

struct spawn_options {
    /*
     * The jobs' cgroup root. With a leading slash: below the cgroup2 mount point. Without: below
     * our own cgroup where that is delegated to us (a systemd unit with Delegate=yes), else below
     * the mount point. NULL: "hoist". It is made as needed and removed, if empty, with the context.
     */
    const char *cgroup_root;

    const char *init_path; /* the installed hoist-init; absolute */

    uid_t agent_uid; /* what hoist-init becomes once the command was started; hoistd's */
    gid_t agent_gid;

    /*
     * About how many jobs may be there at the same time; 0: any number. The kernel counts their
     * cgroups (cgroup.max.descendants), four for a job that is the only one of its group and three
     * for each other, so that a third more may fit.
     */
    uint64_t jobs_max;

    /* Of the host, not for jobs: bytes of memory, processes and threads; 0: nothing is kept back.
     */
    uint64_t reserve_memory;
    uint64_t reserve_pids;

    uid_t job_uid_min; /* uids that a command may run as, both inclusive; ignored when rootless */
    uid_t job_uid_max;

    /*
     * Places of the host that jobs may not see, beside the profile's own (spawn/profile.h): the
     * agent's state, keys and configuration. Absolute; NULL-terminated; NULL: none. Directories
     * look empty, files too; what doesn't exist when the context is made is passed over.
     */
    const char *const *hidden;

    const struct spawn_profile *const *profiles; /* that a specification may name */
    size_t profile_count;

    /*
     * The context that this one is to replace, with the same cgroup root; NULL: none. hoist-init's
     * image is taken from it: the file may be another version's by now. Where the new one can't be
     * made, the root and what all jobs may take stay as they are. Borrowed for the call.
     */
    const struct spawn_context *predecessor;

    /* What all jobs' roots have in common is made ahead, as far as this host allows; whoever asks
     * for it calls spawn_context_settle() when it is due, and reaps our children. */
    bool root_ahead;
};

/*
 * Prepares everything. Without root (geteuid() ≠ 0) the context is rootless: jobs run in a user
 * namespace as our own user whatever uid their specification says, and have a cgroup only where one
 * is delegated to us. -EINVAL: an option; others: hoist-init can't be read, no seccomp filter can
 * be made, no cgroup root (only as root).
 */
int spawn_context_new(const struct spawn_options *options, struct spawn_context **ret,
                      struct error *err);

/* Accepts NULL; returns NULL. Running jobs are left alone; an empty cgroup root is removed. */
struct spawn_context *spawn_context_free(struct spawn_context *context);
DEFINE_CLEANUP(struct spawn_context *, spawn_context_free);
#define _cleanup_spawn_context_ _cleanup_(spawn_context_freep)

/* Frees a context of two that have the same cgroup root, which stays. Returns NULL. */
struct spawn_context *spawn_context_retire(struct spawn_context *context);

/*
 * What jobs with an adopt_wait watch: the reading end of a pipe that ends with the agent. Borrowed
 * until the next call; FD_NONE: none.
 */
void spawn_context_set_lifeline(struct spawn_context *context, int fd);

/*
 * With `root_ahead`: what is to be waited for (fd below 0: nothing), anew after each call of any of
 * these, and what is then to be called. The third is told of each child that was reaped: was it
 * the one that makes the root, and no job's? The fourth returns 0, or tells once why there is no
 * root ahead.
 */
struct pollfd spawn_context_waits(const struct spawn_context *context);
void spawn_context_settle(struct spawn_context *context);
bool spawn_context_reaped(struct spawn_context *context, pid_t pid);
int spawn_context_failure(struct spawn_context *context, struct error *ret);

/* What is so on this host; all borrowed from the context. */
bool spawn_context_is_rootless(const struct spawn_context *context);
/* The jobs' cgroup root below the cgroup2 mount point; "": none (rootless without delegation). */
const char *spawn_context_cgroup_root(const struct spawn_context *context);
/* The root itself, borrowed until the next spawn_job() (O_PATH); FD_NONE: none. */
int spawn_context_cgroups(const struct spawn_context *context);
/* Changes when spawn_job() had to make the root anew, since somebody had removed it. */
uint64_t spawn_context_cgroups_made(const struct spawn_context *context);
/* A descriptor of the root for a reader who is to see nothing else (linux/cgroup-view.h), the
 * caller's; or a negative errno. */
int spawn_context_show_cgroups(const struct spawn_context *context, struct error *err);
/* What can be kept for jobs. */
struct spawn_room spawn_context_room(const struct spawn_context *context);
/* LIMIT_BIT()s of the limits that can be put into force here. */
uint32_t spawn_context_enforceable(const struct spawn_context *context);
/* The first place in sight of the default profile's jobs whose disk input and output nothing can
 * limit, borrowed until spawn_context_heed_mounts() or spawn_job(); NULL: there is none. */
const char *spawn_context_unlimited_place(const struct spawn_context *context);
/* One sentence for each lack, NULL-terminated; never NULL. */
char *const *spawn_context_degradations(const struct spawn_context *context);

/*
 * What tells that the host's mounts have changed. spawn_context_heed_mounts(), which is then to be
 * called, gives up a root ahead in which file systems would be kept that the host has unmounted,
 * and looks for the disks behind the mounts again. 1: the degradations are others than before.
 * Starts don't rely on it: each of them asks for itself.
 */
struct pollfd spawn_context_mounts(const struct spawn_context *context);
int spawn_context_heed_mounts(struct spawn_context *context, struct error *err);

/*
 * Checks the specification once more, makes the cgroups, writes the limits and reads them back, and
 * starts hoist-init. On success *ret is filled (its pidfd is the caller's) and *ret_failure is
 * SPAWN_FAILURE_NONE; hoist-init is then running, and says in files->state whether the command was
 * executed. On failure nothing is left behind, and *ret_failure is one of REFUSED (the
 * specification), LIMIT_NOT_ENFORCEABLE (which: ret->limits.refused), CGROUP, SPAWN. `files` stay
 * the caller's.
 */
int spawn_job(struct spawn_context *context, const struct spawn_spec *spec,
              const struct spawn_files *files, struct spawn_result *ret,
              enum spawn_failure *ret_failure, struct error *err);

/*
 * Kills the command's whole tree as it is now (cgroup.kill on cmd/); hoist-init then drains,
 * records and ends. A command that hoist-init has yet to start is not reached: CONTROL_KILL
 * (wire/control.h), which waits for hoist-init, comes first, and this is for a tree that outlives
 * it. -ENOENT: no such job; -EOPNOTSUPP: jobs have no cgroups here.
 */
int spawn_kill(struct spawn_context *context, const char *group, const struct id *id,
               struct error *err);

/*
 * Ends a job's cgroups: reads the final usage of cmd/, kills what is left in both, removes them,
 * and the group's directory with the last job. -EBUSY while killed processes are still on their way
 * out: ask again (cgroup.events of the job tells when). -ENOENT when there is no such job, also
 * where jobs have no cgroups. *ret_usage (may be NULL) is filled with 0 and with -EBUSY.
 */
int spawn_remove(struct spawn_context *context, const char *group, const struct id *id,
                 struct cgroup_usage *ret_usage, struct error *err);

/*
 * Calls `found` for each job that has cgroups, in no order; a return value other than 0 ends the
 * walk and is returned. `populated`: a process of it is left, hoist-init included. Strings are
 * valid during the call. Directories that are no jobs' are passed over.
 */
typedef int spawn_found_fn(const char *group, const struct id *id, bool populated, void *data);
int spawn_list(struct spawn_context *context, spawn_found_fn *found, void *data, struct error *err);

/*
 * The hoist-init of a job after whoever started it has died. With a `known` pid it is the process
 * of that pid and start time; else the one that is found in the job's cgroup. Returns 0 and fills
 * all of *ret but the limits (the caller owns the pidfd). -ESRCH: it is gone; -ENOENT: nobody knows
 * it and there never was one; -EOPNOTSUPP: nobody knows it, and jobs have no cgroups here; others
 * leave open whether it lives.
 */
int spawn_find(const struct spawn_context *context, const char *group, const struct id *id,
               const struct spawn_process *known, struct spawn_result *ret, struct error *err);

/*
 * The first tasks of the command's tree, when it can't be ended: at most SPAWN_TASKS_MAX. Returns
 * how many, or a negative errno.
 */
int spawn_tasks(const struct spawn_context *context, const char *group, const struct id *id,
                struct spawn_task ret[static SPAWN_TASKS_MAX], struct error *err);

/* The group names that cgroups are made for: "p-" and a valid principal (base/strv.h). */
bool spawn_group_is_valid(const char *group);
