/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoist-init: PID 1 of one job.
 *
 * It executes a plan (wire/plan.h) as root, starts the command, gives up everything but CAP_KILL
 * and a handful of system calls (own-calls.h), and from then on copies output, reaps, stops and
 * records (supervise.h). It reads no environment and writes to nothing but the job's three files;
 * whoever started it may be gone. With the argument PLAN_ARGUMENT_ROOT it makes a root for many
 * jobs instead (root-maker.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/command.h"
#include "init/conditions.h"
#include "init/own-calls.h"
#include "init/plan-file.h"
#include "init/privileges.h"
#include "init/root-maker.h"
#include "init/steps.h"
#include "init/streams.h"
#include "init/supervise.h"
#include "init/syscalls.h"
#include "wire/plan.h"

struct start {
    struct plan_file file; /* given back when the command was started */
    int null_fd, proc_fd;
    enum spawn_failure failure; /* what a failure of the present part means */
};

static int check_job(const struct plan *plan, const struct id *job, struct error *err)
{
    if (plan->settings.flags & PLAN_MAKES_ROOT)
        return error_set(err, -EPROTO, "the plan is no job's");
    if (!id_equal(&plan->settings.id, job))
        return error_set(err, -EPROTO, "plan and state file are of different jobs");
    return 0;
}

/*
 * Exactly the announced descriptors: others are closed, and a number that nobody needs is taken, so
 * that let_go() can close the whole row.
 */
static int check_descriptors(const struct plan_settings *settings, struct error *err)
{
    int end = PLAN_FD_FIRST + (int)settings->fd_count;

    if ((!(settings->flags & PLAN_HAS_CGROUP) &&
         dup3(STDERR_FILENO, PLAN_FD_CGROUP, O_CLOEXEC) < 0) ||
        (settings->adopt_wait == 0 && dup3(STDERR_FILENO, PLAN_FD_LIFELINE, O_CLOEXEC) < 0))
        return error_set(err, -errno, "descriptors can't be ordered: %s", strerror(errno));
    for (int fd = PLAN_FD_PLAN; fd < end; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return error_set(err, -EBADF, "descriptor %d of the plan is not there", fd);
    return conditions_close_from((unsigned)end, err);
}

static int prepare(struct start *start, const struct id *job, struct error *err)
{
    int r;

    start->failure = SPAWN_FAILURE_SPAWN;
    r = plan_file_map(&start->file, err);
    if (r >= 0)
        r = check_job(&start->file.plan, job, err);
    if (r >= 0)
        r = check_descriptors(&start->file.plan.settings, err);
    if (r >= 0)
        r = start->null_fd = steps_open_null(O_PATH, err);
    if (r < 0)
        return r;
    start->failure = SPAWN_FAILURE_ISOLATION;
    r = steps_run(&start->file.plan, start->null_fd, err);
    if (r >= 0)
        start->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); /* the job's own */
    return r;
}

static int open_output(struct start *start, struct supervisor *supervisor,
                       struct streams *ret_streams, struct error *err)
{
    const struct plan_settings *settings = &start->file.plan.settings;
    bool merged = settings->flags & PLAN_MERGED;
    int r;

    start->failure = SPAWN_FAILURE_OUTPUT;
    r = pump_init(&supervisor->pump, PLAN_FD_DATA, PLAN_FD_INDEX, &settings->output, err);
    if (r < 0)
        return r;
    r = streams_open(merged, settings->job_uid, settings->job_gid, ret_streams, err);
    if (r < 0)
        return r;
    pump_add(&supervisor->pump, ret_streams->readers[0],
             merged ? OUTPUT_STREAM_MERGED : OUTPUT_STREAM_STDOUT);
    if (!merged)
        pump_add(&supervisor->pump, ret_streams->readers[1], OUTPUT_STREAM_STDERR);
    return 0;
}

static int start_command(struct start *start, struct supervisor *supervisor,
                         const struct streams *streams, struct error *err)
{
    bool has_cgroup = start->file.plan.settings.flags & PLAN_HAS_CGROUP;
    struct command_setup setup = {
        .plan = &start->file.plan,
        .streams = {streams->command[0], streams->command[1], streams->command[2]},
        .cgroup_fd = has_cgroup ? PLAN_FD_CGROUP : FD_NONE,
        .proc_fd = start->proc_fd,
    };
    int r;

    start->failure = SPAWN_FAILURE_SPAWN;
    r = cpu_time_open(&supervisor->cpu_time, PLAN_FD_CGROUP,
                      has_cgroup ? start->file.plan.settings.cpu_time : 0, err);
    return r < 0 ? r : command_start(&setup, &supervisor->command, err);
}

/* Before the first byte of output is read: from here on the job's own data is in this process. */
static int become_agent(struct start *start, struct error *err)
{
    const struct plan_settings *settings = &start->file.plan.settings;
    const struct privileges only_kill = {
        .uid = settings->agent_uid,
        .gid = settings->agent_gid,
        .capabilities = UINT64_C(1) << CAP_KILL,
        .rootless = settings->flags & PLAN_ROOTLESS,
    };

    start->failure = SPAWN_FAILURE_ISOLATION;
    return privileges_reduce(&only_kill, err);
}

/* What a running job doesn't need: a plan with its environment, and ways to the host. */
static void let_go(struct start *start)
{
    (void)sys_close_range(PLAN_FD_CGROUP, PLAN_FD_CGROUP + start->file.plan.settings.fd_count, 0);
    (void)fd_close(PLAN_FD_PLAN);
    (void)fd_close(start->proc_fd);
    (void)fd_close(start->null_fd);
    plan_file_unmap(&start->file);
}

static int run_plan(struct start *start, const struct id *job, struct supervisor *supervisor,
                    struct plan_settings *settings, struct error *err)
{
    struct streams streams;
    int r = prepare(start, job, err);

    if (r < 0)
        return r;
    *settings = start->file.plan.settings;
    r = supervisor_init(supervisor, settings, err);
    if (r >= 0)
        r = open_output(start, supervisor, &streams, err);
    if (r >= 0)
        r = start_command(start, supervisor, &streams, err);
    if (r >= 0)
        r = become_agent(start, err);
    if (r < 0)
        return r;
    streams_close_command_ends(&streams);
    adoption_init(&supervisor->adoption, PLAN_FD_LIFELINE, settings->adopt_wait);
    let_go(start);
    return own_calls_restrict(err);
}

static int run_job(void)
{
    struct start start = {.null_fd = FD_NONE, .proc_fd = FD_NONE};
    struct supervisor supervisor = {.command.answer_fd = FD_NONE};
    struct plan_settings settings;
    struct error err = {0};
    struct id job;
    int r = conditions_settle(&err);

    if (r >= 0)
        r = report_open(&supervisor.report, PLAN_FD_STATE, &job, &err);
    if (r < 0)
        return EXIT_FAILURE; /* nobody to tell: whoever waits sees an end without a record */
    r = run_plan(&start, &job, &supervisor, &settings, &err);
    if (r < 0) {
        report_start_failed(&supervisor.report, start.failure, r, err.text);
        return EXIT_SUCCESS; /* and with PID 1 the kernel ends whatever was started */
    }
    return supervise(&supervisor) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], PLAN_ARGUMENT_ROOT) == 0)
        return root_maker_run();
    return run_job();
}
