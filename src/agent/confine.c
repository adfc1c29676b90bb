/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/confine.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* As many descriptors as the hard limit allows: each follower takes two, each connection one. */
static int raise_open_files(struct error *err)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set(err, -errno, "can't read RLIMIT_NOFILE: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set(err, -errno, "can't raise RLIMIT_NOFILE to its hard limit: %s",
                         strerror(errno));
    return 0;
}

static int forbid_dumps(struct error *err)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set(err, -errno, "can't forbid core dumps: %s", strerror(errno));
    return 0;
}

static int forbid_privileges(struct error *err)
{
    if (getuid() == 0 || geteuid() == 0)
        return error_set(err, -EPERM,
                         "hoistd must not run as root; set agent_user in launcher.conf");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(err, -errno, "can't give up new privileges: %s", strerror(errno));
    return 0;
}

int confine_self(struct error *err)
{
    int r;

    umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return error_set(err, -errno, "can't set signals: %s", strerror(errno));
    if (chdir("/") < 0)
        return error_set(err, -errno, "can't enter /: %s", strerror(errno));
    r = forbid_privileges(err);
    if (r == 0)
        r = forbid_dumps(err);
    return r < 0 ? r : raise_open_files(err);
}
