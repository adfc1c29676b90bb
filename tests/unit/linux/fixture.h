/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* A directory that looks like a part of the kernel's, for code that takes a descriptor. */

static inline int fake_open(void)
{
    char path[] = "/tmp/hoist-test-XXXXXX";
    int fd;

    assert_non_null(mkdtemp(path));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* `path` with all directories above it. */
static inline void fake_file(int dir_fd, const char *path, const char *text)
{
    _cleanup_free_ char *copy = strdup(path);
    _cleanup_close_ int fd = FD_NONE;

    for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdirat(dir_fd, copy, 0755);
        *slash = '/';
    }
    fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static inline int fake_remove(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void fake_close(int fd)
{
    char link[64], path[256];
    ssize_t size;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof(path) - 1);
    assert_true(size > 0);
    path[size] = '\0';
    fd_close(fd);
    assert_int_equal(nftw(path, fake_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}
