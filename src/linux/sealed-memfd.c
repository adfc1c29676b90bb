/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/sealed-memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#ifndef MFD_EXEC
#    define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#    define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Kernels before 6.3 refuse the flags about execution and make every memfd executable. */
static int memfd_open(const char *name, unsigned flag)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | flag);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, flags);
    return fd < 0 ? -errno : fd;
}

static int memfd_seal(int fd)
{
    if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return 0;
}

int memfd_sealed(const char *name, const void *data, size_t size, struct error *err)
{
    _cleanup_close_ int fd = memfd_open(name, MFD_NOEXEC_SEAL);
    int r = fd;

    if (fd >= 0)
        r = fd_write_full(fd, data, size);
    if (r >= 0)
        r = memfd_seal(fd);
    if (r < 0)
        return error_set(err, r, "can't make the memfd %s: %s", name, strerror(-r));
    return TAKE_FD(fd);
}

static int file_copy(int from, int to, off_t size)
{
    while (size > 0) {
        ssize_t n = sendfile(to, from, NULL, (size_t)size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        size -= n;
    }
    return 0;
}

/* Of the descriptor that is read or executed: what the path leads to afterwards doesn't matter. */
static int program_check(int fd, const char *path, struct stat *ret, struct error *err)
{
    uid_t us = geteuid();

    if (fstat(fd, ret) < 0)
        return error_set(err, -errno, "can't examine %s: %s", path, strerror(errno));
    if (!S_ISREG(ret->st_mode) || !(ret->st_mode & 0111) || ret->st_size == 0)
        return error_set(err, -ENOEXEC, "%s is not an executable file", path);
    if (ret->st_uid != 0 && ret->st_uid != us)
        return error_set(err, -EPERM, "%s belongs to uid %u, who could change it: chown root", path,
                         (unsigned)ret->st_uid);
    if (ret->st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, -EPERM, "%s has mode %04o, others may change it: chmod go-w", path,
                         (unsigned)(ret->st_mode & 07777));
    return 0;
}

static int program_open_itself(const char *path, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat stat;
    int r;

    if (fd < 0)
        return error_set(err, -errno, "can't open %s: %s", path, strerror(errno));
    r = program_check(fd, path, &stat, err);
    return r < 0 ? r : TAKE_FD(fd);
}

int memfd_program(const char *path, struct error *err)
{
    _cleanup_close_ int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), fd = FD_NONE;
    const char *name = strrchr(path, '/');
    struct stat stat;
    int r;

    if (file < 0)
        return error_set(err, -errno, "can't open %s: %s", path, strerror(errno));
    r = program_check(file, path, &stat, err);
    if (r < 0)
        return r;

    fd = memfd_open(name ? name + 1 : path, MFD_EXEC);
    if (fd == -EACCES)
        return program_open_itself(path, err);
    r = fd < 0 ? fd : file_copy(file, fd, stat.st_size);
    if (r >= 0)
        r = memfd_seal(fd);
    if (r < 0)
        return error_set(err, r, "can't copy %s into memory: %s", path, strerror(-r));
    return TAKE_FD(fd);
}
