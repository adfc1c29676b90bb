/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/*
 * Starting a program in new namespaces and straight inside a cgroup, by one clone3(2).
 *
 * The child borrows our memory until it executes (CLONE_VM | CLONE_VFORK), so starting costs the
 * same from a small process as from a large one; it runs on a stack of its own and makes nothing
 * but system calls. Our thread sleeps meanwhile, other threads run on.
 */

struct clone_request {
    uint64_t namespaces; /* CLONE_NEW… */
    /* An open mount namespace (setns(2)) of which it gets a copy, and its root. NULL: none; instead
     * of CLONE_NEWNS and not with CLONE_NEWUSER. */
    const int *mounts;
    int cgroup;  /* directory (O_PATH will do) that it is born in; FD_NONE: our own */
    int program; /* executed by execveat(2) with AT_EMPTY_PATH */
    char *const *argv;
    char *const *env;
    const int *fds;  /* fds[i] becomes descriptor i; FD_NONE: i is closed */
    size_t fd_count; /* everything from here on is closed */
};

#define CLONE_FDS_MAX 64

/*
 * Returns 0 when the program has been executed: it is our child, *ret_pidfd is the caller's, who
 * also reaps it (waitid(2) with P_PIDFD). It starts with every signal blocked, so that none is lost
 * before it is ready, and with all signal dispositions at their defaults.
 *
 * With CLONE_NEWUSER the child is 0 in its user namespace, mapped to our own effective uid and gid;
 * setgroups(2) is denied in there.
 *
 * On failure nothing is left, and the sentence names the step that failed.
 */
int clone_execute(const struct clone_request *request, pid_t *ret_pid, int *ret_pidfd,
                  struct error *err);
