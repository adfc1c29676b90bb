/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From clone to exec, as a list. It begins with all of hoist-init's privileges and ends with none;
 * what needs the host's descriptors or root comes before the change of ids, what must be done with
 * the job's own rights (its working directory, the search in PATH) after it, when no descriptor is
 * left that /proc/self/fd would lead to, and the seccomp program is the last thing before
 * execve(2).
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/command.h"
#include "init/lookup.h"
#include "init/privileges.h"
#include "init/syscalls.h"
#include "init/user-namespace.h"
#include "wire/plan.h"

#define ANSWER_FD 3 /* while the child lives; close-on-exec */

static int refuse(struct error *err, const char *what)
{
    int code = -errno;

    return error_set(err, code, "%s: %s", what, strerror(-code));
}

/* Its own session and process group, which is what stop signals are sent to; no terminal. */
static int lead_session(const struct command_setup *setup, struct error *err)
{
    (void)setup;
    return setsid() < 0 ? refuse(err, "the command can't have a session of its own") : 0;
}

/*
 * hoist-init inherits the launcher's protection from the OOM killer; the command must not. Raising
 * is always allowed; a failure means that the value was above zero, which may stay.
 */
static int reset_oom_score(const struct command_setup *setup, struct error *err)
{
    int fd = openat(setup->proc_fd, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    (void)err;
    if (fd >= 0)
        (void)fd_write_full(fd, "0", 1);
    (void)fd_close(fd);
    return 0;
}

static rlim_t from_plan(uint64_t value)
{
    return value == UINT64_MAX ? RLIM_INFINITY : (rlim_t)value;
}

/* Above our own hard limit only CAP_SYS_RESOURCE helps; then our own hard limit it is. */
static int set_rlimit(const struct plan_rlimit *limit, struct error *err)
{
    struct rlimit own, wanted = {from_plan(limit->soft), from_plan(limit->hard)};
    int r = sys_prlimit(limit->resource, &wanted, &own);

    if (r == -EPERM && sys_prlimit(limit->resource, NULL, &own) >= 0) {
        wanted.rlim_max = own.rlim_max;
        wanted.rlim_cur = MIN(wanted.rlim_cur, own.rlim_max);
        r = sys_prlimit(limit->resource, &wanted, NULL);
    }
    if (r < 0)
        return error_set(err, r, "resource limit %u can't be set: %s", limit->resource,
                         strerror(-r));
    return 0;
}

static int set_rlimits(const struct command_setup *setup, struct error *err)
{
    for (uint32_t i = 0; i < setup->plan->rlimit_count; i++) {
        struct plan_rlimit limit = plan_rlimit_at(setup->plan, i);
        int r = set_rlimit(&limit, err);

        if (r < 0)
            return r;
    }
    return 0;
}

static int connect_streams(const struct command_setup *setup, struct error *err)
{
    for (int i = 0; i < 3; i++)
        if (dup2(setup->streams[i], i) < 0)
            return refuse(err, "the standard streams can't be connected");
    return 0;
}

static int enter_user_namespace(const struct command_setup *setup, struct error *err)
{
    const struct plan_settings *settings = &setup->plan->settings;

    if (!(settings->flags & PLAN_USER_NAMESPACE))
        return 0;
    return user_namespace_enter(settings->job_uid, settings->job_gid, setup->proc_fd, err);
}

static int reduce_privileges(const struct command_setup *setup, struct error *err)
{
    const struct plan_settings *settings = &setup->plan->settings;
    bool inside = settings->flags & PLAN_USER_NAMESPACE;
    const struct privileges nothing = {
        .uid = inside ? 0 : settings->job_uid,
        .gid = inside ? 0 : settings->job_gid,
        .rootless = inside || settings->flags & PLAN_ROOTLESS,
    };

    return privileges_reduce(&nothing, err);
}

/* "(unreachable)" in front: the directory is outside the root, see getcwd(2). */
static int enter_directory(const struct command_setup *setup, struct error *err)
{
    char now[PATH_MAX];

    if (chdir(setup->plan->cwd) < 0) {
        int code = -errno;

        return error_set(err, code, "working directory \"%.96s\": %s", setup->plan->cwd,
                         strerror(-code));
    }
    if (!getcwd(now, sizeof(now)) || now[0] != '/')
        return error_set(err, -EXDEV, "working directory \"%.96s\" is outside the job's root",
                         setup->plan->cwd);
    (void)umask((mode_t)setup->plan->settings.umask);
    return 0;
}

/* Without exception: a descriptor that is forgotten somewhere must not reach the command. */
static int close_descriptors(const struct command_setup *setup, struct error *err)
{
    int r = sys_close_range(ANSWER_FD + 1, UINT_MAX, 0);

    (void)setup;
    if (r < 0)
        return error_set(err, r, "descriptors can't be closed: %s", strerror(-r));
    return 0;
}

/* The dispositions are default since conditions_settle(). */
static int unblock_signals(const struct command_setup *setup, struct error *err)
{
    sigset_t none;

    (void)setup;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? refuse(err, "signals can't be unblocked")
                                                     : 0;
}

static int install_filter(const struct command_setup *setup, struct error *err)
{
    const struct plan *plan = setup->plan;
    struct sock_fprog program = {(unsigned short)plan->filter_count,
                                 (struct sock_filter *)plan->filter};
    int r = plan->filter_count > 0 ? sys_seccomp_filter(&program) : 0;

    if (r < 0)
        return error_set(err, r, "the seccomp program is refused: %s", strerror(-r));
    return 0;
}

static const struct {
    int (*run)(const struct command_setup *setup, struct error *err);
    enum spawn_failure failure;
} child_steps[] = {
    {lead_session, SPAWN_FAILURE_ISOLATION},         {reset_oom_score, SPAWN_FAILURE_ISOLATION},
    {set_rlimits, SPAWN_FAILURE_ISOLATION},          {connect_streams, SPAWN_FAILURE_OUTPUT},
    {enter_user_namespace, SPAWN_FAILURE_ISOLATION}, {reduce_privileges, SPAWN_FAILURE_ISOLATION},
    {close_descriptors, SPAWN_FAILURE_ISOLATION},    {enter_directory, SPAWN_FAILURE_CWD},
    {unblock_signals, SPAWN_FAILURE_ISOLATION},      {install_filter, SPAWN_FAILURE_ISOLATION},
};

/* Room for the pointers of argv and env: the only memory that a start needs beyond the plan. */
static char **allocate_lists(const struct plan *plan)
{
    size_t count = (size_t)plan->argument_count + plan->env_count + 2;
    void *lists = mmap(NULL, count * sizeof(char *), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return lists == MAP_FAILED ? NULL : lists;
}

static int execute(const struct plan *plan, char **lists, enum spawn_failure *ret_failure,
                   struct error *err)
{
    char **argv = lists, **env = lists + plan->argument_count + 1;

    plan_list_strings(plan->arguments, plan->argument_count, argv);
    plan_list_strings(plan->env, plan->env_count, env);
    return lookup_execute(argv, env, ret_failure, err);
}

static int prepare(const struct command_setup *setup, enum spawn_failure *ret_failure,
                   struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(child_steps); i++) {
        int r = child_steps[i].run(setup, err);

        if (r < 0) {
            *ret_failure = child_steps[i].failure;
            return r;
        }
    }
    return 0;
}

static int prepare_and_execute(const struct command_setup *setup, enum spawn_failure *ret_failure,
                               struct error *err)
{
    char **lists = allocate_lists(setup->plan);
    int r;

    *ret_failure = SPAWN_FAILURE_SPAWN;
    if (!lists)
        return error_set(err, -ENOMEM, "no memory for the arguments");
    r = prepare(setup, ret_failure, err);
    return r < 0 ? r : execute(setup->plan, lists, ret_failure, err);
}

void command_child(const struct command_setup *setup, int answer_fd)
{
    struct command_answer answer = {.failure = SPAWN_FAILURE_SPAWN};
    struct error err = {0};

    if (answer_fd != ANSWER_FD && dup3(answer_fd, ANSWER_FD, O_CLOEXEC) < 0)
        _exit(EXIT_FAILURE);
    answer.code = prepare_and_execute(setup, &answer.failure, &err);
    memcpy(answer.sentence, err.text, sizeof(answer.sentence) - 1);
    (void)fd_write_full(ANSWER_FD, &answer, sizeof(answer)); /* nobody else to tell */
    _exit(EXIT_FAILURE);
}
