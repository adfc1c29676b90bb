/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/park.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "launcher/notify.h"
#include "linux/cgroup-stat.h"
#include "linux/cgroup-tree.h"

#define PARK_LEAF "parked"
#define INIT_LEAF "init" /* of a job: hoist-init's (spawn/job-cgroups.h) */
#define DEPTH_MAX 8      /* root, principal, job, leaf, and what an administrator puts above */

/* --- what is there ------------------------------------------------------------------------------
 */

/* SIGTERM is what hoist-init takes for a stop. Between the list and the pidfd it may have ended and
 * its number be another's: the second look at the list tells. */
static void stop_process(int dir_fd, pid_t pid)
{
    _cleanup_close_ int pidfd = pidfd_open(pid, 0);
    char procs[256], *line, *rest = procs;

    if (pidfd < 0 || cgroup_file_read(dir_fd, "cgroup.procs", procs, sizeof(procs)) < 0)
        return;
    while ((line = strsep(&rest, "\n")))
        if (strtol(line, NULL, 10) == pid)
            (void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0); /* fails when it has ended */
}

/* Before hoist-init makes the command's cgroup, and behind it, it is the only one in its own. */
static void stop_init(int dir_fd)
{
    char procs[256];

    if (cgroup_file_read(dir_fd, "cgroup.procs", procs, sizeof(procs)) >= 0 && procs[0])
        stop_process(dir_fd, (pid_t)strtol(procs, NULL, 10));
}

static void stop_below(int dir_fd, unsigned depth)
{
    _cleanup_strv_ char **names = NULL;

    if (depth == 0 || cgroup_children(dir_fd, &names) < 0)
        return;
    for (char **name = names; name && *name; name++) {
        _cleanup_close_ int fd = cgroup_open(dir_fd, *name, NULL);

        if (fd < 0)
            continue;
        if (text_equal(*name, INIT_LEAF))
            stop_init(fd);
        else
            stop_below(fd, depth - 1);
    }
}

/* --- ending -------------------------------------------------------------------------------------
 */

static int wait_until_empty(int dir_fd, int signalfd)
{
    _cleanup_close_ int events = openat(dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    struct signalfd_siginfo info;

    while (events >= 0 && cgroup_is_populated(dir_fd) > 0) {
        struct pollfd waiting[] = {
            {.fd = events, .events = POLLPRI},
            {.fd = signalfd, .events = POLLIN},
        };
        char text[64];

        /* Reading is what arms the next POLLPRI (kernfs). */
        (void)!pread(events, text, sizeof(text), 0);
        if (cgroup_is_populated(dir_fd) <= 0)
            break;
        if (poll(waiting, ARRAY_SIZE(waiting), -1) > 0 && waiting[1].revents &&
            read(signalfd, &info, sizeof(info)) > 0 && info.ssi_signo != SIGCHLD)
            return -EINTR; /* told again: whoever told us ends what is left */
    }
    return 0;
}

static void end_jobs(int own_fd, int signalfd)
{
    _cleanup_strv_ char **names = NULL;

    stop_below(own_fd, DEPTH_MAX);
    if (cgroup_children(own_fd, &names) < 0)
        return;
    for (char **name = names; name && *name; name++) {
        _cleanup_close_ int fd = cgroup_open(own_fd, *name, NULL);

        if (fd >= 0 && !text_equal(*name, PARK_LEAF) && wait_until_empty(fd, signalfd) < 0)
            return;
    }
}

/* --- parking ------------------------------------------------------------------------------------
 */

static int step_aside(int *ret_own, struct error *err)
{
    _cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NULL;
    _cleanup_close_ int own = FD_NONE, leaf = FD_NONE;
    int r = cgroup_tree_open(&tree, err);

    if (r < 0)
        return r;
    own = cgroup_open(tree.fd, tree.own, err);
    if (own < 0)
        return own;
    if (!cgroup_is_delegated(own))
        return error_set(err, -EPERM,
                         "the cgroup /%s was not delegated to us: the unit lacks Delegate=yes",
                         tree.own);
    leaf = cgroup_make(own, PARK_LEAF, NULL, err);
    r = leaf < 0 ? leaf : cgroup_attach(leaf, 0, err);
    if (r < 0)
        return r;
    *ret_own = TAKE_FD(own);
    return 0;
}

int park(int signalfd, struct error *err)
{
    struct pollfd waiting = {.fd = signalfd, .events = POLLIN};
    _cleanup_close_ int own = FD_NONE;
    struct signalfd_siginfo info = {.ssi_signo = 0};
    int r = step_aside(&own, err);

    if (r < 0)
        return r;
    notify_manager("READY=1\nSTATUS=holding the cgroup of the jobs");
    while (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT)
        if (poll(&waiting, 1, -1) < 0 || read(signalfd, &info, sizeof(info)) < 0)
            info.ssi_signo = 0; /* EINTR, EAGAIN: no signal of ours */
    notify_manager("STOPPING=1\nSTATUS=ending the jobs");
    log_info("ending the jobs");
    end_jobs(own, signalfd);
    return 0;
}
