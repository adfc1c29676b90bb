/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoist-init: PID 1 of one job.
 *
 * It executes a plan (wire/plan.h) as root, starts the command, gives up everything but CAP_KILL
 * and a handful of system calls (own-calls.h), and from then on copies output, reaps, stops and
 * records (supervise.h). It takes no arguments, reads no environment and writes to nothing but the
 * job's three files; whoever started it may be gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/command.h"
#include "init/conditions.h"
#include "init/own-calls.h"
#include "init/privileges.h"
#include "init/steps.h"
#include "init/streams.h"
#include "init/supervise.h"
#include "init/syscalls.h"
#include "wire/plan.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct start {
    struct plan plan;
    void *mapping; /* of the plan; given back when the command was started */
    size_t mapping_size;
    int null_fd, host_proc_fd;
    enum spawn_failure failure; /* what a failure of the present part means */
};

/* Sealed, so that what was checked is what is executed. */
static int map_plan(struct start *start, struct error *err)
{
    int seals = fcntl(PLAN_FD_PLAN, F_GET_SEALS);
    struct stat status;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(PLAN_FD_PLAN, &status) < 0)
        return error_set(err, -EPROTO, "the plan is not a sealed memory file");
    if (status.st_size <= 0 || status.st_size > PLAN_SIZE_MAX)
        return error_set(err, -EPROTO, "the plan is empty or too long");
    start->mapping_size = (size_t)status.st_size;
    start->mapping = mmap(NULL, start->mapping_size, PROT_READ, MAP_PRIVATE, PLAN_FD_PLAN, 0);
    if (start->mapping == MAP_FAILED)
        return error_set(err, -errno, "the plan can't be mapped: %s", strerror(errno));
    return plan_read(start->mapping, start->mapping_size, &start->plan, err);
}

static int check_job(const struct plan *plan, const struct id *job, struct error *err)
{
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

/* What only the host has is opened before it is hidden. */
static int open_host(struct start *start, struct error *err)
{
    start->host_proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    start->null_fd = steps_open_null(O_PATH, err);
    return start->null_fd < 0 ? start->null_fd : 0;
}

static int prepare(struct start *start, const struct id *job, struct error *err)
{
    int r;

    start->failure = SPAWN_FAILURE_SPAWN;
    r = map_plan(start, err);
    if (r >= 0)
        r = check_job(&start->plan, job, err);
    if (r >= 0)
        r = check_descriptors(&start->plan.settings, err);
    if (r >= 0)
        r = open_host(start, err);
    if (r < 0)
        return r;
    start->failure = SPAWN_FAILURE_ISOLATION;
    return steps_run(&start->plan, start->null_fd, err);
}

static int open_output(struct start *start, struct supervisor *supervisor,
                       struct streams *ret_streams, struct error *err)
{
    const struct plan_settings *settings = &start->plan.settings;
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
    bool has_cgroup = start->plan.settings.flags & PLAN_HAS_CGROUP;
    struct command_setup setup = {
        .plan = &start->plan,
        .streams = {streams->command[0], streams->command[1], streams->command[2]},
        .cgroup_fd = has_cgroup ? PLAN_FD_CGROUP : FD_NONE,
        .host_proc_fd = start->host_proc_fd,
    };
    int r;

    start->failure = SPAWN_FAILURE_SPAWN;
    r = cpu_time_open(&supervisor->cpu_time, PLAN_FD_CGROUP,
                      has_cgroup ? start->plan.settings.cpu_time : 0, err);
    return r < 0 ? r : command_start(&setup, &supervisor->command, err);
}

/* Before the first byte of output is read: from here on the job's own data is in this process. */
static int become_agent(struct start *start, struct error *err)
{
    const struct plan_settings *settings = &start->plan.settings;
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
    (void)sys_close_range(PLAN_FD_CGROUP, PLAN_FD_CGROUP + start->plan.settings.fd_count, 0);
    (void)fd_close(PLAN_FD_PLAN);
    (void)fd_close(start->host_proc_fd);
    (void)fd_close(start->null_fd);
    (void)munmap(start->mapping, start->mapping_size);
}

static int run_plan(struct start *start, const struct id *job, struct supervisor *supervisor,
                    struct plan_settings *settings, struct error *err)
{
    struct streams streams;
    int r = prepare(start, job, err);

    if (r < 0)
        return r;
    *settings = start->plan.settings;
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

int main(void)
{
    struct start start = {.null_fd = FD_NONE, .host_proc_fd = FD_NONE};
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
