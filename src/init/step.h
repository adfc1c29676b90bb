/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/plan.h"

/*
 * What the steps of a plan share, and one function for each op. Each returns 0, or a negative errno
 * for the caller to put into words; -ENOENT and -ENOTDIR mean that source or target is not there.
 */

struct step_state {
    int root_fd;        /* O_PATH of the new root; FD_NONE before it is made */
    int null_fd;        /* the host's /dev/null; borrowed */
    int mask_file_fd;   /* the first mounted mask of each kind, of which the others are clones: */
    int mask_folder_fd; /* FD_NONE until then */
};

typedef int step_fn(struct step_state *state, const struct plan_step *step);

/* steps-root.c */
step_fn step_private_mounts, step_slave_mounts, step_root_tmpfs, step_root_clone, step_root_ready,
    step_pivot;
/* steps-mount.c */
step_fn step_mount, step_bind, step_device, step_attributes, step_mask, step_own_mount;
/* steps-file.c */
step_fn step_mkdir, step_symlink;
/* steps-system.c */
step_fn step_hostname, step_loopback_up, step_session_keyring;

static inline bool step_has(const struct plan_step *step, enum plan_step_flags flag)
{
    return step->flags & flag;
}

/* A detached mount of a fresh file system, with "key=value,key" options; owned by the caller. */
int mount_new(const char *type, const char *options, uint64_t attributes);

/* MOUNT_ATTR_* of the mount `fd`; nothing to do for 0. */
int mount_set_attributes(int fd, uint64_t attributes, bool recursive);
