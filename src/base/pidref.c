/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pidref.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAT_TEXT_MAX      4096
#define STAT_START_TIME_AT 20 /* blanks between ")" and field 22 of /proc/PID/stat */

void pidref_done(struct pidref *ref)
{
    fd_close(ref->fd);
    *ref = PIDREF_NULL;
}

int pid_start_time(pid_t pid, uint64_t *ret)
{
    _cleanup_free_ char *text = NULL;
    char path[32], *at, *end;
    uint64_t value;
    int r;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    r = file_read(AT_FDCWD, path, STAT_TEXT_MAX, &text, NULL);
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    /* The name in parentheses may hold anything, also blanks and ")": the last one ends it. */
    at = strrchr(text, ')');
    for (unsigned blank = 0; at && blank < STAT_START_TIME_AT; blank++)
        at = strchr(at + 1, ' ');
    if (!at)
        return -EBADMSG;
    errno = 0;
    value = strtoull(at + 1, &end, 10);
    if (errno != 0 || end == at + 1)
        return -EBADMSG;
    *ret = value;
    return 0;
}

int pidref_take(pid_t pid, int pidfd, struct pidref *ret)
{
    uint64_t start_time;
    int r = pid_start_time(pid, &start_time);

    if (r < 0)
        return r;
    *ret = (struct pidref){.pid = pid, .start_time = start_time, .fd = pidfd};
    return 0;
}

int pidref_reopen(pid_t pid, uint64_t start_time, struct pidref *ret)
{
    _cleanup_close_ int fd = FD_NONE;
    uint64_t found;
    int r;

    if (pid <= 0)
        return -ESRCH;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    /* A thread of another process has the pid now: EINVAL, on newer kernels ENOENT. */
    if (fd < 0)
        return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
    /* Read after the pidfd was opened: it still is that process, or the pidfd names a dead one. */
    r = pid_start_time(pid, &found);
    if (r < 0)
        return r;
    if (found != start_time)
        return -ESRCH;
    *ret = (struct pidref){.pid = pid, .start_time = start_time, .fd = TAKE_FD(fd)};
    return pidref_has_ended(ret) ? (pidref_done(ret), -ESRCH) : 0;
}

int pidref_kill(const struct pidref *ref, int signal)
{
    if (ref->fd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, ref->fd, signal, NULL, 0) < 0 ? -errno : 0;
}

int pidref_queue(const struct pidref *ref, int signal, int value)
{
    siginfo_t info = {
        .si_signo = signal,
        .si_code = SI_QUEUE,
    };

    if (ref->fd < 0)
        return -ESRCH;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    return syscall(SYS_pidfd_send_signal, ref->fd, signal, &info, 0) < 0 ? -errno : 0;
}

bool pidref_has_ended(const struct pidref *ref)
{
    struct pollfd poll_fd = {.fd = ref->fd, .events = POLLIN};

    return ref->fd < 0 || (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN));
}

int boot_id_read(struct id *ret)
{
    _cleanup_free_ char *text = NULL;
    int r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL);

    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = 0;
    return id_parse(text, ret);
}
