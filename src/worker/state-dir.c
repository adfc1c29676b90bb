/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/state-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define LIFELINE "lifeline"

void state_dir_close(struct state_dir *dir)
{
    dir->jobs = fd_close(dir->jobs);
    dir->fd = fd_close(dir->fd);
    dir->lock = fd_close(dir->lock);
    free(dir->path);
    dir->path = NULL;
}

static int check_owner_and_mode(int fd, const char *path, struct error *err)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return error_set(err, -errno, "can't look at the state directory %s: %m", path);
    if (status.st_uid != geteuid())
        return error_set(err, -EPERM,
                         "the state directory %s belongs to uid %u, not to us; mend it with: "
                         "chown %u %s",
                         path, status.st_uid, geteuid(), path);
    if (status.st_mode & 077)
        return error_set(err, -EPERM,
                         "others may enter the state directory %s (mode %04o); mend it with: "
                         "chmod 0700 %s",
                         path, status.st_mode & 07777, path);
    return 0;
}

static int open_checked(const char *path, int *ret, struct error *err)
{
    _cleanup_close_ int fd = FD_NONE;
    int r;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "can't make the state directory %s: %m", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, -errno, "can't open the state directory %s: %m", path);
    r = check_owner_and_mode(fd, path, err);
    if (r < 0)
        return r;
    *ret = TAKE_FD(fd);
    return 0;
}

/* The pid in the file is for people only: what counts is the lock, which ends with its holder. */
static int lock_is_held(int lock, const char *path, struct error *err)
{
    char holder[16] = "";
    ssize_t n = pread(lock, holder, sizeof(holder) - 1, 0);

    holder[n > 0 ? strspn(holder, "0123456789") : 0] = 0;
    return error_set(err, -EBUSY,
                     "another agent%s%s has the state directory %s; stop it, or choose another "
                     "directory",
                     holder[0] ? " with pid " : "", holder, path);
}

static int take_lock(const struct state_dir *dir, const char *path, int *ret, struct error *err)
{
    _cleanup_close_ int lock =
        openat(dir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    char pid[16];
    int length;

    if (lock < 0)
        return error_set(err, -errno, "can't open %s/lock: %m", path);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? lock_is_held(lock, path, err)
                   : error_set(err, -errno, "can't lock the state directory %s: %m", path);
    length = snprintf(pid, sizeof(pid), "%d\n", getpid());
    /* A full disk must not keep an agent from starting: without it the pid is only not told. */
    if (ftruncate(lock, 0) == 0)
        (void)fd_pwrite_full(lock, pid, (size_t)length, 0);
    *ret = TAKE_FD(lock);
    return 0;
}

/* Of a FIFO that has had a writer the end is told (pipe(7)): so the holding end comes first. */
int state_dir_open_lifeline(const struct state_dir *dir, int *ret_hold, int *ret_watch,
                            struct error *err)
{
    const int flags = O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_close_ int hold = FD_NONE, watch = FD_NONE;
    struct stat status;

    if (mkfifoat(dir->fd, LIFELINE, 0600) < 0 && errno != EEXIST)
        return error_set(err, -errno, "can't make the lifeline in the state directory: %m");
    hold = openat(dir->fd, LIFELINE, O_RDWR | flags);
    watch = hold < 0 ? FD_NONE : openat(dir->fd, LIFELINE, O_RDONLY | flags);
    if (watch < 0 || fstat(watch, &status) < 0)
        return error_set(err, -errno, "can't open the lifeline in the state directory: %m");
    if (!S_ISFIFO(status.st_mode))
        return error_set(err, -EINVAL,
                         "the lifeline in the state directory is no FIFO; move it away");
    *ret_hold = TAKE_FD(hold);
    *ret_watch = TAKE_FD(watch);
    return 0;
}

int state_dir_open(const char *path, struct state_dir *ret, struct error *err)
{
    _cleanup_state_dir_ struct state_dir dir = STATE_DIR_NULL;
    int r = open_checked(path, &dir.fd, err);

    if (r == 0)
        r = take_lock(&dir, path, &dir.lock, err);
    if (r < 0)
        return r;
    if (mkdirat(dir.fd, "jobs", 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "can't make %s/jobs: %m", path);
    dir.jobs = openat(dir.fd, "jobs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir.jobs < 0)
        return error_set(err, -errno, "can't open %s/jobs: %m", path);
    r = check_owner_and_mode(dir.jobs, path, err);
    if (r < 0)
        return r;
    dir.path = realpath(path, NULL);
    if (!dir.path)
        return error_set(err, -errno, "can't tell where the state directory %s is: %m", path);
    *ret = dir;
    dir = STATE_DIR_NULL;
    return 0;
}
