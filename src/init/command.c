/* SPDX-License-Identifier: Apache-2.0 */
#include "init/command.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/syscalls.h"
#include "wire/plan.h"

/*
 * A copy of this process, not CLONE_VM: hoist-init has a few dozen pages, so the copy is cheap, and
 * a child that already has the job's uid never shares memory with PID 1.
 *
 * The root of the new cgroup namespace is the cgroup that the child is born in, so that there is no
 * moment in which the command's process is in cmd/ and sees the cgroups above it.
 */
static int clone_child(int cgroup_fd)
{
    struct clone_args args = {.flags = CLONE_NEWCGROUP, .exit_signal = SIGCHLD};
    int pid;

    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)cgroup_fd;
        return sys_clone3(&args);
    }
    /* Rootless without delegation: no cgroup of the job's is there to be hidden. */
    pid = sys_clone3(&args);
    if (pid >= 0)
        return pid;
    args.flags = 0;
    return sys_clone3(&args);
}

int command_start(const struct command_setup *setup, struct command *ret, struct error *err)
{
    _cleanup_close_ int read_fd = FD_NONE;
    _cleanup_close_ int write_fd = FD_NONE;
    int fds[2], pid;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        int code = -errno;

        return error_set(err, code, "no pipe for the start: %s", strerror(-code));
    }
    read_fd = fds[0];
    write_fd = fds[1];
    pid = clone_child(setup->cgroup_fd);
    if (pid == 0)
        command_child(setup, write_fd);
    if (pid < 0)
        return error_set(err, pid, "the command's process can't be made: %s", strerror(-pid));
    *ret = (struct command){.pid = pid, .answer_fd = TAKE_FD(read_fd)};
    return 0;
}

int command_read_answer(int answer_fd, struct command_answer *ret)
{
    struct command_answer answer;
    ssize_t n;

    do
        n = read(answer_fd, &answer, sizeof(answer));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0)
        return 0;
    if (n != sizeof(answer)) /* one write below PIPE_BUF is never split */
        return -EPROTO;
    answer.sentence[sizeof(answer.sentence) - 1] = '\0';
    *ret = answer;
    return 1;
}
