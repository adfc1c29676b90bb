/* SPDX-License-Identifier: Apache-2.0 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"

/* <sched.h>'s and <linux/sched.h>'s; neither mixes with <linux/mount.h> everywhere. */
#define NAMESPACES                                                                                 \
    (0x20000000u /* PID */ | 0x00020000u /* NS */ | 0x40000000u /* NET */ |                        \
     0x08000000u /* IPC */ | 0x04000000u /* UTS */)

static void create_directory(struct job *job)
{
    *job = (struct job){
        .output = OUTPUT_FILES_NULL,
        .state_fd = FD_NONE,
        .cgroup_fd = FD_NONE,
        .lifeline = FD_NONE,
        .init = PIDREF_NULL,
        .directory = "/tmp/hoist-test-init-XXXXXX",
    };
    assert_non_null(mkdtemp(job->directory));
}

static void create_state(struct job *job)
{
    struct id boot;
    int dir_fd;

    assert_int_equal(id_new(&job->id), 0);
    assert_int_equal(boot_id_read(&boot), 0);
    dir_fd = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir_fd >= 0);
    job->state_fd = openat(dir_fd, "state", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(job->state_fd >= 0);
    assert_int_equal(state_file_create(job->state_fd, &job->id, &boot, NULL), 0);
    job->plan = plan_builder_new();
    assert_non_null(job->plan);
    (void)fd_close(dir_fd);
}

void job_setup(struct job *job)
{
    create_directory(job);
    create_state(job);
}

static void mount_disk(struct job *job, const char *size, unsigned long flags)
{
    char options[64];

    (void)snprintf(options, sizeof(options), "size=%s", size);
    assert_int_equal(
        syscall(SYS_mount, "tmpfs", job->directory, "tmpfs", flags | MS_NOSUID, options), 0);
}

void job_setup_on_disk(struct job *job, const char *size)
{
    create_directory(job);
    mount_disk(job, size, 0);
    job->has_disk = true;
    create_state(job);
}

void job_grow_disk(struct job *job, const char *size)
{
    mount_disk(job, size, MS_REMOUNT);
}

static void remove_file(struct job *job, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", job->directory, name);
    (void)unlink(path);
}

void job_teardown(struct job *job)
{
    if (job->init.fd >= 0 && !pidref_has_ended(&job->init)) {
        (void)pidref_kill(&job->init, SIGKILL);
        (void)waitpid(job->init.pid, NULL, 0);
    }
    pidref_done(&job->init);
    output_files_close(&job->output);
    job->state_fd = fd_close(job->state_fd);
    job->plan = plan_builder_free(job->plan);
    remove_file(job, "state");
    remove_file(job, "output");
    remove_file(job, "index");
    if (job->has_disk)
        assert_int_equal(syscall(SYS_umount2, job->directory, 0), 0);
    (void)rmdir(job->directory);
}

static void step(struct job *job, struct plan_step step)
{
    plan_builder_step(job->plan, &step);
}

static const char *own_program(char path[static PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

    assert_true(n > 0);
    path[n] = '\0';
    return path;
}

void job_plan_default(struct job *job)
{
    char program[PATH_MAX];

    job->settings = (struct plan_settings){
        .id = job->id,
        .agent_uid = AGENT_UID,
        .agent_gid = AGENT_UID,
        .job_uid = JOB_UID,
        .job_gid = JOB_UID,
        .stop_signal = SIGTERM,
        .grace = 10 * USEC_PER_SEC,
        .umask = 022,
    };
    step(job, (struct plan_step){.op = PLAN_PRIVATE_MOUNTS});
    step(job, (struct plan_step){.op = PLAN_ROOT_CLONE,
                                 .source = "/",
                                 .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID});
    step(job, (struct plan_step){.op = PLAN_MOUNT,
                                 .source = "proc",
                                 .target = "/proc",
                                 .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV});
    step(job, (struct plan_step){.op = PLAN_MOUNT,
                                 .source = "tmpfs",
                                 .target = "/tmp",
                                 .options = "mode=1777,size=16m"});
    step(job, (struct plan_step){.op = PLAN_BIND,
                                 .flags = PLAN_STEP_CREATE,
                                 .source = own_program(program),
                                 .target = "/tmp/actor"});
    step(job, (struct plan_step){.op = PLAN_PIVOT});
    step(job, (struct plan_step){.op = PLAN_HOSTNAME, .source = "sandbox"});
    step(job, (struct plan_step){.op = PLAN_LOOPBACK_UP});
}

void job_plan_command(struct job *job, const char *const *argv)
{
    for (; *argv; argv++)
        plan_builder_argument(job->plan, *argv);
    plan_builder_env(job->plan, "PATH=/usr/bin:/bin");
    plan_builder_env(job->plan, "HOME=/tmp");
}

void job_plan_script(struct job *job, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    job_plan_command(job, argv);
}

void job_plan_actor(struct job *job, const char *part)
{
    const char *const argv[] = {"/tmp/actor", part, NULL};

    job_plan_command(job, argv);
    plan_builder_env(job->plan, "ASAN_OPTIONS=detect_leaks=0");
}

static void create_output(struct job *job)
{
    int dir_fd = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(output_files_create(dir_fd, &job->id, job->settings.flags & PLAN_MERGED,
                                         clock_wall(), &job->output, NULL),
                     0);
    (void)fd_close(dir_fd);
    if (job->data_is_sealed) {
        (void)fd_close(job->output.data);
        job->output.data = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(fcntl(job->output.data, F_SETFL, O_APPEND), 0);
        assert_int_equal(fcntl(job->output.data, F_ADD_SEALS, F_SEAL_GROW), 0);
    }
}

static void be_hostile(void)
{
    const struct rlimit small = {1 << 20, RLIM_INFINITY};
    const unsigned long ignore[4] = {1 /* SIG_IGN; the kernel's struct sigaction begins with it */};
    sigset_t all;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    for (int signal = 1; signal < _NSIG; signal++) /* those too that the C library reserves */
        (void)syscall(SYS_rt_sigaction, signal, ignore, NULL, sizeof(uint64_t));
    (void)umask(0777);
    (void)setrlimit(RLIMIT_FSIZE, &small);
    (void)open("/", O_RDONLY); /* a forgotten descriptor */
    for (int fd = 0; fd < 3; fd++)
        (void)close(fd);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || fd_write_full(fd, text, strlen(text)) < 0)
        _exit(112);
    (void)close(fd);
}

/* As wire/plan.h says: by the child itself, before it executes. */
static void map_ids(uid_t uid)
{
    char map[64];

    (void)prctl(PR_SET_DUMPABLE, 1); /* lost with root's ids; without it /proc/self isn't ours */
    (void)snprintf(map, sizeof(map), "0 %u 1", uid);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", map);
    write_file("/proc/self/gid_map", map);
}

static _Noreturn void execute_init(struct job *job, int plan_fd, bool hostile)
{
    enum {
        COUNT = PLAN_FD_FIRST - PLAN_FD_PLAN,
    };
    const int fds[COUNT] = {plan_fd,       job->output.data, job->output.index,
                            job->state_fd, job->lifeline,    job->cgroup_fd};
    char *argv[] = {(char *)"hoist-init", NULL};
    char *env[] = {(char *)"LC_ALL=xx_XX", (char *)"ASAN_OPTIONS=detect_leaks=0", NULL};
    const char *path = getenv("HOIST_INIT");
    int high[COUNT];

    for (int i = 0; i < COUNT; i++)
        high[i] = fcntl(fds[i], F_DUPFD, 100);
    for (int i = 0; i < COUNT; i++) {
        (void)close(PLAN_FD_PLAN + i);
        (void)dup2(high[i], PLAN_FD_PLAN + i);
    }
    (void)syscall(SYS_close_range, PLAN_FD_FIRST, ~0u, 0);
    if (job->rootless)
        map_ids(job->rootless);
    if (hostile)
        be_hostile();
    (void)execve(path, argv, env);
    _exit(111);
}

void job_launch(struct job *job, bool hostile)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.flags = NAMESPACES | 0x00001000u /* CLONE_PIDFD */, .exit_signal = SIGCHLD};
    struct error err = {0};
    int plan_fd, pidfd = FD_NONE;
    long pid;

    create_output(job);
    plan_builder_set(job->plan, &job->settings);
    if (plan_builder_seal(job->plan, &plan_fd, &err) < 0)
        fail_msg("%s", err.text);
    args.pidfd = (uint64_t)(uintptr_t)&pidfd;
    if (job->rootless) {
        args.flags |= 0x10000000u; /* USER */
        assert_int_equal(setegid(job->rootless), 0);
        assert_int_equal(seteuid(job->rootless), 0);
    }
    pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        execute_init(job, plan_fd, hostile);
    assert_int_equal(seteuid(0) | setegid(0), 0);
    assert_true(pid > 0);
    (void)fd_close(plan_fd);
    assert_int_equal(pidref_take((pid_t)pid, pidfd, &job->init), 0);
}

/* hoist-init is signalled by the agent, which has the same uid; the test is root. */
void job_control(struct job *job, enum control_op op, int signal, usec_t grace)
{
    const struct control_request request = {op, signal, grace};
    int number, value;

    assert_int_equal(control_pack(&request, &number, &value), 0);
    assert_int_equal(pidref_queue(&job->init, number, value), 0);
}

static struct state_file read_state(struct job *job)
{
    struct state_file file;
    struct error err = {0};

    if (state_file_read(job->state_fd, &file, &err) < 0)
        fail_msg("%s", err.text);
    return file;
}

struct state_file job_wait(struct job *job)
{
    assert_int_equal(waitpid(job->init.pid, &job->raw_status, 0), job->init.pid);
    return read_state(job);
}

/* Waits for a change of `name` until `done`; the test's own time limit ends what never comes. */
static void wait_for(struct job *job, const char *name, bool (*done)(struct job *, size_t),
                     size_t wanted)
{
    char path[128], event[sizeof(struct inotify_event) + 256];
    int fd = inotify_init1(IN_CLOEXEC);

    (void)snprintf(path, sizeof(path), "%s/%s", job->directory, name);
    assert_true(inotify_add_watch(fd, path, IN_MODIFY) >= 0);
    while (!done(job, wanted)) {
        struct pollfd polled[] = {{fd, POLLIN, 0}, {job->init.fd, POLLIN, 0}};

        assert_true(poll(polled, 2, 30000) > 0);
        if (polled[0].revents)
            assert_true(read(fd, event, sizeof(event)) > 0);
        else if (!done(job, wanted))
            fail_msg("hoist-init has ended too early (phase %s: %s)",
                     state_phase_name(read_state(job).progress.phase),
                     read_state(job).progress.sentence);
    }
    (void)fd_close(fd);
}

static bool has_phase(struct job *job, size_t phase)
{
    return read_state(job).progress.phase >= phase;
}

void job_wait_phase(struct job *job, enum state_phase phase)
{
    wait_for(job, "state", has_phase, phase);
}

static bool has_flags(struct job *job, size_t flags)
{
    return (read_state(job).progress.flags & flags) == flags;
}

void job_wait_flags(struct job *job, uint32_t flags)
{
    wait_for(job, "state", has_flags, flags);
}

static bool has_no_flags(struct job *job, size_t flags)
{
    return (read_state(job).progress.flags & flags) == 0;
}

void job_wait_no_flags(struct job *job, uint32_t flags)
{
    wait_for(job, "state", has_no_flags, flags);
}

static bool has_output(struct job *job, size_t size)
{
    struct stat status;

    assert_int_equal(fstat(job->output.data, &status), 0);
    return (size_t)status.st_size >= size;
}

void job_wait_output(struct job *job, size_t size)
{
    wait_for(job, "output", has_output, size);
}

char *job_output(struct job *job, size_t *ret_size)
{
    struct stat status;
    char *text;

    assert_int_equal(fstat(job->output.data, &status), 0);
    text = malloc((size_t)status.st_size + 1);
    assert_non_null(text);
    assert_int_equal(fd_pread_full(job->output.data, text, (size_t)status.st_size, 0), 0);
    text[status.st_size] = '\0';
    if (ret_size)
        *ret_size = (size_t)status.st_size;
    return text;
}
