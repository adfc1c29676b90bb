/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One positioned read, as preadv2(2): the number of bytes (0 at the end of the file, fewer than
 * `size` where it ends or where the page cache does), or a negative errno. With `nowait` -EAGAIN
 * instead of waiting for the disk; file systems that can't tell are read plainly.
 */
ssize_t output_read_at(int fd, bool nowait, void *data, size_t size, uint64_t offset);
