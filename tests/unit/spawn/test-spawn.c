/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "fixture.h"

static struct spawn_context *context;

#define NEEDS_CONTEXT()                                                                            \
    if (!context)                                                                                  \
    skip()

static char *const true_argv[] = {(char[]){"true"}, NULL};
static char *const sleep_argv[] = {(char[]){"sleep"}, (char[]){"1000"}, NULL};

static int setup(void **unused)
{
    context = fixture_context();
    return 0;
}

static int count_job(const char *group, const struct id *id, bool populated, void *data)
{
    unsigned *counts = data;

    assert_string_equal(group, "p-tester");
    assert_false(id_is_nil(id));
    counts[populated]++;
    return 0;
}

static void assert_jobs(unsigned empty, unsigned populated)
{
    unsigned counts[2] = {0};
    struct error err;

    assert_int_equal(spawn_list(context, count_job, counts, &err), 0);
    assert_int_equal(counts[0], empty);
    assert_int_equal(counts[1], populated);
}

/* The root must be free of everything, or it would not go away. */
static int teardown(void **unused)
{
    _cleanup_free_ char *root = NULL;
    _cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NULL;

    if (!context)
        return 0;
    root = strdup(spawn_context_cgroup_root(context));
    context = spawn_context_free(context);
    assert_int_equal(cgroup_tree_open(&tree, NULL), 0);
    assert_int_equal(cgroup_open(tree.fd, root, NULL), -ENOENT);
    return 0;
}

static void test_spawn_job_runs_the_command(void **unused)
{
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_run(context, &job, "echo hello; exit 7");
    assert_string_equal(job.output, "hello\n");
    assert_true(job.state.has_exit);
    assert_int_equal(job.state.exit.code, CLD_EXITED);
    assert_int_equal(job.state.exit.status, 7);
    assert_int_equal(job.failure, SPAWN_FAILURE_NONE);
    assert_true(job.result.start_time > 0);
    assert_true(text_starts_with(job.result.cgroup, spawn_context_cgroup_root(context)));
    fixture_job_done(&job);
    assert_jobs(0, 0);
}

static void test_spawn_job_lets_the_command_be_nobody(void **unused)
{
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_run(context, &job,
                "id -u; id -G; pwd; hostname; "
                "grep -E '^(Cap|NoNew|Seccomp:|Groups)' /proc/self/status; "
                "ls /proc/self/fd | wc -l; cat /proc/self/cgroup | tail -1");
    assert_string_equal(job.output, "100042\n100042\n/job\nsandbox\n"
                                    "Groups:\t \n"
                                    "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
                                    "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
                                    "CapAmb:\t0000000000000000\n"
                                    "NoNewPrivs:\t1\nSeccomp:\t2\n"
                                    "4\n" /* 0, 1, 2 and ls's own */
                                    "0::/\n");
    fixture_job_done(&job);
}

static void test_spawn_job_shows_the_host_read_only_and_without_its_sockets(void **unused)
{
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_run(
        context, &job,
        "for d in /home /root /boot /mnt /media /run /var/log /var/spool /tmp /var/tmp /job "
        "/dev/shm /sys/fs/cgroup; do [ -d $d ] && ls -A $d 2>&1; done; "
        "for d in / /usr /etc /var /dev /home /run /proc /sys; do "
        "  (: > $d/x) 2>/dev/null && echo wrote $d; done; "
        "(echo 1 > /proc/sys/kernel/hostname) 2>/dev/null && echo wrote sysctl; "
        "for d in /job /tmp /var/tmp /dev/shm; do [ -d $d ] && "
        "  { echo x > $d/x && cat $d/x; }; done");
    assert_string_equal(job.output, "x\nx\nx\nx\n");
    fixture_job_done(&job);
}

static void test_spawn_job_sees_only_its_own_processes(void **unused)
{
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_run(context, &job,
                "cd /proc; echo [0-9]*; "
                "kill -9 1 2>/dev/null || echo safe; "
                "unshare -U true 2>/dev/null || echo no namespaces; "
                "ls /sys/class/net; cat /proc/kcore 2>/dev/null | wc -c");
    /* The shell alone, whose globbing starts no process: hoist-init is another user's (hidepid). */
    assert_string_equal(job.output, "2\nsafe\nno namespaces\nlo\n0\n");
    fixture_job_done(&job);
}

static void test_spawn_job_hides_what_the_options_name(void **unused)
{
    static const char *const hidden[] = {"/etc/passwd", "/usr/share", "/etc/not-there-yet", NULL};
    struct spawn_context *other;
    struct fixture_job job;

    NEEDS_CONTEXT();
    other = fixture_context_with(fixture_init(), hidden);
    fixture_run(other, &job, "cat /etc/passwd; ls -A /usr/share; echo end");
    assert_string_equal(job.output, "end\n");
    fixture_job_done(&job);
    spawn_context_free(other);

    /* It had the same cgroup root and took it away with it. */
    fixture_run(context, &job, "echo again");
    assert_string_equal(job.output, "again\n");
    fixture_job_done(&job);
}

static const char *const covered[] = {"/etc/passwd", "/usr/share", NULL};

/* What the maker of a root says is waited for. */
static void settle(struct spawn_context *other)
{
    struct pollfd waits = spawn_context_waits(other);
    struct error err;
    pid_t maker;

    assert_int_equal(waits.events, POLLIN);
    assert_int_equal(poll(&waits, 1, TIMEOUT_MSEC), 1);
    spawn_context_settle(other);
    assert_int_equal(spawn_context_failure(other, &err), 0);
    assert_true(spawn_context_waits(other).fd < 0);

    maker = waitpid(-1, NULL, __WALL);
    assert_false(spawn_context_reaped(other, maker + 1));
    assert_true(spawn_context_reaped(other, maker));
    assert_false(spawn_context_reaped(other, maker)); /* the pid may be a job's by now */
}

/* In a mount namespace of our own, so that the host's mounts stay as they are. */
static struct spawn_context *context_with_root_ahead(void)
{
    struct spawn_context *other;

    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    other = fixture_context_of(fixture_init(), covered, true);
    if (spawn_context_waits(other).fd < 0) {
        spawn_context_free(other);
        fprintf(stderr, "# skipped: needs root of the initial user namespace\n");
        skip();
    }
    settle(other);
    return other;
}

static void context_with_root_ahead_done(struct spawn_context *other)
{
    spawn_context_free(other);
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
}

static void prints(struct spawn_context *other, const char *script, const char *wanted)
{
    struct fixture_job job;

    fixture_run(other, &job, script);
    assert_string_equal(job.output, wanted);
    fixture_job_done(&job);
}

static void test_spawn_job_goes_on_in_a_root_that_was_made_ahead(void **unused)
{
    unsigned fds = fixture_count_fds();
    struct spawn_context *other;

    NEEDS_CONTEXT();
    other = context_with_root_ahead();
    prints(other, "cat /etc/passwd; ls -A /usr/share; (: > /x) 2>/dev/null; echo end", "end\n");
    context_with_root_ahead_done(other);
    assert_int_equal(fixture_count_fds(), fds);
}

static void is_told(struct spawn_context *other)
{
    struct pollfd mounts = spawn_context_mounts(other);

    assert_int_equal(poll(&mounts, 1, TIMEOUT_MSEC), 1);
    assert_int_equal(poll(&mounts, 1, 0), 0);
}

static void test_spawn_job_sees_what_was_mounted_though_nobody_has_heeded_it(void **unused)
{
    struct spawn_context *other;
    struct error err;
    unsigned fds;

    NEEDS_CONTEXT();
    other = context_with_root_ahead();
    assert_int_equal(mount("none", "/srv", "tmpfs", 0, NULL), 0);
    assert_int_equal(mkdir("/srv/seen", 0755), 0);
    is_told(other);
    prints(other, "ls -A /srv /usr/share", "/srv:\nseen\n\n/usr/share:\n");
    assert_int_equal(spawn_context_heed_mounts(other, &err), 0);

    prints(other, "ls -A /srv", "seen\n"); /* the second one without a change */
    settle(other);
    fds = fixture_count_fds();
    prints(other, "ls -A /srv", "seen\n");
    assert_int_equal(umount2("/srv", MNT_DETACH), 0);
    is_told(other);
    assert_int_equal(fixture_count_fds(), fds);
    assert_int_equal(spawn_context_heed_mounts(other, &err), 0);
    assert_int_equal(fixture_count_fds(), fds - 1); /* the root isn't kept */
    context_with_root_ahead_done(other);
}

static void test_spawn_job_reports_a_command_that_is_not_there(void **unused)
{
    char *const argv[] = {(char[]){"no-such-command"}, NULL};
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_job_init(&job, argv);
    assert_int_equal(fixture_job_start(context, &job), 0);
    fixture_job_wait(&job);
    assert_int_equal(job.state.progress.phase, STATE_PHASE_START_FAILED);
    assert_int_equal(job.state.progress.failure, SPAWN_FAILURE_COMMAND_NOT_FOUND);
    fixture_job_remove(context, &job);
    fixture_job_done(&job);
}

static void test_spawn_job_refuses_what_makes_no_sense(void **unused)
{
    static char nameless[] = "=x";
    static char *const no_argv[] = {NULL}, *const no_name[] = {nameless, NULL};
    struct fixture_job job;
    struct spawn_spec good;

    NEEDS_CONTEXT();
    fixture_job_init(&job, true_argv);
    good = job.spec;

#define REFUSES(code, member, ...)                                                                 \
    job.spec = good;                                                                               \
    job.spec.member = __VA_ARGS__;                                                                 \
    assert_int_equal(fixture_job_start(context, &job), code);                                      \
    assert_int_equal(job.failure, SPAWN_FAILURE_REFUSED)
    REFUSES(-EPERM, uid, 0);
    REFUSES(-EPERM, uid, JOB_UID + 11);
    REFUSES(-EPERM, uid, AGENT_UID);
    REFUSES(-EINVAL, group, "tester");
    REFUSES(-EINVAL, group, "p-../x");
    REFUSES(-EINVAL, group, "p-");
    REFUSES(-EINVAL, group, NULL);
    REFUSES(-EINVAL, id, (struct id){0});
    REFUSES(-EINVAL, argv, no_argv);
    REFUSES(-EINVAL, env, no_name);
    REFUSES(-EINVAL, cwd, "tmp");
    REFUSES(-EINVAL, stop_signal, 0);
    REFUSES(-EINVAL, stop_signal, 65);
    REFUSES(-EINVAL, network, _SPAWN_NETWORK_MAX);
    REFUSES(-EINVAL, limits, (struct limits){.given = LIMIT_BIT(_LIMIT_MAX)});
    REFUSES(-EINVAL, limits, (struct limits){.given = LIMIT_BIT(LIMIT_CPU_WEIGHT)});
#undef REFUSES
    assert_jobs(0, 0);
    fixture_job_done(&job);
}

static void test_spawn_job_refuses_a_limit_that_is_not_enforceable(void **unused)
{
    struct fixture_job job;

    NEEDS_CONTEXT();
    if (spawn_context_enforceable(context) & LIMIT_BIT(LIMIT_MEMORY_MAX)) {
        fprintf(stderr, "# skipped: this host can enforce memory_max\n");
        skip();
    }
    fixture_job_init(&job, true_argv);
    limit_set(&job.spec.limits, LIMIT_MEMORY_MAX, 64 << 20);
    assert_int_equal(fixture_job_start(context, &job), -EOPNOTSUPP);
    assert_int_equal(job.failure, SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE);
    assert_non_null(strstr(job.err.text, "memory_max"));
    assert_non_null(strstr(job.err.text, "controller memory"));
    assert_jobs(0, 0);

    job.spec.warn_unenforced = true;
    limit_set(&job.spec.limits, LIMIT_PIDS_MAX, 0); /* no limit: nothing to enforce */
    limit_set(&job.spec.limits, LIMIT_CORE_SIZE, 0);
    assert_int_equal(fixture_job_start(context, &job), 0);
    assert_int_equal(job.result.limits.enforced,
                     LIMIT_BIT(LIMIT_PIDS_MAX) | LIMIT_BIT(LIMIT_CORE_SIZE));
    assert_non_null(strstr(job.result.limits.detail[LIMIT_MEMORY_MAX], "memory.max"));
    fixture_job_wait(&job);
    fixture_job_remove(context, &job);
    fixture_job_done(&job);
}

static void test_spawn_job_puts_enforceable_limits_into_force(void **unused)
{
    static const struct {
        enum limit limit;
        uint64_t value;
        const char *detail;
    } limits[] = {
        {LIMIT_CPU_MILLIS, 500, "cpu.max 50000 100000"},
        {LIMIT_CPU_WEIGHT, 50, "cpu.weight 50"},
        {LIMIT_MEMORY_MAX, 64 << 20, "memory.max 67108864"},
        {LIMIT_SWAP_MAX, 0, "memory.swap.max 0"},
        {LIMIT_PIDS_MAX, 64, "pids.max 64"},
        {LIMIT_OPEN_FILES, 99, "open_files 99"},
    };
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_job_init(&job, true_argv);
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (spawn_context_enforceable(context) & LIMIT_BIT(limits[i].limit))
            limit_set(&job.spec.limits, limits[i].limit, limits[i].value);
    assert_int_equal(fixture_job_start(context, &job), 0);
    assert_int_equal(job.result.limits.enforced, job.spec.limits.given);
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (limit_is_given(&job.spec.limits, limits[i].limit))
            assert_string_equal(job.result.limits.detail[limits[i].limit], limits[i].detail);
    fixture_job_wait(&job);
    assert_int_equal(job.state.exit.status, 0);
    fixture_job_remove(context, &job);
    fixture_job_done(&job);
}

static void test_spawn_job_leaves_nothing_when_hoist_init_cannot_be_executed(void **unused)
{
    char path[] = "/tmp/hoist-test-XXXXXX";
    _cleanup_close_ int fd = mkstemp(path);
    struct spawn_context *broken;
    struct fixture_job job;
    unsigned fds;

    NEEDS_CONTEXT();
    assert_int_equal(fd_write_full(fd, "no program\n", 11), 0);
    assert_int_equal(fchmod(fd, 0755), 0);
    broken = fixture_context_with(path, NULL);
    unlink(path);
    fixture_job_init(&job, true_argv);
    fds = fixture_count_fds();
    assert_int_equal(fixture_job_start(broken, &job), -ENOEXEC);
    assert_int_equal(job.failure, SPAWN_FAILURE_SPAWN);
    assert_non_null(strstr(job.err.text, "execute"));
    assert_int_equal(fixture_count_fds(), fds);
    assert_jobs(0, 0);
    fixture_job_done(&job);
    spawn_context_free(broken);
}

static void test_spawn_job_refuses_a_second_job_of_the_same_id(void **unused)
{
    struct fixture_job job;
    struct spawn_result second = SPAWN_RESULT_NULL;

    NEEDS_CONTEXT();
    fixture_job_init(&job, sleep_argv);
    assert_int_equal(fixture_job_start(context, &job), 0);
    assert_int_equal(spawn_job(context, &job.spec, &job.files, &second, &job.failure, &job.err),
                     -EEXIST);
    assert_int_equal(job.failure, SPAWN_FAILURE_CGROUP);
    assert_jobs(0, 1);
    fixture_job_wait_started(&job);
    assert_int_equal(spawn_kill(context, "p-tester", &job.spec.id, &job.err), 0);
    fixture_job_wait(&job);
    fixture_job_remove(context, &job);
    fixture_job_done(&job);
}

static void test_spawn_find_by_what_was_written_down_or_by_the_cgroup(void **unused)
{
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_job_init(&job, sleep_argv);
    assert_int_equal(fixture_job_start(context, &job), 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct spawn_process nobody = {.pid = 0},
                                   known = {job.result.pid, job.result.start_time};
        struct spawn_result found = SPAWN_RESULT_NULL;

        assert_int_equal(spawn_find(context, "p-tester", &job.spec.id, i == 0 ? &known : &nobody,
                                    &found, &job.err),
                         0);
        assert_int_equal(found.pid, job.result.pid);
        assert_int_equal(found.start_time, job.result.start_time);
        assert_string_equal(found.cgroup, job.result.cgroup);
        fd_close(found.pidfd);
    }
    fixture_job_wait_started(&job);
    assert_int_equal(spawn_kill(context, "p-tester", &job.spec.id, &job.err), 0);
    fixture_job_wait(&job);
    fixture_job_remove(context, &job);
    fixture_job_done(&job);
}

static void test_spawn_kill_ends_the_command_and_not_its_record(void **unused)
{
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_job_init(&job, sleep_argv);
    assert_int_equal(fixture_job_start(context, &job), 0);
    fixture_job_wait_started(&job);
    assert_int_equal(spawn_kill(context, "p-tester", &job.spec.id, &job.err), 0);
    fixture_job_wait(&job);
    assert_true(job.state.has_exit);
    assert_int_equal(job.state.exit.code, CLD_KILLED);
    assert_int_equal(job.state.exit.status, SIGKILL);
    assert_jobs(1, 0);
    fixture_job_remove(context, &job);
    assert_int_equal(spawn_kill(context, "p-tester", &job.spec.id, &job.err), -ENOENT);
    assert_int_equal(spawn_remove(context, "p-tester", &job.spec.id, NULL, &job.err), -ENOENT);
    fixture_job_done(&job);
}

static void test_spawn_remove_ends_what_still_runs_and_tells_usage(void **unused)
{
    struct cgroup_usage usage = {0};
    struct fixture_job job;
    siginfo_t info;
    int r;

    NEEDS_CONTEXT();
    fixture_job_init(&job, sleep_argv);
    assert_int_equal(fixture_job_start(context, &job), 0);
    do
        r = spawn_remove(context, "p-tester", &job.spec.id, &usage, &job.err);
    while (r == -EBUSY && !sched_yield());
    assert_int_equal(r, 0);
    assert_true(usage.known & CGROUP_KNOWS_CPU);
    assert_int_equal(waitid(P_PIDFD, (id_t)job.result.pidfd, &info, WEXITED), 0);
    assert_int_equal(info.si_status, SIGKILL);
    assert_jobs(0, 0);
    fixture_job_done(&job);
}

/* By the controller, or where there is none by RLIMIT_NPROC. */
static void test_spawn_job_holds_down_its_processes(void **unused)
{
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"},
                    (char[]){"for i in 1 2 3 4 5 6 7 8; do sleep 600 & done; echo all"}, NULL};
    struct fixture_job job;

    NEEDS_CONTEXT();
    fixture_job_init(&job, argv);
    limit_set(&job.spec.limits, LIMIT_PIDS_MAX, 5);
    job.spec.warn_unenforced = true;
    if (fixture_job_start(context, &job) < 0)
        fail_msg("%s", job.err.text);
    fixture_job_wait(&job);
    assert_null(strstr(job.output, "all"));
    assert_non_null(strstr(job.output, "fork"));
    fixture_job_remove(context, &job);
    fixture_job_done(&job);
}

static void test_spawn_job_is_bounded_by_the_kernel(void **unused)
{
    char root[64];
    const struct spawn_options options = {
        .cgroup_root = root,
        .init_path = fixture_init(),
        .agent_uid = AGENT_UID,
        .agent_gid = AGENT_UID,
        .jobs_max = 1,
        .job_uid_min = JOB_UID,
        .job_uid_max = JOB_UID,
    };
    char *argv[] = {(char[]){"sleep"}, (char[]){"600"}, NULL};
    struct spawn_context *few = NULL;
    struct fixture_job one, other;

    if (geteuid() != 0 || !options.init_path) {
        fprintf(stderr, "# skipped: needs root\n");
        skip();
    }
    snprintf(root, sizeof(root), "hoist-test-%d-few", (int)getpid());
    fixture_job_init(&one, argv);
    fixture_job_init(&other, argv);
    if (spawn_context_new(&options, &few, &one.err) < 0 || fixture_job_start(few, &one) < 0)
        fail_msg("%s", one.err.text);
    other.spec.group = "p-other";
    assert_int_equal(fixture_job_start(few, &other), -EAGAIN);
    assert_int_equal(other.failure, SPAWN_FAILURE_CGROUP);
    fixture_job_remove(few, &one);
    if (fixture_job_start(few, &other) < 0)
        fail_msg("%s", other.err.text);
    fixture_job_remove(few, &other);
    spawn_context_free(few);
    fixture_job_done(&one);
    fixture_job_done(&other);
}

static void test_spawn_context_new_checks_its_options(void **unused)
{
    const struct spawn_options good = {
        .init_path = "/bin/true", .agent_uid = 1, .job_uid_min = 2, .job_uid_max = 3};
    struct spawn_context *none = NULL;
    struct spawn_options bad;
    struct error err;

    if (geteuid() != 0) {
        fprintf(stderr, "# skipped: needs root\n");
        skip();
    }
#define REFUSES(code, member, value)                                                               \
    bad = good;                                                                                    \
    bad.member = (value);                                                                          \
    assert_int_equal(spawn_context_new(&bad, &none, &err), code);                                  \
    assert_null(none)
    REFUSES(-EINVAL, init_path, "hoist-init");
    REFUSES(-ENOENT, init_path, "/no/such/hoist-init");
    REFUSES(-ENOEXEC, init_path, "/etc/passwd");
    REFUSES(-ENOEXEC, init_path, "/");
    REFUSES(-EINVAL, agent_uid, 0);
    REFUSES(-EINVAL, job_uid_min, 0);
    REFUSES(-EINVAL, job_uid_max, 1);
    REFUSES(-EINVAL, cgroup_root, "");
    REFUSES(-EINVAL, cgroup_root, "/");
    REFUSES(-EINVAL, cgroup_root, "../x");
    REFUSES(-EINVAL, cgroup_root, "a//b");
    REFUSES(-EINVAL, cgroup_root, "a/../b");
#undef REFUSES
}

static void test_spawn_group_is_valid(void **unused)
{
    assert_true(spawn_group_is_valid("p-alice"));
    assert_false(spawn_group_is_valid("alice"));
    assert_false(spawn_group_is_valid("p-"));
    assert_false(spawn_group_is_valid("p-Alice"));
    assert_false(spawn_group_is_valid("p-a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spawn_job_runs_the_command),
        cmocka_unit_test(test_spawn_job_lets_the_command_be_nobody),
        cmocka_unit_test(test_spawn_job_shows_the_host_read_only_and_without_its_sockets),
        cmocka_unit_test(test_spawn_job_sees_only_its_own_processes),
        cmocka_unit_test(test_spawn_job_hides_what_the_options_name),
        cmocka_unit_test(test_spawn_job_goes_on_in_a_root_that_was_made_ahead),
        cmocka_unit_test(test_spawn_job_sees_what_was_mounted_though_nobody_has_heeded_it),
        cmocka_unit_test(test_spawn_job_reports_a_command_that_is_not_there),
        cmocka_unit_test(test_spawn_job_refuses_what_makes_no_sense),
        cmocka_unit_test(test_spawn_job_refuses_a_limit_that_is_not_enforceable),
        cmocka_unit_test(test_spawn_job_puts_enforceable_limits_into_force),
        cmocka_unit_test(test_spawn_job_leaves_nothing_when_hoist_init_cannot_be_executed),
        cmocka_unit_test(test_spawn_job_refuses_a_second_job_of_the_same_id),
        cmocka_unit_test(test_spawn_find_by_what_was_written_down_or_by_the_cgroup),
        cmocka_unit_test(test_spawn_kill_ends_the_command_and_not_its_record),
        cmocka_unit_test(test_spawn_remove_ends_what_still_runs_and_tells_usage),
        cmocka_unit_test(test_spawn_job_holds_down_its_processes),
        cmocka_unit_test(test_spawn_job_is_bounded_by_the_kernel),
        cmocka_unit_test(test_spawn_context_new_checks_its_options),
        cmocka_unit_test(test_spawn_group_is_valid),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
