/* SPDX-License-Identifier: Apache-2.0 */
#include "init/root-maker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/conditions.h"
#include "init/plan-file.h"
#include "init/steps.h"
#include "wire/packet.h"

/* The namespace is asked for while the host's /proc is in sight; its root changes after that. */
static int open_namespace(struct error *err)
{
    int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

    return fd < 0
               ? error_set(err, -errno, "the mount namespace can't be opened: %s", strerror(errno))
               : fd;
}

/*
 * Enters the namespace as each job will. Who comes in by setns(2) is at its root; where ours isn't
 * (the launcher was started in a chroot(2), which can't be pivoted away from) it would be the
 * host's.
 */
static int check_entrance(int namespace_fd, struct error *err)
{
    struct stat made, entered;

    if (stat("/", &made) < 0 || setns(namespace_fd, CLONE_NEWNS) < 0 || stat("/", &entered) < 0)
        return error_set(err, -errno, "the new root can't be entered: %s", strerror(errno));
    if (made.st_dev != entered.st_dev || made.st_ino != entered.st_ino)
        return error_set(err, -EXDEV, "the new root isn't the root of its mount namespace");
    return 0;
}

static int make(int *ret_namespace, struct error *err)
{
    _cleanup_close_ int namespace_fd = open_namespace(err), null_fd = FD_NONE;
    struct plan_file file;
    int r = namespace_fd < 0 ? namespace_fd : plan_file_map(&file, err);

    if (r < 0)
        return r;
    if (!(file.plan.settings.flags & PLAN_MAKES_ROOT))
        return error_set(err, -EPROTO, "the plan is a job's");
    null_fd = steps_open_null(O_PATH, err);
    r = null_fd < 0 ? null_fd : steps_run(&file.plan, null_fd, err);
    if (r >= 0)
        r = check_entrance(namespace_fd, err);
    if (r < 0)
        return r;
    *ret_namespace = TAKE_FD(namespace_fd);
    return 0;
}

int root_maker_run(void)
{
    _cleanup_close_ int namespace_fd = FD_NONE;
    struct error answer = {.code = 0};
    int r = conditions_settle(&answer);

    if (r >= 0)
        r = conditions_close_from(PLAN_FD_ANSWER + 1, &answer);
    if (r >= 0)
        r = make(&namespace_fd, &answer);
    if (r >= 0)
        answer = (struct error){.code = 0};
    r = packet_send(PLAN_FD_ANSWER, &answer, sizeof(answer), &namespace_fd, r >= 0 ? 1 : 0, NULL);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
