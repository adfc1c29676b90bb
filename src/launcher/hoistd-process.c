/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hoistd-process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dispositions.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "launcher/config.h"
#include "linux/privileges.h"
#include "wire/launcher-client.h"

/* A plain fork: the launcher is small, has one thread, and does this once in a life of hoistd. */

#define CHILD_SOCKET 3
#define CHILD_REPORT 4 /* closed by the exec; carries a struct error when it doesn't come to it */

#define HOISTD_FILES_MAX 1048576 /* enough for any number of connections; fs.nr_open's default */

#define QUOTE_(text) #text
#define QUOTE(text)  QUOTE_(text)

/* --- in the child ---------------------------------------------------------------------------- */

/* The launcher handles its signals by signalfd and has them blocked; hoistd starts afresh. */
static int child_signals(struct error *err)
{
    sigset_t none;

    dispositions_reset();
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return error_set(err, -errno, "can't unblock signals: %s", strerror(errno));
    return 0;
}

/* Both are moved out of the way first, since either may sit where the other has to go. */
static int child_descriptors(int socket, int report, struct error *err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int socket_copy = fcntl(socket, F_DUPFD_CLOEXEC, CHILD_REPORT + 1);
    int report_copy = fcntl(report, F_DUPFD_CLOEXEC, CHILD_REPORT + 1);

    if (null < 0 || socket_copy < 0 || report_copy < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(socket_copy, CHILD_SOCKET) < 0 || dup3(report_copy, CHILD_REPORT, O_CLOEXEC) < 0)
        return error_set(err, -errno, "can't arrange descriptors: %s", strerror(errno));
    /* The raw call: glibc has had a wrapper only since 2.34. */
    if (syscall(SYS_close_range, CHILD_REPORT + 1, ~0U, 0) < 0)
        return error_set(err, -errno, "can't close descriptors: %s", strerror(errno));
    return 0;
}

/* hoistd's keys must not land in a core file, and each connection and job takes descriptors. */
static int child_rlimits(struct error *err)
{
    struct rlimit files, core = {0, 0};

    if (setrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_set(err, -errno, "can't set resource limits: %s", strerror(errno));
    files.rlim_cur = MIN(files.rlim_max, (rlim_t)HOISTD_FILES_MAX);
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        return error_set(err, -errno, "can't raise the limit of open files: %s", strerror(errno));
    return 0;
}

static int child_prepare(const struct launcher_config *config, struct error *err)
{
    int r = child_signals(err);

    if (r < 0)
        return r;
    r = child_rlimits(err);
    if (r < 0)
        return r;
    /* A session of its own: the terminal's ^C is the launcher's to handle. */
    if (setsid() < 0 || chdir("/") < 0)
        return error_set(err, -errno, "can't make a session: %s", strerror(errno));
    umask(0077);
    return privileges_drop(config->agent_uid, config->agent_gid, err);
}

static _Noreturn void child_run(const struct launcher_config *config, char *const *argv,
                                char *const *env, int socket, int report)
{
    struct error err;
    int r = child_descriptors(socket, report, &err);

    if (r >= 0) {
        report = CHILD_REPORT;
        r = child_prepare(config, &err);
    }
    if (r >= 0) {
        execve(config->hoistd, argv, env);
        error_set(&err, -errno, "can't execute %s: %s", config->hoistd, strerror(errno));
    }
    (void)fd_write_full(report, &err, sizeof(err)); /* nobody else is there to be told */
    _exit(EXIT_FAILURE);
}

/* --- in the launcher ------------------------------------------------------------------------- */

static int make_argv(const struct launcher_config *config, char ***ret)
{
    _cleanup_strv_ char **argv = NULL;
    int r = strv_append(&argv, "hoistd");

    for (char **arg = config->hoistd_args; r >= 0 && arg && *arg; arg++)
        r = strv_append(&argv, *arg);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(argv);
    return 0;
}

static int make_environment(const struct launcher_config *config, char ***ret)
{
    static const char *const fixed[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        LAUNCHER_CLIENT_ENV "=" QUOTE(CHILD_SOCKET),
    };
    _cleanup_strv_ char **env = NULL;
    int r = 0;

    for (char **variable = config->environment; r >= 0 && variable && *variable; variable++)
        r = strv_append(&env, *variable);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(fixed); i++)
        r = strv_append(&env, fixed[i]);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(env);
    return 0;
}

/* The pipe's end says whether it came to the exec: nothing but its closing, or a struct error. */
static int child_wait_for_exec(int report, struct error *err)
{
    struct error why;
    int r = fd_read_full(report, &why, sizeof(why));

    if (r == -ENODATA)
        return 0;
    if (r < 0)
        return error_set(err, r, "can't hear of hoistd's start: %s", strerror(-r));
    why.text[sizeof(why.text) - 1] = 0;
    return error_set(err, why.code < 0 ? why.code : -EPROTO, "%s", why.text);
}

static int child_take(pid_t pid, int report, struct pidref *ret, struct error *err)
{
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int r = child_wait_for_exec(report, err);

    if (r >= 0 && pidfd < 0)
        r = error_set(err, -errno, "can't watch hoistd: %s", strerror(errno));
    if (r >= 0) {
        r = pidref_take(pid, pidfd, ret);
        if (r >= 0) {
            (void)TAKE_FD(pidfd);
            return 0;
        }
        error_set(err, r, "can't watch hoistd: %s", strerror(-r));
    }
    (void)kill(pid, SIGKILL); /* not reaped yet: the pid is still its */
    (void)waitpid(pid, NULL, 0);
    return r;
}

int hoistd_process_start(const struct launcher_config *config, int socket, struct pidref *ret,
                         struct error *err)
{
    _cleanup_strv_ char **argv = NULL, **env = NULL;
    _cleanup_close_ int report_read = FD_NONE, report_write = FD_NONE;
    int report[2];
    pid_t pid;

    if (make_argv(config, &argv) < 0 || make_environment(config, &env) < 0)
        return error_set(err, -ENOMEM, "no memory to start hoistd");
    if (pipe2(report, O_CLOEXEC) < 0)
        return error_set(err, -errno, "can't make a pipe: %s", strerror(errno));
    report_read = report[0];
    report_write = report[1];
    pid = fork();
    if (pid < 0)
        return error_set(err, -errno, "can't fork: %s", strerror(errno));
    if (pid == 0)
        child_run(config, argv, env, socket, report_write);
    report_write = fd_close(report_write);
    return child_take(pid, report_read, ret, err);
}
