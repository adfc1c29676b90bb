/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/packet.h"

static int end_check(int fd, int mode, uid_t agent_uid, struct stat *ret, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) != mode)
        return error_set(err, -EPERM, "the lifeline isn't open for what is done with it");
    if (fstat(fd, ret) < 0)
        return error_set(err, -EPERM, "the lifeline can't be examined: %s", strerror(errno));
    if (!S_ISFIFO(ret->st_mode))
        return error_set(err, -EPERM, "the lifeline is no FIFO");
    if (ret->st_uid != agent_uid)
        return error_set(err, -EPERM, "the lifeline belongs to uid %u, not to hoistd", ret->st_uid);
    return 0;
}

static int ends_check(const struct packet_fds *fds, uid_t agent_uid, struct error *err)
{
    struct stat hold, watch;
    int r = end_check(fds->fd[0], O_RDWR, agent_uid, &hold, err);

    if (r >= 0)
        r = end_check(fds->fd[1], O_RDONLY, agent_uid, &watch, err);
    if (r >= 0 && (hold.st_dev != watch.st_dev || hold.st_ino != watch.st_ino))
        r = error_set(err, -EPERM, "the lifeline's ends are of two FIFOs");
    return r;
}

/* The new one is held before the old one is let go: who watches sees no end in between. */
int lifeline_take(struct lifeline *lifeline, const struct packet_fds *fds, uid_t agent_uid,
                  struct error *err)
{
    _cleanup_close_ int hold = FD_NONE, watch = FD_NONE;
    int r = ends_check(fds, agent_uid, err);

    if (r < 0)
        return r;
    hold = fd_duplicate(fds->fd[0]);
    watch = fd_duplicate(fds->fd[1]);
    if (hold < 0 || watch < 0)
        return error_set(err, MIN(hold, watch), "can't duplicate the lifeline: %s",
                         strerror(-MIN(hold, watch)));
    lifeline_done(lifeline);
    lifeline->hold = TAKE_FD(hold);
    lifeline->watch = TAKE_FD(watch);
    return 0;
}

void lifeline_done(struct lifeline *lifeline)
{
    lifeline->hold = fd_close(lifeline->hold);
    lifeline->watch = fd_close(lifeline->watch);
}
