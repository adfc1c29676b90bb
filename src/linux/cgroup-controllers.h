/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct cgroup_tree;
struct error;

/*
 * The controllers of the cgroup v2 hierarchy: which there are, and handing them on down the tree.
 */

/* The controllers that hoist uses, as bits. */
enum {
    CGROUP_CONTROLLER_CPU = 1 << 0,
    CGROUP_CONTROLLER_IO = 1 << 1,
    CGROUP_CONTROLLER_MEMORY = 1 << 2,
    CGROUP_CONTROLLER_PIDS = 1 << 3,
};
#define CGROUP_CONTROLLERS_ALL                                                                     \
    (CGROUP_CONTROLLER_CPU | CGROUP_CONTROLLER_IO | CGROUP_CONTROLLER_MEMORY |                     \
     CGROUP_CONTROLLER_PIDS)

/* CGROUP_CONTROLLER_… that this cgroup may use (cgroup.controllers), or hand on (subtree_control).
 */
int cgroup_controllers(int dir_fd, uint32_t *ret_available, uint32_t *ret_handed_on);

/*
 * Hands `wanted` on to the children of this one cgroup, all or none. 0 or a negative errno: -ENOENT
 * when one isn't available here, -EBUSY when processes are in the way.
 */
int cgroup_hand_on(int dir_fd, uint32_t wanted);

/*
 * Makes as many of `wanted` as possible available in the cgroup `path`, by handing them on in every
 * directory from the mount point to the parent of `path`, and hands them on in `path` itself. Where
 * our own cgroup stands in the way (processes and controllers for children exclude each other), we
 * move ourselves, and only ourselves, into the child `leaf` of our own cgroup. *ret_handed_on:
 * those that children of `path` have. Less than was wanted is no error here: the caller knows which
 * limits it needs. `path` must exist.
 */
int cgroup_tree_enable(struct cgroup_tree *tree, const char *path, uint32_t wanted,
                       const char *leaf, uint32_t *ret_handed_on, struct error *err);

/* "memory" for one bit; NULL for another value. */
const char *cgroup_controller_name(uint32_t controller);
