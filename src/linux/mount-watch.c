/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/mount-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"

int mount_watch_open(struct mount_watch *watch, struct error *err)
{
    _cleanup_close_ int asked = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int waited = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

    if (asked < 0 || waited < 0)
        return error_set(err, -errno, "can't open /proc/self/mountinfo: %s", strerror(errno));
    *watch = (struct mount_watch){
        .asked_fd = TAKE_FD(asked),
        .waited_fd = TAKE_FD(waited),
        .changes = 1,
    };
    return 0;
}

void mount_watch_close(struct mount_watch *watch)
{
    fd_close(watch->asked_fd);
    fd_close(watch->waited_fd);
    *watch = MOUNT_WATCH_NULL;
}

static struct pollfd changes_of(int fd)
{
    return (struct pollfd){.fd = fd, .events = POLLPRI};
}

uint64_t mount_watch_changes(struct mount_watch *watch)
{
    struct pollfd asked = changes_of(watch->asked_fd);

    /* What can't be asked may have changed. */
    if (poll(&asked, 1, 0) != 0)
        watch->changes++;
    return watch->changes;
}

struct pollfd mount_watch_waits(const struct mount_watch *watch)
{
    return changes_of(watch->waited_fd);
}
