/* SPDX-License-Identifier: Apache-2.0 */
#include "init/user-namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define MAP_MAX 32 /* "0 4294967294 1" */

static int refuse(struct error *err, const char *what)
{
    int code = -errno;

    return error_set(err, code, "%s: %s", what, strerror(-code));
}

/*
 * A process may map its own effective ids by itself, if these files are its own: they are root's
 * while it isn't dumpable, which a change of uid makes it.
 */
static int become(uid_t uid, gid_t gid, struct error *err)
{
    if (setgroups(0, NULL) < 0)
        return refuse(err, "supplementary groups can't be dropped");
    if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return refuse(err, "the ids for the user namespace can't be had");
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return refuse(err, "the process can't be made its own");
    return 0;
}

static int map_write(int proc_fd, const char *file, const char *text, struct error *err)
{
    _cleanup_close_ int fd = openat(proc_fd, file, O_WRONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));

    if (r < 0)
        return error_set(err, r, "%s can't be written: %s", file, strerror(-r));
    return 0;
}

static int map_ids(uid_t uid, gid_t gid, int proc_fd, struct error *err)
{
    char users[MAP_MAX], groups[MAP_MAX];
    int r = map_write(proc_fd, "self/setgroups", "deny", err);

    (void)snprintf(users, sizeof(users), "0 %u 1", uid);
    (void)snprintf(groups, sizeof(groups), "0 %u 1", gid);
    if (r >= 0)
        r = map_write(proc_fd, "self/uid_map", users, err);
    return r < 0 ? r : map_write(proc_fd, "self/gid_map", groups, err);
}

int user_namespace_enter(uid_t uid, gid_t gid, int proc_fd, struct error *err)
{
    int r = become(uid, gid, err);

    if (r < 0)
        return r;
    if (unshare(CLONE_NEWUSER) < 0)
        return refuse(err, "the command can't have a user namespace");
    return map_ids(uid, gid, proc_fd, err);
}
