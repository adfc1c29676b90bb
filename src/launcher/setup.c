/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dispositions.h"
#include "base/error.h"
#include "base/fd.h"

/* Programs that use select(2) break with more; jobs inherit it unless their limits say otherwise.
 */
#define OPEN_FILES_SOFT 1024

/* -1000 would be never, also when it is we who eat the memory. */
#define OOM_SCORE_ADJ (-900)

int setup_descriptors(struct error *err)
{
    for (;;) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (fd < 0)
            return error_set(err, -errno, "can't open /dev/null: %s", strerror(errno));
        if (fd > STDERR_FILENO) {
            fd_close(fd);
            return 0;
        }
        /* It fills one of the three that was closed, and hoistd is to inherit those. */
        if (fcntl(fd, F_SETFD, 0) < 0)
            return error_set(err, -errno, "can't keep /dev/null: %s", strerror(errno));
    }
}

/* The hard limits stay: they are what root or the service manager has granted to jobs, too. */
static int setup_rlimits(struct error *err)
{
    struct rlimit core, files;

    if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_set(err, -errno, "can't read resource limits: %s", strerror(errno));
    core.rlim_cur = 0;
    files.rlim_cur = MIN(files.rlim_max, (rlim_t)OPEN_FILES_SOFT);
    if (setrlimit(RLIMIT_CORE, &core) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_set(err, -errno, "can't set resource limits: %s", strerror(errno));
    return 0;
}

int setup_oom_score(void)
{
    _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char text[16];
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (size <= 0)
        return size < 0 ? -errno : -EIO;
    text[size] = '\0';
    if (strtol(text, NULL, 10) <= OOM_SCORE_ADJ)
        return 0;
    snprintf(text, sizeof(text), "%d", OOM_SCORE_ADJ);
    return pwrite(fd, text, strlen(text), 0) < 0 ? -errno : 0;
}

int setup_process(struct error *err)
{
    umask(0022);
    if (chdir("/") < 0)
        return error_set(err, -errno, "can't go to /: %s", strerror(errno));
    /* Without root it would keep us from writing the id maps of our own jobs (proc(5)). */
    if (geteuid() == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set(err, -errno, "can't forbid core dumps: %s", strerror(errno));
    return setup_rlimits(err);
}

int setup_signals(int *ret_signalfd, struct error *err)
{
    sigset_t handled;
    int fd;

    dispositions_reset();
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&handled);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGHUP);
    sigaddset(&handled, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &handled, NULL) < 0)
        return error_set(err, -errno, "can't block signals: %s", strerror(errno));
    fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return error_set(err, -errno, "can't make a signalfd: %s", strerror(errno));
    *ret_signalfd = fd;
    return 0;
}
