/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct error;

/*
 * Giving up the file system but for a few places (landlock(7)).
 *
 * What was opened before stays usable. Of what the running kernel's Landlock can refuse everything
 * is refused that no place allows: files, and also TCP's bind(2) and connect(2) (Linux 6.7), device
 * ioctls (6.10), and abstract unix sockets of processes outside (6.12). Looking at metadata
 * (stat(2)) and O_PATH can't be refused.
 */

enum landlock_access {
    LANDLOCK_READ = 1 << 0,  /* files, and the lists of directories */
    LANDLOCK_WRITE = 1 << 1, /* files, FIFOs, directories: writing, making, removing, renaming */
};

struct landlock_place {
    const char *path; /* a file, or a directory with everything below it */
    int fd;           /* that, where `path` is NULL (O_PATH; borrowed) */
    unsigned access;  /* enum landlock_access, or'ed */
};

/* The kernel's version of it (1 …), 0 when it has none or has it switched off, or an errno. */
int landlock_version(void);

/*
 * Confines this thread, and those that it starts from now on, for good (no_new_privs must be set).
 * Returns the version of the kernel's Landlock (1 …), 0 when the kernel has none (nothing was
 * confined), or a negative errno: -ENOENT and the like when a place can't be opened.
 */
int landlock_confine(const struct landlock_place *places, size_t count, struct error *err);
