/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct error;

/*
 * Sealed files in memory (memfd_create(2)): contents that nobody can change any more, we included.
 */

/* A memfd that holds `data`, sealed against every change, at offset 0; or a negative errno. */
int memfd_sealed(const char *name, const void *data, size_t size, struct error *err);

/*
 * A program that can be executed by execveat(fd, "", …, AT_EMPTY_PATH) and that no process can
 * write to: a sealed, executable copy of the file `path` (MFD_EXEC; kernels before 6.3 don't know
 * the flag and don't need it). Where the host forbids executable memfds (vm.memfd_noexec = 2) it is
 * an O_PATH descriptor of the file itself. The file must be root's, or ours where we aren't root,
 * and writable for its owner alone. Returns the descriptor, or a negative errno: -ENOEXEC when it
 * is no program, -EPERM when others may write to it.
 */
int memfd_program(const char *path, struct error *err);
