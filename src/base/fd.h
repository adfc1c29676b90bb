/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

/*
 * File descriptors: who owns one, and reading and writing all of it.
 *
 * "No descriptor" is FD_NONE; a closed variable is overwritten with it, so that it can't be closed
 * twice. Every descriptor is close-on-exec from birth.
 */

#define FD_NONE (-EBADF)

/* Closes `fd` unless it is negative; keeps errno; returns FD_NONE: `fd = fd_close(fd)`. */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
    *fd = fd_close(*fd);
}

#define _cleanup_close_ _cleanup_(fd_closep)

#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int *_taken_from = &(fd);                                                                  \
        int _taken = *_taken_from;                                                                 \
        *_taken_from = FD_NONE;                                                                    \
        _taken;                                                                                    \
    })

/*
 * Read or write exactly `size` bytes, going on after EINTR and short counts.
 * Return 0, a negative errno, or -ENODATA when the file ends before (read only).
 */
int fd_read_full(int fd, void *data, size_t size);
int fd_write_full(int fd, const void *data, size_t size);
int fd_pread_full(int fd, void *data, size_t size, off_t offset);
int fd_pwrite_full(int fd, const void *data, size_t size, off_t offset);

/*
 * Reads a whole small file into a fresh NUL-terminated string (*ret_size without the NUL; may be
 * NULL). For files of /proc and configuration. Returns 0, -EFBIG beyond `limit`, or an errno.
 * `dir_fd` and `path` as for openat(2).
 */
int file_read(int dir_fd, const char *path, size_t limit, char **ret_text, size_t *ret_size);

/* A duplicate of `fd` that is close-on-exec and at least 3, or a negative errno. */
int fd_duplicate(int fd);

/* Sets or clears O_NONBLOCK. Returns 0 or a negative errno. */
int fd_set_nonblocking(int fd, int nonblocking);
