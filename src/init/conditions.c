/* SPDX-License-Identifier: Apache-2.0 */
#include "init/conditions.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/dispositions.h"
#include "base/error.h"
#include "init/syscalls.h"

static int refuse(struct error *err, const char *what)
{
    int code = -errno;

    return error_set(err, code, "%s: %s", what, strerror(-code));
}

static int check_pid(struct error *err)
{
    if (getpid() != 1 || getppid() != 0)
        return error_set(err, -EPERM,
                         "hoist-init is PID 1 of a job and is started by hoist-launcher only");
    return 0;
}

/* All of them: hoist-init reads its signals from a signalfd and runs no handler. */
static int block_signals(struct error *err)
{
    sigset_t all;

    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        return refuse(err, "signals can't be blocked");
    return 0;
}

/* open(2) gives the lowest free number, so this ends with 0, 1 and 2 taken. */
static int fill_standard_descriptors(struct error *err)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
            return refuse(err, "/dev/null can't be opened");
    return 0;
}

/* A limit on file size would end output with SIGXFSZ, one on CPU time the job's only witness. */
static void lift_limits(void)
{
    static const unsigned lifted[] = {RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA};
    const struct rlimit no_core = {0, 0}, infinite = {RLIM_INFINITY, RLIM_INFINITY};

    for (size_t i = 0; i < ARRAY_SIZE(lifted); i++) {
        struct rlimit limit;

        if (sys_prlimit(lifted[i], &infinite, &limit) >= 0) /* needs CAP_SYS_RESOURCE */
            continue;
        (void)sys_prlimit(lifted[i], NULL, &limit);
        limit.rlim_cur = limit.rlim_max; /* always allowed */
        (void)sys_prlimit(lifted[i], &limit, NULL);
    }
    (void)sys_prlimit(RLIMIT_CORE, &no_core, NULL);
}

int conditions_settle(struct error *err)
{
    int r = check_pid(err);

    if (r < 0)
        return r;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_NAME, "hoist-init") < 0) /* executed from a memfd, it is called after that */
        return refuse(err, "process attributes can't be set");
    dispositions_reset();
    r = block_signals(err);
    if (r >= 0)
        r = fill_standard_descriptors(err);
    if (r < 0)
        return r;
    lift_limits();
    (void)umask(0);
    (void)setsid(); /* fails when it leads one already, which is as good */
    if (chdir("/") < 0)
        return refuse(err, "\"/\" can't be entered");
    return 0;
}

int conditions_close_from(unsigned first, struct error *err)
{
    int r = sys_close_range(first, UINT_MAX, 0);

    if (r < 0)
        return error_set(err, r, "descriptors can't be closed: %s", strerror(-r));
    return 0;
}
