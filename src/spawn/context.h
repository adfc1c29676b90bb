/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "linux/cgroup-tree.h"
#include "linux/disks.h"
#include "linux/mount-watch.h"
#include "linux/syscall-filter.h"
#include "spawn/host-view.h"
#include "spawn/ready-root.h"
#include "wire/spawn-spec.h"

struct error;
struct spawn_profile;

/* A profile with what its root shows. */
struct context_profile {
    const struct spawn_profile *given; /* borrowed; of the default one all is zero */
    struct host_view view;
    char *rootfs;          /* given->rootfs without symbolic links; NULL: the host's root */
    char **sources;        /* of given->binds, in their order, without symbolic links */
    struct disk_set disks; /* behind the mounts that its jobs see (spawn/disk-limits.h) */
};

/*
 * What src/spawn keeps from one start to the next. Private to this folder; spawn/spawn.h says what
 * a context is.
 */
struct spawn_context {
    bool rootless;
    uid_t agent_uid;
    gid_t agent_gid;
    uid_t job_uid_min, job_uid_max;

    struct cgroup_tree tree;
    char *root;           /* of the jobs' cgroups, below the mount point; "": none */
    int root_fd;          /* O_PATH; FD_NONE: none */
    uint64_t root_made;   /* how often */
    uint32_t controllers; /* CGROUP_CONTROLLER_… that its children have */
    uint64_t jobs_max;    /* 0: any number */
    uint64_t reserve_memory, reserve_pids; /* 0: none */
    struct spawn_room room;
    bool keeps; /* something is kept for a job (spawn/reserves.h), or was */

    uint32_t enforceable; /* LIMIT_BIT()s */
    int sysfs_fd;         /* O_PATH */
    uint64_t open_files;  /* the largest RLIMIT_NOFILE that we can give; UINT64_MAX: any */
    uint64_t core_size;

    struct context_profile *profiles; /* the default one first */
    size_t profile_count;
    struct mount_watch mounts; /* who looks at the host's mounts keeps its number */
    uint64_t disks_of;         /* the profiles' disks are those of this number; 0: of none */
    struct ready_root ready_root;
    struct syscall_filter filter;
    int program;  /* hoist-init's image */
    int null;     /* /dev/null, for its standard descriptors */
    int lifeline; /* borrowed; FD_NONE: none */

    char **lacks;        /* that last as long as the context */
    char **degradations; /* these, and what the mounts of the moment bring */
};

/* The profile that a specification names; NULL: there is none of that name. */
const struct context_profile *context_profile_find(const struct spawn_context *context,
                                                   const char *name);

/* The job shares the host's network. */
bool context_network_is_hosts(const struct context_profile *profile, const struct spawn_spec *spec);

/*
 * Makes the cgroup root, or makes it anew: another agent that used the same one may have removed it
 * as its own. Sets root_fd and controllers, and puts into force what all jobs may take.
 */
int context_make_root(struct spawn_context *context, struct error *err);

/* Where we step aside to in a cgroup that was delegated to us and that we must divide. */
#define AGENT_LEAF "agent"

/* Room for "/<group>/<uuid>/cmd" behind it in struct spawn_result. */
#define SPAWN_ROOT_MAX 140
