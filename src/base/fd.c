/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

int fd_close(int fd)
{
    int saved = errno;

    if (fd >= 0) {
        /* Never again after EINTR: Linux has closed it already (close(2)). */
        (void)close(fd);
    }
    errno = saved;
    return FD_NONE;
}

/* One of the four transfers, whatever was moved so far is behind `data`. */
#define TRANSFER_FULL(call, at_end)                                                                \
    while (size > 0) {                                                                             \
        ssize_t moved = (call);                                                                    \
                                                                                                   \
        if (moved < 0 && errno == EINTR)                                                           \
            continue;                                                                              \
        if (moved < 0)                                                                             \
            return -errno;                                                                         \
        if (moved == 0)                                                                            \
            return (at_end);                                                                       \
        data = (__typeof__(data))((uintptr_t)data + (size_t)moved);                                \
        offset += moved;                                                                           \
        (void)offset; /* read(2) and write(2) have their own */                                    \
        size -= (size_t)moved;                                                                     \
    }                                                                                              \
    return 0

int fd_read_full(int fd, void *data, size_t size)
{
    off_t offset = 0;

    TRANSFER_FULL(read(fd, data, size), -ENODATA);
}

int fd_write_full(int fd, const void *data, size_t size)
{
    off_t offset = 0;

    TRANSFER_FULL(write(fd, data, size), -EIO);
}

int fd_pread_full(int fd, void *data, size_t size, off_t offset)
{
    TRANSFER_FULL(pread(fd, data, size, offset), -ENODATA);
}

int fd_pwrite_full(int fd, const void *data, size_t size, off_t offset)
{
    TRANSFER_FULL(pwrite(fd, data, size, offset), -EIO);
}

int file_read(int dir_fd, const char *path, size_t limit, char **ret_text, size_t *ret_size)
{
    _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    _cleanup_free_ char *text = NULL;
    size_t size = 0, room = 0;

    if (fd < 0)
        return -errno;
    /* Files of /proc say 0 as their size, so read until the end. */
    for (;;) {
        ssize_t got;

        if (room - size < 2) {
            room = room ? room * 2 : 4096;
            char *larger = realloc(text, room);

            if (!larger)
                return -ENOMEM;
            text = larger;
        }
        got = read(fd, text + size, room - size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        size += (size_t)got;
        if (size > limit)
            return -EFBIG;
    }
    text[size] = 0;
    *ret_text = TAKE_PTR(text);
    if (ret_size)
        *ret_size = size;
    return 0;
}

int fd_duplicate(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    return copy < 0 ? -errno : copy;
}

int fd_set_nonblocking(int fd, int nonblocking)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}
