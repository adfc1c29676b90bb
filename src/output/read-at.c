/* SPDX-License-Identifier: Apache-2.0 */
#include "output/read-at.h"

#include <errno.h>
#include <sys/uio.h>

ssize_t output_read_at(int fd, bool nowait, void *data, size_t size, uint64_t offset)
{
    const struct iovec part = {.iov_base = data, .iov_len = size};

    for (;;) {
        ssize_t n = preadv2(fd, &part, 1, (off_t)offset, nowait ? RWF_NOWAIT : 0);

        if (n >= 0)
            return n;
        if (errno == EOPNOTSUPP && nowait)
            nowait = false;
        else if (errno != EINTR)
            return -errno;
    }
}
