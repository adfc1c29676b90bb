/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct cgroup_tree;
struct error;

/*
 * A descriptor of the cgroup `path` below the mount point, for a process that is to read what is
 * in it and below and nothing else: of a mount of its own, read-only and attached nowhere, whose
 * root is that cgroup. So ".." leads back to it, and whoever holds it needs no cgroup file system
 * in its root (open_tree(2), mount_setattr(2)). It doesn't keep the cgroup from being removed; what
 * is made anew in its place is another one.
 *
 * Made by whoever may mount: root as it is, another user by a child in namespaces of its own. Where
 * neither works it is a plain descriptor, out of which ".." leads; there nobody could put the
 * reader into a root of its own either (linux/cage.h).
 *
 * Returns it (O_PATH, the caller's) or a negative errno.
 */
int cgroup_view_open(const struct cgroup_tree *tree, const char *path, struct error *err);
