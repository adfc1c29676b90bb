/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/pidref.h"
#include "base/strv.h"
#include "linux/cgroup-tree.h"
#include "output/files.h"
#include "spawn/spawn.h"
#include "wire/state-file.h"

/* A real context on this host, under a cgroup root of its own; jobs with files in memory. */

#define AGENT_UID    65534
#define JOB_UID      100042
#define TIMEOUT_MSEC 30000

/* hoist-init as built, or NULL with a reason on stderr: the test is then skipped. */
static inline const char *fixture_init(void)
{
    if (access(HOIST_INIT, X_OK) < 0)
        fprintf(stderr, "# skipped: %s is not built\n", HOIST_INIT);
    return access(HOIST_INIT, X_OK) < 0 ? NULL : HOIST_INIT;
}

static inline struct spawn_context *fixture_context_of(const char *init, const char *const *hidden,
                                                       bool root_ahead)
{
    char root[64];
    const struct spawn_options options = {
        .cgroup_root = root,
        .init_path = init,
        .agent_uid = AGENT_UID,
        .agent_gid = AGENT_UID,
        .job_uid_min = JOB_UID,
        .job_uid_max = JOB_UID + 10,
        .hidden = hidden,
        .root_ahead = root_ahead,
    };
    struct spawn_context *context = NULL;
    struct error err = {0};

    snprintf(root, sizeof(root), "hoist-test-%d", (int)getpid());
    if (spawn_context_new(&options, &context, &err) < 0)
        fail_msg("%s", err.text);
    return context;
}

static inline struct spawn_context *fixture_context_with(const char *init,
                                                         const char *const *hidden)
{
    return fixture_context_of(init, hidden, false);
}

/* NULL: this process or host can't run jobs as root; the reason is on stderr. */
static inline struct spawn_context *fixture_context(void)
{
    const char *init = fixture_init();

    if (geteuid() != 0)
        fprintf(stderr, "# skipped: needs root\n");
    return init && geteuid() == 0 ? fixture_context_with(init, NULL) : NULL;
}

struct fixture_job {
    struct spawn_spec spec;
    struct spawn_files files;
    struct spawn_result result;
    enum spawn_failure failure;
    struct error err;
    struct state_file state;
    char output[65536];
};

/* The job's files, in a directory that is gone at once. */
static inline void fixture_files_make(const struct id *job, struct spawn_files *ret)
{
    char path[] = "/tmp/hoist-test-XXXXXX";
    _cleanup_output_files_ struct output_files output = OUTPUT_FILES_NULL;
    _cleanup_close_ int dir_fd = FD_NONE;
    struct error err = {0};

    assert_non_null(mkdtemp(path));
    dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output_files_create(dir_fd, job, true, clock_wall(), &output, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(unlinkat(dir_fd, "output", 0), 0);
    assert_int_equal(unlinkat(dir_fd, "index", 0), 0);
    assert_int_equal(rmdir(path), 0);
    ret->data = output.data;
    ret->index = output.index;
    output = OUTPUT_FILES_NULL;
    ret->state = memfd_create("state", MFD_CLOEXEC);
    assert_true(ret->state >= 0);
}

static inline void fixture_job_init(struct fixture_job *job, char *const *argv)
{
    static char path[] = "PATH=/usr/bin:/bin";
    static char *const env[] = {path, NULL};
    struct id boot;

    *job = (struct fixture_job){
        .spec =
            {
                .group = "p-tester",
                .argv = argv,
                .env = env,
                .cwd = "",
                .uid = JOB_UID,
                .stop_signal = 15,
                .grace = USEC_PER_SEC,
                .merged = true,
            },
        .result = SPAWN_RESULT_NULL,
    };
    assert_int_equal(id_new(&job->spec.id), 0);
    assert_int_equal(boot_id_read(&boot), 0);
    fixture_files_make(&job->spec.id, &job->files);
    assert_int_equal(state_file_create(job->files.state, &job->spec.id, &boot, &job->err), 0);
}

static inline int fixture_job_start(struct spawn_context *context, struct fixture_job *job)
{
    return spawn_job(context, &job->spec, &job->files, &job->result, &job->failure, &job->err);
}

/* Waits until the command was executed. */
static inline void fixture_job_wait_started(struct fixture_job *job)
{
    struct pollfd end = {.fd = job->result.pidfd, .events = POLLIN};

    do
        assert_int_equal(state_file_read(job->files.state, &job->state, &job->err), 0);
    while (job->state.progress.phase == STATE_PHASE_CREATED && poll(&end, 1, 1) == 0);
    assert_int_equal(job->state.progress.phase, STATE_PHASE_STARTED);
}

/* Waits until hoist-init has ended, and reads what it left. */
static inline void fixture_job_wait(struct fixture_job *job)
{
    struct pollfd end = {.fd = job->result.pidfd, .events = POLLIN};
    siginfo_t info;
    ssize_t n;

    assert_int_equal(poll(&end, 1, TIMEOUT_MSEC), 1);
    assert_int_equal(waitid(P_PIDFD, (id_t)job->result.pidfd, &info, WEXITED), 0);
    n = pread(job->files.data, job->output, sizeof(job->output) - 1, 0);
    assert_true(n >= 0);
    job->output[n] = '\0';
    assert_int_equal(state_file_read(job->files.state, &job->state, &job->err), 0);
}

/* Removes the job's cgroups as an agent does: until it works, woken by cgroup.events. */
static inline void fixture_job_remove(struct spawn_context *context, struct fixture_job *job)
{
    struct error err = {0};
    int r;

    do
        r = spawn_remove(context, job->spec.group, &job->spec.id, NULL, &err);
    while (r == -EBUSY && !sched_yield());
    if (r < 0 && r != -ENOENT)
        fail_msg("%s", err.text);
}

static inline void fixture_job_done(struct fixture_job *job)
{
    fd_close(job->files.data);
    fd_close(job->files.index);
    fd_close(job->files.state);
    job->result.pidfd = fd_close(job->result.pidfd);
}

/* Runs a shell script to its end; its output is in job->output. */
static inline void fixture_run(struct spawn_context *context, struct fixture_job *job,
                               const char *script)
{
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)script, NULL};

    fixture_job_init(job, argv);
    job->spec.warn_unenforced = true;
    if (fixture_job_start(context, job) < 0)
        fail_msg("%s", job->err.text);
    fixture_job_wait(job);
    if (job->state.progress.phase == STATE_PHASE_START_FAILED)
        fail_msg("%s", job->state.progress.sentence);
    fixture_job_remove(context, job);
}

static inline unsigned fixture_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
