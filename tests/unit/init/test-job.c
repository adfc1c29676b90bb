/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoist-init itself, with real processes: what a job's end looks like in its three files.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "job.h"
#include "output/format.h"
#include "output/reader.h"

static void assert_output(struct job *job, const char *expected)
{
    char *output = job_output(job, NULL);

    assert_string_equal(output, expected);
    free(output);
}

static struct state_file run_script(struct job *job, const char *script)
{
    job_plan_default(job);
    job_plan_script(job, script);
    job_launch(job, false);
    return job_wait(job);
}

static void assert_exited(const struct state_file *state, int code)
{
    assert_int_equal(state->progress.failure, SPAWN_FAILURE_NONE);
    assert_true(state->has_exit);
    assert_int_equal(state->exit.code, CLD_EXITED);
    assert_int_equal(state->exit.status, code);
}

static void assert_killed_by(const struct state_file *state, int signal)
{
    assert_true(state->has_exit);
    assert_int_equal(state->exit.code, CLD_KILLED);
    assert_int_equal(state->exit.status, signal);
}

static void test_job_keeps_exit_code_and_both_streams(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    state = run_script(&job, "echo out; echo err >&2; exit 7");
    assert_exited(&state, 7);
    assert_int_equal(state.exit.flags, 0);
    assert_int_equal(state.exit.totals[0], 4);
    assert_int_equal(state.exit.totals[1], 4);
    assert_int_equal(state.exit.output_end, 8);
    assert_true(state.exit.ended_boot >= state.exit.started_boot);
    assert_true(WIFEXITED(job.raw_status) && WEXITSTATUS(job.raw_status) == 0);
    job_teardown(&job);
}

static void test_job_tells_the_signal(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    state = run_script(&job, "kill -USR1 $$");
    assert_killed_by(&state, SIGUSR1);
    assert_int_equal(state.exit.flags, 0);
    job_teardown(&job);
}

static void assert_sequence(struct job *job, int last)
{
    char *expected = malloc(8 * (size_t)last), *end = expected, *output;
    size_t size;

    for (int i = 1; i <= last; i++)
        end += sprintf(end, "%d\n", i);
    output = job_output(job, &size);
    assert_int_equal(size, end - expected);
    assert_memory_equal(output, expected, size);
    free(output);
    free(expected);
}

static void test_job_keeps_every_byte(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_command(&job, (const char *const[]){"seq", "1", "500000", NULL});
    job_launch(&job, false);
    state = job_wait(&job);
    assert_exited(&state, 0);
    assert_sequence(&job, 500000);
    job_teardown(&job);
}

static void test_job_merges_in_exact_order(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.flags |= PLAN_MERGED;
    job_plan_script(&job, "for i in 1 2 3; do echo o$i; echo e$i >&2; done");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_exited(&state, 0);
    assert_output(&job, "o1\ne1\no2\ne2\no3\ne3\n");
    assert_int_equal(state.exit.totals[0], 18);
    job_teardown(&job);
}

/* The end of an index whose job is over is its END entry. */
static void test_job_index_is_complete(void **unused)
{
    struct job job;
    struct state_file state;
    struct output_entry entry;
    struct stat status;
    uint8_t bytes[OUTPUT_ENTRY_SIZE];

    job_setup(&job);
    state = run_script(&job, "echo x");
    assert_exited(&state, 0);
    assert_int_equal(fstat(job.output.index, &status), 0);
    assert_int_equal(
        fd_pread_full(job.output.index, bytes, sizeof(bytes), (off_t)output_entry_offset(1)), 0);
    assert_int_equal(output_entry_decode(bytes, &entry), 0);
    assert_int_equal(entry.kind, OUTPUT_ENTRY_END);
    assert_int_equal(entry.end, 2);
    job_teardown(&job);
}

static void test_job_names_what_it_cannot_execute(void **unused)
{
    static const struct {
        const char *command;
        enum spawn_failure failure;
        int code;
        const char *words;
    } cases[] = {
        {"no-such-command", SPAWN_FAILURE_COMMAND_NOT_FOUND, -ENOENT, "not found in PATH"},
        {"/no/such/file", SPAWN_FAILURE_COMMAND_NOT_FOUND, -ENOENT, "no such file"},
        {"/etc/passwd", SPAWN_FAILURE_COMMAND_NOT_EXECUTABLE, -EACCES, "/etc/passwd"},
        {"/etc", SPAWN_FAILURE_COMMAND_NOT_EXECUTABLE, -EACCES, "directory"},
        {"/etc/passwd/x", SPAWN_FAILURE_COMMAND_NOT_FOUND, -ENOTDIR, "/etc/passwd/x"},
        {"", SPAWN_FAILURE_COMMAND_NOT_FOUND, -ENOENT, "empty"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct job job;
        struct state_file state;

        job_setup(&job);
        job_plan_default(&job);
        job_plan_command(&job, (const char *const[]){cases[i].command, NULL});
        job_launch(&job, false);
        state = job_wait(&job);
        assert_int_equal(state.progress.phase, STATE_PHASE_START_FAILED);
        assert_int_equal(state.progress.failure, cases[i].failure);
        assert_int_equal(state.progress.error_code, cases[i].code);
        assert_non_null(strstr(state.progress.sentence, cases[i].words));
        assert_false(state.has_exit);
        assert_output(&job, "");
        job_teardown(&job);
    }
}

static void test_job_needs_its_working_directory(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_script(&job, "true");
    plan_builder_cwd(job.plan, "/home/alice");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_int_equal(state.progress.failure, SPAWN_FAILURE_CWD);
    assert_non_null(strstr(state.progress.sentence, "/home/alice"));
    job_teardown(&job);
}

static void test_job_names_the_step_that_fails(void **unused)
{
    struct job job;
    struct state_file state;
    const struct plan_step step = {.op = PLAN_MKDIR, .target = "/usr/not-here", .mode = 0755};

    job_setup(&job);
    job_plan_default(&job);
    plan_builder_step(job.plan, &step);
    job_plan_script(&job, "true");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_int_equal(state.progress.phase, STATE_PHASE_START_FAILED);
    assert_int_equal(state.progress.failure, SPAWN_FAILURE_ISOLATION);
    assert_int_equal(state.progress.error_code, -EROFS);
    assert_non_null(strstr(state.progress.sentence, "mkdir /usr/not-here"));
    job_teardown(&job);
}

static void test_job_stop_sends_the_signal_and_waits(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_actor(&job, "last-words");
    job_launch(&job, false);
    job_wait_output(&job, 6);
    job_control(&job, CONTROL_STOP, SIGTERM, 30 * USEC_PER_SEC);
    state = job_wait(&job);
    assert_exited(&state, 3);
    assert_int_equal(state.exit.flags, STATE_EXIT_STOPPED);
    assert_int_equal(state.exit.stop_reason, STATE_STOP_REQUEST);
    assert_int_equal(state.exit.stop_signal, SIGTERM);
    assert_output(&job, "ready\nterm\n");
    job_teardown(&job);
}

static void test_job_stop_kills_a_tree_that_ignores_the_signal(void **unused)
{
    struct job job;
    struct state_file state;
    usec_t before;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_script(
        &job, "trap '' TERM; setsid sh -c 'sleep 600' & (sleep 600) & echo ready; wait; wait");
    job_launch(&job, false);
    job_wait_output(&job, 6);
    before = clock_boot();
    job_control(&job, CONTROL_STOP, SIGTERM, 300 * USEC_PER_MSEC);
    state = job_wait(&job);
    assert_killed_by(&state, SIGKILL);
    assert_int_equal(state.exit.flags, STATE_EXIT_STOPPED | STATE_EXIT_KILLED);
    assert_true(clock_boot() - before >= 300 * USEC_PER_MSEC);
    assert_true(clock_boot() - before < 5 * USEC_PER_SEC);
    job_teardown(&job);
}

/* The leader ends at once; a child in a session of its own still gets to write its last words. */
static void test_job_stop_gives_the_others_their_grace(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_actor(&job, "late-child");
    job_launch(&job, false);
    job_wait_output(&job, 6);
    job_control(&job, CONTROL_STOP, SIGTERM, 30 * USEC_PER_SEC);
    state = job_wait(&job);
    assert_killed_by(&state, SIGTERM);
    assert_int_equal(state.exit.flags, STATE_EXIT_STOPPED);
    assert_output(&job, "ready\nlate\n");
    job_teardown(&job);
}

static void test_job_kill_is_at_once(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_script(&job, "trap '' TERM INT; echo ready; sleep 600");
    job_launch(&job, false);
    job_wait_output(&job, 6);
    job_control(&job, CONTROL_STOP, SIGTERM, 300 * USEC_PER_SEC);
    job_wait_phase(&job, STATE_PHASE_STOPPING);
    job_control(&job, CONTROL_KILL, 0, 0);
    state = job_wait(&job);
    assert_killed_by(&state, SIGKILL);
    assert_int_equal(state.exit.flags, STATE_EXIT_STOPPED | STATE_EXIT_KILLED);
    job_teardown(&job);
}

static void test_job_signal_is_no_stop(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_actor(&job, "last-words");
    job_launch(&job, false);
    job_wait_output(&job, 6);
    job_control(&job, CONTROL_SIGNAL, SIGHUP, 0);
    state = job_wait(&job);
    assert_exited(&state, 3);
    assert_int_equal(state.exit.flags, 0);
    assert_output(&job, "ready\nhup\n");
    job_teardown(&job);
}

static void test_job_timeout_stops_and_says_so(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.timeout = 200 * USEC_PER_MSEC;
    job.settings.grace = 100 * USEC_PER_MSEC;
    job_plan_script(&job, "trap '' TERM; sleep 600 & wait; sleep 600");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_killed_by(&state, SIGKILL);
    assert_int_equal(state.exit.flags,
                     STATE_EXIT_STOPPED | STATE_EXIT_TIMED_OUT | STATE_EXIT_KILLED);
    assert_int_equal(state.exit.stop_reason, STATE_STOP_TIMEOUT);
    assert_true(state.exit.ended_boot - state.exit.started_boot >= 300 * USEC_PER_MSEC);
    job_teardown(&job);
}

/* A grandchild that holds the pipe and would sleep on doesn't delay the end. */
static void test_job_ends_with_its_leader(void **unused)
{
    struct job job;
    struct state_file state;
    usec_t before = clock_boot();

    job_setup(&job);
    state = run_script(&job, "setsid sleep 600 & echo done");
    assert_exited(&state, 0);
    assert_output(&job, "done\n");
    assert_true(clock_boot() - before < 10 * USEC_PER_SEC);
    job_teardown(&job);
}

static void test_job_reaps_orphans(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    state = run_script(&job, "i=0; while [ $i -lt 200 ]; do (true &) ; i=$((i+1)); done; "
                             "sleep 0.2; ls -d /proc/[0-9]* | wc -l");
    assert_exited(&state, 0);
    {
        char *output = job_output(&job, NULL);

        assert_true(atoi(output) < 10);
        free(output);
    }
    job_teardown(&job);
}

/* What the command finds itself to be. */
static void test_job_command_has_no_privilege(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    state =
        run_script(&job, "id -u; id -G; umask; hostname; grep -E '^(Cap|NoNewPrivs|Sig(Blk|Ign))' "
                         "/proc/self/status | tr -d '\\t'; ls /proc/self/fd | wc -l; "
                         "readlink /proc/self/fd/0; pwd; cat /proc/self/cgroup | tail -1 | wc -l");
    assert_exited(&state, 0);
    assert_output(&job,
                  "100001\n100001\n0022\nsandbox\n"
                  "SigBlk:0000000000000000\nSigIgn:0000000000000000\n"
                  "CapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\n"
                  "CapBnd:0000000000000000\nCapAmb:0000000000000000\nNoNewPrivs:1\n"
                  "4\n/dev/null\n/\n1\n");
    job_teardown(&job);
}

static char *read_status(struct job *job)
{
    char path[64], *text;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", job->init.pid);
    assert_int_equal(file_read(-100 /* AT_FDCWD */, path, 65536, &text, NULL), 0);
    return text;
}

static void test_job_init_keeps_only_cap_kill(void **unused)
{
    struct job job;
    struct state_file state;
    char *status;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_script(&job, "echo ready; read x; sleep 600");
    job_launch(&job, false);
    job_wait_output(&job, 6);
    status = read_status(&job);
    assert_non_null(strstr(status, "Uid:\t65534\t65534\t65534\t65534\n"));
    assert_non_null(strstr(status, "Gid:\t65534\t65534\t65534\t65534\n"));
    assert_non_null(strstr(status, "Groups:\t \n"));
    assert_non_null(strstr(status, "CapPrm:\t0000000000000020\n"));
    assert_non_null(strstr(status, "CapEff:\t0000000000000020\n"));
    assert_non_null(strstr(status, "CapBnd:\t0000000000000000\n"));
    assert_non_null(strstr(status, "NoNewPrivs:\t1\n"));
    free(status);
    job_control(&job, CONTROL_KILL, 0, 0);
    state = job_wait(&job);
    assert_true(state.has_exit);
    job_teardown(&job);
}

static void test_job_command_cannot_harm_its_init(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    state = run_script(&job, "kill -KILL 1; kill -STOP 1; kill -40 1; kill -42 1; "
                             "ls -l /proc/1/fd; cat /proc/1/environ; prlimit --pid 1 --nofile=1; "
                             "renice 19 1; exit 5");
    assert_exited(&state, 5);
    assert_int_equal(state.exit.flags, 0);
    job_teardown(&job);
}

static void test_job_survives_hostile_starters(void **unused)
{
    struct job job;
    struct state_file state;
    size_t size;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_script(&job, "grep -q '^SigIgn:.0*$' /proc/self/status || exit 8\n"
                          "seq 1 400000; exit 9"); /* more than the starter's file size limit */
    job_launch(&job, true);
    state = job_wait(&job);
    assert_exited(&state, 9);
    free(job_output(&job, &size));
    assert_int_equal(size, 2688895);
    job_teardown(&job);
}

static void test_job_refuses_to_start_twice(void **unused)
{
    struct job job;
    struct state_file state;
    struct state_progress progress = {.phase = STATE_PHASE_STARTED};

    job_setup(&job);
    assert_int_equal(state_file_write_progress(job.state_fd, &progress), 0);
    state = run_script(&job, "echo again");
    assert_int_equal(WEXITSTATUS(job.raw_status), EXIT_FAILURE);
    assert_false(state.has_exit);
    assert_output(&job, "");
    job_teardown(&job);
}

static void test_job_refuses_the_plan_of_another(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.id.bytes[3] ^= 1;
    job_plan_script(&job, "true");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_int_equal(state.progress.failure, SPAWN_FAILURE_SPAWN);
    assert_non_null(strstr(state.progress.sentence, "different jobs"));
    job_teardown(&job);
}

static void test_job_output_is_held_to_its_rate(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.output.rate = 4 << 20;
    job.settings.timeout = 400 * USEC_PER_MSEC;
    job.settings.grace = 0;
    job_plan_script(&job, "cat /dev/zero");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_killed_by(&state, SIGKILL);
    /* a bucket of 1 MiB, 0.4 s at 4 MiB/s, a full pipe at the end */
    assert_true(state.exit.output_end > 1 << 20);
    assert_true(state.exit.output_end < 6 << 20);
    job_teardown(&job);
}

static void test_job_keeps_both_ends_of_its_output(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.output.cap = 1 << 20;
    job_plan_command(&job, (const char *const[]){"seq", "1", "500000", NULL}); /* 3.4 MB */
    job_launch(&job, false);
    state = job_wait(&job);
    assert_exited(&state, 0);
    assert_int_equal(state.exit.flags, 0);
    assert_int_equal(state.exit.output_end, 3388895);
    assert_in_range(state.progress.gap_start, 100000, 1 << 18);
    assert_in_range(state.progress.gap_end - state.progress.gap_start, 2300000, 2700000);
    job_teardown(&job);
}

/* The signal ends it at once, since what it writes meanwhile is taken and thrown away. */
static void test_job_is_stopped_at_its_cap(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.output.cap = 1 << 20;
    job.settings.output.stop_at_cap = true;
    job_plan_script(&job,
                    "trap 'head -c 3000000 /dev/zero; exit 7' TERM; while :; do echo x; done");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_exited(&state, 7);
    assert_int_equal(state.exit.flags, STATE_EXIT_BEYOND_CAP);
    assert_int_equal(state.exit.stop_reason, STATE_STOP_CAP);
    assert_in_range(state.exit.output_end, (1 << 20) - 300000, 1 << 20);
    job_teardown(&job);
}

/* A FIFO that only its descriptors are left of, as the agent holds it; *ret_path: to open it by. */
static int make_lifeline(struct job *job, char ret_path[static 32])
{
    char path[128];
    int hold;

    (void)snprintf(path, sizeof(path), "%s/lifeline", job->directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    hold = open(path, O_RDWR | O_CLOEXEC);
    job->lifeline = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(hold >= 0 && job->lifeline >= 0);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(ret_path, 32, "/proc/self/fd/%d", job->lifeline);
    return hold;
}

static void test_job_ends_when_its_agent_stays_away(void **unused)
{
    struct job job;
    struct state_file state;
    char path[32];
    int agent;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.adopt_wait = 100 * USEC_PER_MSEC;
    agent = make_lifeline(&job, path);
    job_plan_actor(&job, "last-words");
    job_launch(&job, false);
    job_wait_output(&job, strlen("ready\n"));
    fd_close(agent);
    state = job_wait(&job);
    assert_exited(&state, 3);
    assert_int_equal(state.exit.flags, STATE_EXIT_STOPPED);
    assert_int_equal(state.exit.stop_reason, STATE_STOP_ORPHANED);
    assert_int_equal(state.progress.flags, 0);
    assert_output(&job, "ready\nterm\n");
    fd_close(job.lifeline);
    job_teardown(&job);
}

static void test_job_goes_on_when_another_agent_comes(void **unused)
{
    struct job job;
    struct state_file state;
    char path[32];
    int agent;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.adopt_wait = 366 * 86400 * USEC_PER_SEC;
    agent = make_lifeline(&job, path);
    job_plan_actor(&job, "last-words");
    job_launch(&job, false);
    job_wait_output(&job, strlen("ready\n"));
    for (int agents = 0; agents < 2; agents++) {
        fd_close(agent);
        job_wait_flags(&job, STATE_AGENT_GONE);
        agent = open(path, O_RDWR | O_CLOEXEC);
        job_wait_no_flags(&job, STATE_AGENT_GONE);
    }
    job_control(&job, CONTROL_STOP, SIGHUP, 30 * USEC_PER_SEC);
    state = job_wait(&job);
    assert_exited(&state, 3);
    assert_int_equal(state.exit.stop_reason, STATE_STOP_REQUEST);
    assert_output(&job, "ready\nhup\n");
    fd_close(agent);
    fd_close(job.lifeline);
    job_teardown(&job);
}

/* What a command has written counts, not how fast hoist-init was to notice. */
static void test_job_that_ended_before_its_cap_was_noticed_is_beyond_it(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.output = (struct output_rules){.cap = 1 << 20, .stop_at_cap = true, .rate = 4096};
    job_plan_command(&job, (const char *const[]){"head", "-c", "1048576", "/dev/zero", NULL});
    job_launch(&job, false);
    state = job_wait(&job);
    assert_exited(&state, 0);
    assert_int_equal(state.exit.flags, STATE_EXIT_BEYOND_CAP);
    assert_int_equal(state.exit.stop_reason, STATE_STOP_NONE);
    job_teardown(&job);
}

static void test_job_waits_for_a_full_disk(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup_on_disk(&job, "1m");
    job_plan_default(&job);
    job_plan_command(&job, (const char *const[]){"seq", "1", "500000", NULL}); /* 3.4 MB */
    job_launch(&job, false);
    job_wait_flags(&job, STATE_WAITING_FOR_DISK);
    job_grow_disk(&job, "16m");
    state = job_wait(&job);
    assert_exited(&state, 0);
    assert_int_equal(state.exit.flags, 0);
    assert_int_equal(state.progress.flags & STATE_WAITING_FOR_DISK, 0);
    assert_sequence(&job, 500000);
    job_teardown(&job);
}

/* Two kills: the first ends the processes, the second the wait for what they have left. */
static void test_job_kill_gives_up_a_full_disk(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup_on_disk(&job, "1m");
    job_plan_default(&job);
    job_plan_command(&job, (const char *const[]){"cat", "/dev/zero", NULL});
    job_launch(&job, false);
    job_wait_flags(&job, STATE_WAITING_FOR_DISK);
    job_control(&job, CONTROL_KILL, 0, 0);
    job_wait_phase(&job, STATE_PHASE_DRAINING);
    assert_false(pidref_has_ended(&job.init));
    job_control(&job, CONTROL_KILL, 0, 0);
    state = job_wait(&job);
    assert_killed_by(&state, SIGKILL);
    assert_true(state.exit.flags & STATE_EXIT_OUTPUT_LOST);
    assert_int_equal(state.exit.output_error, -ENOSPC);
    job_teardown(&job);
}

/* A data file that refuses with something else than a full disk (sealed: EPERM). */
static void test_job_is_killed_when_output_fails(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job_plan_script(&job, "echo x; sleep 600");
    job.data_is_sealed = true;
    job_launch(&job, false);
    state = job_wait(&job);
    assert_killed_by(&state, SIGKILL);
    assert_int_equal(state.exit.stop_reason, STATE_STOP_OUTPUT);
    assert_int_equal(state.exit.flags, STATE_EXIT_OUTPUT_LOST); /* nobody stopped it */
    assert_int_equal(state.exit.output_error, -EPERM);
    job_teardown(&job);
}

static void test_job_without_files_does_not_start(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.fd_count = 1; /* announced, not given */
    job_plan_script(&job, "true");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_int_equal(state.progress.failure, SPAWN_FAILURE_SPAWN);
    assert_non_null(strstr(state.progress.sentence, "descriptor 9"));
    job_teardown(&job);
}

/* The same without root: one user, mapped to 0, who still ends without capabilities. */
static void test_job_runs_rootless(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.flags |= PLAN_ROOTLESS;
    job.settings.agent_uid = job.settings.agent_gid = 0;
    job.settings.job_uid = job.settings.job_gid = 0;
    job.rootless = AGENT_UID;
    job_plan_script(
        &job, "id -u; hostname; grep -E '^(CapEff|CapBnd|NoNew)' /proc/self/status | tr -d '\\t'; "
              "echo $$ >/dev/null; exit 6");
    job_launch(&job, false);
    state = job_wait(&job);
    assert_string_equal(state.progress.sentence, "");
    assert_exited(&state, 6);
    assert_output(&job,
                  "0\nsandbox\nCapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\n");
    job_teardown(&job);
}

static int make_cgroup(char path[static 128])
{
    static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

    for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
        int fd;

        (void)snprintf(path, 128, "%s/hoist-test-init-%d", roots[i], (int)getpid());
        if (mkdir(path, 0755) < 0)
            continue;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (faccessat(fd, "cgroup.kill", W_OK, 0) == 0)
            return fd;
        (void)fd_close(fd);
        (void)rmdir(path);
    }
    return FD_NONE;
}

/* In cmd/ from its first instruction, which to itself is the root of all cgroups. */
static void test_job_runs_in_its_cgroup(void **unused)
{
    struct job job;
    struct state_file state;
    char path[128], *output;
    int cgroup_fd;

    job_setup(&job);
    cgroup_fd = make_cgroup(path);
    if (cgroup_fd < 0) {
        job_teardown(&job);
        print_message("skipped: no cgroup v2 tree that can be written\n");
        skip();
    }
    job_plan_default(&job);
    job.settings.flags |= PLAN_HAS_CGROUP;
    job.cgroup_fd = cgroup_fd;
    job_plan_script(&job, "cat /proc/self/cgroup");
    job_launch(&job, false);
    state = job_wait(&job);
    (void)fd_close(cgroup_fd);
    assert_int_equal(rmdir(path), 0);
    assert_exited(&state, 0);
    output = job_output(&job, NULL);
    assert_non_null(strstr(output, "0::/\n"));
    free(output);
    job_teardown(&job);
}

/* TERM from outside, as of a host that shuts down, is a stop by the plan's rules. */
static void test_job_term_from_outside_is_a_stop(void **unused)
{
    struct job job;
    struct state_file state;

    job_setup(&job);
    job_plan_default(&job);
    job.settings.stop_signal = SIGINT;
    job_plan_actor(&job, "last-words");
    job_launch(&job, false);
    job_wait_output(&job, 6);
    assert_int_equal(pidref_kill(&job.init, SIGTERM), 0);
    state = job_wait(&job);
    assert_exited(&state, 3);
    assert_output(&job, "ready\nint\n");
    assert_int_equal(state.exit.flags, STATE_EXIT_STOPPED);
    job_teardown(&job);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_keeps_exit_code_and_both_streams),
        cmocka_unit_test(test_job_tells_the_signal),
        cmocka_unit_test(test_job_keeps_every_byte),
        cmocka_unit_test(test_job_merges_in_exact_order),
        cmocka_unit_test(test_job_index_is_complete),
        cmocka_unit_test(test_job_names_what_it_cannot_execute),
        cmocka_unit_test(test_job_needs_its_working_directory),
        cmocka_unit_test(test_job_names_the_step_that_fails),
        cmocka_unit_test(test_job_stop_sends_the_signal_and_waits),
        cmocka_unit_test(test_job_stop_kills_a_tree_that_ignores_the_signal),
        cmocka_unit_test(test_job_stop_gives_the_others_their_grace),
        cmocka_unit_test(test_job_kill_is_at_once),
        cmocka_unit_test(test_job_signal_is_no_stop),
        cmocka_unit_test(test_job_timeout_stops_and_says_so),
        cmocka_unit_test(test_job_ends_with_its_leader),
        cmocka_unit_test(test_job_reaps_orphans),
        cmocka_unit_test(test_job_command_has_no_privilege),
        cmocka_unit_test(test_job_init_keeps_only_cap_kill),
        cmocka_unit_test(test_job_command_cannot_harm_its_init),
        cmocka_unit_test(test_job_survives_hostile_starters),
        cmocka_unit_test(test_job_refuses_to_start_twice),
        cmocka_unit_test(test_job_refuses_the_plan_of_another),
        cmocka_unit_test(test_job_output_is_held_to_its_rate),
        cmocka_unit_test(test_job_keeps_both_ends_of_its_output),
        cmocka_unit_test(test_job_is_stopped_at_its_cap),
        cmocka_unit_test(test_job_ends_when_its_agent_stays_away),
        cmocka_unit_test(test_job_goes_on_when_another_agent_comes),
        cmocka_unit_test(test_job_that_ended_before_its_cap_was_noticed_is_beyond_it),
        cmocka_unit_test(test_job_waits_for_a_full_disk),
        cmocka_unit_test(test_job_kill_gives_up_a_full_disk),
        cmocka_unit_test(test_job_is_killed_when_output_fails),
        cmocka_unit_test(test_job_without_files_does_not_start),
        cmocka_unit_test(test_job_runs_rootless),
        cmocka_unit_test(test_job_runs_in_its_cgroup),
        cmocka_unit_test(test_job_term_from_outside_is_a_stop),
    };

    if (argc > 1)
        _exit(actor_main(argv[1]));
    if (geteuid() != 0 || !getenv("HOIST_INIT")) {
        puts("1..0 # SKIP needs root for namespaces and uids, and HOIST_INIT");
        return EXIT_SUCCESS;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
