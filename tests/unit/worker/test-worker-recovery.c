/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "fixture.h"
#include "store/store-memory.h"
#include "store/store-sqlite.h"
#include "worker/job-dir.h"

/* What a restart of the agent finds, with records on disk. */

static void test_living_job_is_found_again(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_reopen(fixture);
    job = fixture_get(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_RUNNING);
    assert_int_equal(job->pid, init->pid);
    job_info_free(job);
    fake_says_exit(init, CLD_EXITED, 9, 0);
    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->exit_code, 9);
    assert_int_equal(fixture->ended, 1);
    job_info_free(job);
    assert_int_equal(fixture->host.spawns, 1);
}

/* Not being able to look says nothing of the job: nothing is removed meanwhile, and all is told
 * once. */
static void test_shortage_ends_no_job(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX], name[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    (void)fixture_start(fixture, other);
    fixture->host.short_of = 3;
    fixture_reopen(fixture);
    assert_int_equal(fixture->host.short_of, 0);
    assert_int_equal(fixture->troubles, 1);
    assert_int_equal(fixture->trouble.code, -EMFILE);
    assert_non_null(strstr(fixture->trouble.text, "no process"));
    assert_string_equal(id_format(&fixture->trouble_of, name),
                        other); /* the youngest is the first */
    job = fixture_get(fixture, other);
    assert_int_equal(job->state, HOIST_STATE_RUNNING);
    job_info_free(job);
    job = fixture_get(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_RUNNING);
    job_info_free(job);
    assert_true(init->grouped);
}

/* They are looked for one after the other, the youngest first. */
static void test_stop_of_all_reaches_who_is_found_later(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id), *second = fixture_start(fixture, other);
    struct job_info *job;

    fixture_close(fixture);
    fake_says_exit(second, CLD_EXITED, 0, 0);
    fake_dies(second);
    init->hidden = true;
    fixture_begin(fixture);
    worker_stop_all(fixture->worker, USEC_INFINITY, answer_done, &answer, NULL);
    while (fixture->ended == 0)
        assert_true(sd_event_run(fixture->event, 10 * USEC_PER_SEC) > 0);
    fixture_settle(fixture);
    assert_false(answer.come || fixture->ready);
    init->hidden = false;
    while (init->controls == 0)
        assert_true(sd_event_run(fixture->event, 10 * USEC_PER_SEC) > 0);
    assert_int_equal(init->control.op, CONTROL_STOP);
    fixture_settle(fixture);
    assert_false(answer.come);
    fake_says_exit(init, CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED);
    fake_dies(init);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->cause, HOIST_CAUSE_AGENT_SHUTDOWN);
    job_info_free(job);
    job = fixture_wait_end(fixture, other);
    assert_int_equal(job->cause, HOIST_CAUSE_EXITED);
    job_info_free(job);
}

struct stop_all {
    const struct fixture *fixture;
    struct answer answer;
};

static void stopped_all(struct worker_reply *reply, void *userdata)
{
    struct stop_all *stop = userdata;

    assert_true(stop->fixture->ready);
    answer_done(reply, &stop->answer);
}

static void test_stop_of_all_awaits_the_end_of_recovery(void **state)
{
    struct fixture *fixture = *state;
    struct stop_all stop = {.fixture = fixture};

    fixture_close(fixture);
    fixture_begin(fixture);
    worker_stop_all(fixture->worker, USEC_INFINITY, stopped_all, &stop, NULL);
    fixture_wait(fixture, &stop.answer);
    assert_null(stop.answer.reply.failure);
}

static void damage_records(struct fixture *fixture)
{
    _cleanup_store_list_ struct store_list list = {.count = 0};
    const struct store_filter all = {.live_only = true};
    struct store_open_report report;
    struct store_record record;
    _cleanup_store_ struct store *store = NULL;
    char path[128], damage = '\xff';

    snprintf(path, sizeof(path), "%s/jobs.db", fixture->dir);
    assert_int_equal(store_open_sqlite(path, &store, &report, NULL), 0);
    assert_int_equal(store_list(store, &all, &list, NULL), 0);
    assert_int_equal(list.count, 1);
    record = *list.records[0];
    record.outcome = &damage;
    record.outcome_size = sizeof(damage);
    assert_int_equal(store_update(store, &record, NULL), 0);
}

/* From now on reading what was asked for gives EIO: in the memory of a process nothing is at 0. */
static void hide_specification(struct fixture *fixture, const char *id)
{
    char spec[160], away[176];

    snprintf(spec, sizeof(spec), "%s/jobs/%s/spec", fixture->dir, id);
    snprintf(away, sizeof(away), "%s.away", spec);
    assert_int_equal(rename(spec, away), 0);
    assert_int_equal(symlink("/proc/self/mem", spec), 0);
}

static void show_specification(struct fixture *fixture, const char *id)
{
    char spec[160], away[176];

    snprintf(spec, sizeof(spec), "%s/jobs/%s/spec", fixture->dir, id);
    snprintf(away, sizeof(away), "%s.away", spec);
    assert_int_equal(rename(away, spec), 0);
}

/* Until `fixture->troubles` is that many, and stays so. */
static void wait_troubles(struct fixture *fixture, unsigned troubles)
{
    while (fixture->troubles < troubles)
        assert_true(sd_event_run(fixture->event, 10 * USEC_PER_SEC) > 0);
    fixture_settle(fixture);
    assert_int_equal(fixture->troubles, troubles);
}

/* Nor is it told more than once when its job has to be waited for. */
static void test_damaged_record_ends_no_job(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_close(fixture);
    damage_records(fixture);
    hide_specification(fixture, id);
    fixture_begin(fixture);
    wait_troubles(fixture, 1);
    for (unsigned i = 0; i < 3; i++) /* it is tried again */
        assert_true(sd_event_run(fixture->event, 10 * USEC_PER_SEC) > 0);
    wait_troubles(fixture, 1);
    show_specification(fixture, id);
    fixture_wait_ready(fixture);
    wait_troubles(fixture, 2);
    job = fixture_wait_running(fixture, id);
    assert_int_equal(job->pid, init->pid);
    job_info_free(job);
    fake_says_exit(init, CLD_EXITED, 6, 0);
    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->exit_code, 6);
    job_info_free(job);
}

static void test_job_that_ended_meanwhile_tells_its_exit(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_close(fixture);
    fake_says_exit(init, CLD_EXITED, 5, 0);
    fake_dies(init);
    fixture_open(fixture);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_FAILED);
    assert_int_equal(job->exit_code, 5);
    job_info_free(job);
    assert_false(init->grouped);
}

static void test_job_that_was_killed_meanwhile_is_lost(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_close(fixture);
    fake_dies(init);
    fixture_open(fixture);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_LOST);
    assert_int_equal(job->reason, HOIST_REASON_INIT_LOST);
    job_info_free(job);
}

static void test_job_of_an_earlier_boot_is_lost(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct job_info *job;

    fixture_start(fixture, id);
    fixture_close(fixture);
    assert_int_equal(id_new(&fixture->boot_id), 0);
    fixture_open(fixture); /* its hoist-init's pid may be anybody's now */
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_LOST);
    assert_int_equal(job->reason, HOIST_REASON_HOST_REBOOTED);
    job_info_free(job);
}

/* The record was synced, the directory or a file of it was not. */
static void test_output_that_a_reboot_lost_is_empty(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct job_info *job;

    for (unsigned i = 0; i < 2; i++) {
        char command[160];

        fixture_start(fixture, id);
        fixture_close(fixture);
        snprintf(command, sizeof(command), "rm -r %s/jobs/%s%s", fixture->dir, id,
                 i == 0 ? "" : "/output");
        assert_int_equal(system(command), 0);
        assert_int_equal(id_new(&fixture->boot_id), 0);
        fixture_open(fixture);
        job = fixture_wait_end(fixture, id);
        assert_int_equal(job->state, HOIST_STATE_LOST);
        assert_int_equal(job->reason, HOIST_REASON_HOST_REBOOTED);
        assert_true(job->output.complete);
        assert_int_equal(job->output.end_offset, 0);
        assert_int_equal(fixture_directories(fixture), i + 1);
        job_info_free(job);
    }
}

static void test_exit_before_a_reboot_is_believed(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_close(fixture);
    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    assert_int_equal(id_new(&fixture->boot_id), 0);
    fixture_open(fixture);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_SUCCEEDED);
    job_info_free(job);
}

static void test_stop_under_way_ends_as_stopped(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    worker_stop(fixture->worker, &alice, id, 0, USEC_INFINITY, answer_done, &answer, NULL);
    fixture_settle(fixture);
    fixture_close(fixture);
    fake_says_exit(init, CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED);
    fake_dies(init);
    fixture_open(fixture);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_STOPPED);
    assert_int_equal(job->cause, HOIST_CAUSE_STOPPED_BY_USER);
    assert_string_equal(job->stopped_by, "alice");
    job_info_free(job);
}

static void test_stop_that_was_stuck_still_is(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct worker_counts counts;
    struct job_info *job;

    worker_stop(fixture->worker, &alice, id, 0, 0, answer_done, &answer, NULL);
    fixture_settle(fixture);
    fixture_close(fixture);
    fake_says_stopping(init, STATE_STOP_REQUEST, -10 * (int64_t)USEC_PER_SEC);
    fixture_open(fixture);
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.stuck_stops, 1);
    job = fixture_get(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_STOPPING);
    assert_int_equal(job->processes_blocked, 1);
    job_info_free(job);
    fake_says_exit(init, CLD_KILLED, SIGKILL, STATE_EXIT_STOPPED | STATE_EXIT_KILLED);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.stuck_stops, 0);
}

/* Asks for a start and has the agent die before anything was acknowledged. */
static struct fake_init *start_and_crash(struct fixture *fixture)
{
    struct job_spec spec = spec_true();
    struct answer answer = {.come = false};
    unsigned spawns = fixture->host.spawns;

    fixture->host.hold_spawn = true;
    worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &answer, NULL);
    fixture_wait_spawns(fixture, spawns + 1);
    fixture_settle(fixture);
    fixture_close(fixture);
    fixture->host.hold_spawn = false;
    return fake_last(&fixture->host);
}

/* Who hoist-init is was never written down; its cgroup tells. */
static void test_start_never_acknowledged_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct fake_init *init = start_and_crash(fixture);
    char id[ID_TEXT_MAX];
    struct job_info *job;

    id_format(&init->id, id);
    fixture->host.usage.cpu_usec = 17;
    for (unsigned i = 0; i < 2; i++) { /* the second time it is written */
        fixture_open(fixture);
        fake_says_started(init);
        fixture_settle(fixture);
        job = fixture_get(fixture, id);
        assert_int_equal(job->pid, init->pid);
        assert_int_equal(job->usage.cgroup.cpu_usec, 17);
        job_info_free(job);
        fixture_close(fixture);
    }
    fake_says_exit(init, CLD_EXITED, 3, 0);
    fake_dies(init);
    fixture_open(fixture);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_FAILED);
    assert_int_equal(job->exit_code, 3);
    job_info_free(job);
    assert_int_equal(fixture->host.spawns, 1);
}

/* Nothing but cgroups was left by who died: nobody is to be found in them. */
static void test_start_that_was_cut_off_is_ended(void **state)
{
    struct fixture *fixture = *state;
    struct fake_init *init = start_and_crash(fixture);
    char id[ID_TEXT_MAX];
    struct job_info *job;

    fake_says_started(init);
    fake_dies(init);
    fixture_open(fixture);
    job = fixture_wait_end(fixture, id_format(&init->id, id));
    assert_int_equal(job->state, HOIST_STATE_LOST);
    job_info_free(job);
    assert_false(init->grouped);
    assert_int_equal(fixture->host.spawns, 1);
}

static void remove_directory(struct fixture *fixture, const struct id *id)
{
    char path[128];
    int jobs;

    snprintf(path, sizeof(path), "%s/jobs", fixture->dir);
    jobs = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(job_dir_remove(jobs, id, NULL), 0);
    fd_close(jobs);
}

/* As after a commit that failed, when the journal has the record all the same. */
static void test_record_of_a_refused_start_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct fake_init *init = start_and_crash(fixture);
    struct worker_counts counts;

    fake_dies(init);
    remove_directory(fixture, &init->id);
    fixture_open(fixture);
    fixture_settle(fixture);
    fixture_reopen(fixture);
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.running + counts.kept, 0);
    assert_int_equal(fixture->ended, 0);
    assert_false(init->grouped);
}

/* Whoever lost its directory otherwise had been acknowledged, for all that is known. */
static void test_running_job_without_its_directory_is_lost(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_settle(fixture);
    fixture_close(fixture);
    fake_dies(init);
    remove_directory(fixture, &init->id);
    fixture_open(fixture);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_LOST);
    job_info_free(job);
}

/* Not even cgroups were made: nothing ran, nobody was told, and the request may come again. */
static void test_start_that_never_began_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;

    /* its last file whole, begun, not there, and with room but without a word */
    for (unsigned i = 0; i < 4; i++) {
        struct fake_init *init = start_and_crash(fixture);
        char id[ID_TEXT_MAX], path[160];

        snprintf(path, sizeof(path), "%s/jobs/%s/state", fixture->dir, id_format(&init->id, id));
        assert_int_equal(i == 1 || i == 3 ? truncate(path, 0) : i == 2 ? unlink(path) : 0, 0);
        assert_int_equal(i == 3 ? truncate(path, STATE_FILE_SIZE) : 0, 0);
        init->grouped = false;
        fake_dies(init);
        fixture_open(fixture);
        while (fixture_directories(fixture) > 0)
            assert_true(sd_event_run(fixture->event, 10 * USEC_PER_SEC) > 0);
        fixture_settle(fixture);
    }
}

static void remove_records(struct fixture *fixture)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/jobs.db", fixture->dir);
    assert_int_equal(unlink(path), 0);
    strcat(path, "-wal");
    (void)unlink(path);
}

static void test_directory_without_a_record_is_adopted(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_close(fixture);
    remove_records(fixture);
    fixture->host.usage.cpu_usec = 17;
    fixture_open(fixture);
    job = fixture_wait_running(fixture, id);
    assert_int_equal(job->usage.cgroup.cpu_usec, 17);
    assert_string_equal(job->spec.command, "/bin/true");
    assert_string_equal(job->created_by, "alice");
    job_info_free(job);
    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job = fixture_wait_end(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_SUCCEEDED);
    job_info_free(job);
}

static void test_torn_directory_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct id id;
    char name[ID_TEXT_MAX], path[160];

    assert_int_equal(id_new(&id), 0);
    snprintf(path, sizeof(path), "%s/jobs/%s", fixture->dir, id_format(&id, name));
    fixture_close(fixture);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_open(fixture);
    assert_int_equal(fixture_directories(fixture), 0);
}

/* A disk that doesn't give the one file that is left of a job says nothing of the job. */
static void test_specification_that_can_not_be_read_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX], name[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_close(fixture);
    remove_records(fixture);
    hide_specification(fixture, id);
    fixture_begin(fixture);
    wait_troubles(fixture, 2); /* the first: the records are gone */
    assert_int_equal(fixture->trouble.code, -EIO);
    assert_non_null(strstr(fixture->trouble.text, "can't read the job's file spec: "));
    assert_string_equal(id_format(&fixture->trouble_of, name), id);
    assert_true(!fixture->ready && init->grouped);

    init->hidden = true; /* something else is in the way now, and told, too */
    show_specification(fixture, id);
    wait_troubles(fixture, 3);
    assert_int_equal(fixture->trouble.code, -EMFILE);
    init->hidden = false;
    fixture_wait_ready(fixture);
    job = fixture_wait_running(fixture, id);
    job_info_free(job);
    assert_true(init->grouped);
}

/* Nothing of ours has written that. */
static void test_directory_whose_specification_is_no_file_stays(void **state)
{
    struct fixture *fixture = *state;
    struct id id;
    char name[ID_TEXT_MAX], path[160];

    assert_int_equal(id_new(&id), 0);
    snprintf(path, sizeof(path), "%s/jobs/%s", fixture->dir, id_format(&id, name));
    fixture_close(fixture);
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/spec");
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_open(fixture);
    assert_int_equal(fixture_directories(fixture), 1);
    assert_int_equal(fixture->troubles, 1);
    assert_true(id_equal(&fixture->trouble_of, &id));
    assert_non_null(strstr(fixture->trouble.text, "Is a directory"));
    assert_int_equal(rmdir(path), 0);
}

static void test_cgroup_of_no_job_is_removed(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX], path[160];
    struct fake_init *init = fixture_start(fixture, id);

    fixture_close(fixture);
    remove_records(fixture);
    snprintf(path, sizeof(path), "rm -r %s/jobs/%s", fixture->dir, id);
    assert_int_equal(system(path), 0);
    fixture->host.busy = 2;
    fixture_open(fixture);
    while (fixture->host.busy > 0 || init->grouped)
        fixture_settle(fixture);
    assert_true(init->life < 0);
}

/* As one that a launcher makes whose answer nobody waits for any more. */
static void test_cgroup_of_no_job_is_found_while_the_agent_runs(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX], path[160];
    struct fake_init *init = fixture_start(fixture, id);
    struct worker_counts counts = {.running = 0};

    fixture_close(fixture);
    remove_records(fixture);
    snprintf(path, sizeof(path), "rm -r %s/jobs/%s", fixture->dir, id);
    assert_int_equal(system(path), 0);
    init->grouped = false;
    fixture->options.look_interval = 200 * USEC_PER_MSEC; /* a loop that turns can settle between */
    fixture_open(fixture);
    init->grouped = true;
    fixture->host.busy = 3;
    while (init->grouped) {
        fixture_settle(fixture);
        worker_count(fixture->worker, &counts);
        if (fixture->host.busy < 3 && init->grouped)
            assert_int_equal(counts.leftover_cgroups, 1);
    }
    worker_count(fixture->worker, &counts);
    assert_int_equal(counts.leftover_cgroups, 0);
    assert_true(init->life < 0);
}

static void test_directory_that_could_not_be_removed_goes_later(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX], blocker[160];
    struct fake_init *init = fixture_start(fixture, id);
    struct answer answer = {.come = false};

    fixture->options.look_interval = 200 * USEC_PER_MSEC; /* a loop that turns can settle between */
    fixture_reopen(fixture);
    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
    snprintf(blocker, sizeof(blocker), "%s/jobs/%s/blocker", fixture->dir, id);
    assert_int_equal(mkdir(blocker, 0700), 0);
    worker_delete(fixture->worker, &alice, id, false, answer_done, &answer, NULL);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    answer_clear(&answer);
    assert_int_equal(fixture->troubles, 1);
    assert_int_equal(rmdir(blocker), 0);
    while (fixture_directories(fixture) > 0)
        fixture_settle(fixture);
    assert_int_equal(fixture->troubles, 1);
}

static void test_records_that_are_gone_are_told(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct job_info *job;

    fixture_start(fixture, id);
    fixture_close(fixture);
    remove_records(fixture);
    fixture_open(fixture);
    assert_int_equal(fixture->troubles, 1);
    job = fixture_wait_running(fixture, id);
    job_info_free(job);
}

/* Of the records. */
static size_t listed(struct fixture *fixture)
{
    const struct worker_filter all = {.states = 0};
    struct answer answer = {.come = false};
    size_t count;

    assert_int_equal(worker_list_jobs(fixture->worker, &alice, &all, answer_done, &answer, NULL),
                     0);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    count = answer.reply.list->count;
    answer_clear(&answer);
    return count;
}

/* What can't be written is tried again, and nobody waits for that. */
static void test_job_without_a_record_gets_one_when_there_is_room(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    const struct fake_init *init = fixture_start(fixture, id);
    struct job_info *job;

    fixture_close(fixture);
    fixture->store = store_open_memory();
    store_memory_fail(fixture->store, -ENOSPC, 2);
    fixture_open(fixture);
    assert_int_equal(fixture->troubles, 1);
    job = fixture_get(fixture, id);
    assert_int_equal(job->state, HOIST_STATE_RUNNING);
    job_info_free(job);
    assert_int_equal(listed(fixture), 0);
    while (listed(fixture) == 0)
        assert_true(sd_event_run(fixture->event, 10 * USEC_PER_SEC) > 0);
    assert_int_equal(fixture->troubles, 1);
    assert_true(init->life > 0 && init->grouped);
    assert_int_equal(fixture->host.spawns, 1);
}

/* Until then it is like any other, but that it can't be deleted. */
static void test_job_whose_record_can_not_be_written_can_be_stopped(void **state)
{
    struct fixture *fixture = *state;
    struct answer answer = {.come = false};
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct worker_counts counts;

    fixture_close(fixture);
    fixture->store = store_open_memory();
    store_memory_fail(fixture->store, -EROFS, UINT_MAX);
    fixture_open(fixture);
    worker_stop(fixture->worker, &alice, id, 0, USEC_INFINITY, answer_done, &answer, NULL);
    fixture_settle(fixture);
    assert_int_equal(init->control.op, CONTROL_STOP);
    fake_says_exit(init, CLD_KILLED, SIGTERM, STATE_EXIT_STOPPED);
    fake_dies(init);
    fixture_wait(fixture, &answer);
    assert_int_equal(answer.reply.job->state, HOIST_STATE_STOPPED);
    answer_clear(&answer);
    for (unsigned i = 0; i < 2; i++) {
        worker_delete(fixture->worker, &alice, id, false, answer_done, &answer, NULL);
        fixture_wait(fixture, &answer);
        if (i == 0)
            assert_int_equal(answer.reply.failure->reason, HOIST_REASON_STORE_FAILED);
        else
            assert_null(answer.reply.failure);
        answer_clear(&answer);
        store_memory_fail(fixture->store, 0, 0);
        for (worker_count(fixture->worker, &counts); i == 0 && counts.kept == 0;
             worker_count(fixture->worker, &counts))
            assert_true(sd_event_run(fixture->event, 10 * USEC_PER_SEC) > 0);
    }
    assert_int_equal(counts.kept, 0);
    assert_int_equal(fixture_directories(fixture), 0);
}

static void test_uid_of_a_job_found_again_stays_taken(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    uid_t uid = fixture_start(fixture, id)->spec.uid;

    fixture_reopen(fixture);
    for (unsigned i = 0; i < 3; i++)
        assert_int_not_equal(fixture_start(fixture, id)->spec.uid, uid);
}

static void test_second_agent_is_refused_by_pid(void **state)
{
    struct fixture *fixture = *state;
    struct worker_options options = fixture->options;
    struct worker *second = NULL;
    struct error err;
    char pid[32];

    options.state_dir = fixture->dir;
    options.event = fixture->event;
    assert_int_equal(worker_open(&options, &second, &err), -EBUSY);
    snprintf(pid, sizeof(pid), "pid %d", getpid());
    assert_non_null(strstr(err.text, pid));
}

static void test_state_directory_open_to_others_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct worker_options options = fixture->options;
    struct worker *worker = NULL;
    struct error err;

    fixture_close(fixture);
    options.state_dir = fixture->dir;
    options.event = fixture->event;
    assert_int_equal(chmod(fixture->dir, 0755), 0);
    assert_int_equal(worker_open(&options, &worker, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod 0700"));
}

static void test_ended_jobs_go_after_their_time(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_TEXT_MAX];
    struct fake_init *init = fixture_start(fixture, id);
    struct worker_counts counts;

    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
    fixture->options.rules.retain = 1;
    fixture_reopen(fixture);
    do {
        fixture_settle(fixture);
        worker_count(fixture->worker, &counts);
    } while (counts.kept > 0);
    assert_int_equal(fixture_directories(fixture), 0);
}

static uint64_t usage_of(const struct fixture *fixture, const char *text)
{
    char path[sizeof(fixture->dir) + 8];
    struct id id;
    uint64_t usage;
    int jobs;

    snprintf(path, sizeof(path), "%s/jobs", fixture->dir);
    jobs = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(id_parse(text, &id), 0);
    usage = job_dir_usage(jobs, &id);
    fd_close(jobs);
    assert_true(usage > 0);
    return usage;
}

static void end(struct fixture *fixture, struct fake_init *init, const char *id)
{
    fake_says_exit(init, CLD_EXITED, 0, 0);
    fake_dies(init);
    job_info_free(fixture_wait_end(fixture, id));
}

static void test_total_size_lets_who_ended_first_go(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][ID_TEXT_MAX], last[ID_TEXT_MAX];
    struct fake_init *inits[3];
    struct worker_counts counts;

    for (unsigned i = 0; i < 3; i++)
        inits[i] = fixture_start(fixture, ids[i]);
    for (unsigned i = 3; i-- > 0;)
        end(fixture, inits[i], ids[i]);
    fixture->options.rules.room.total.bytes = 3 * usage_of(fixture, ids[0]) + 1;
    fixture_reopen(fixture);
    fixture_start(fixture, last); /* one more, at whose end it is too much */
    end(fixture, fake_last(&fixture->host), last);
    do {
        fixture_settle(fixture);
        worker_count(fixture->worker, &counts);
    } while (fixture->troubles == 0);
    assert_int_equal(counts.kept, 3);
    assert_int_equal(fixture_directories(fixture), 3);
    for (unsigned i = 0; i < 2; i++)
        job_info_free(fixture_wait_end(fixture, ids[i]));
}

int main(void)
{
#define WITH_FIXTURE(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, fixture_setup_on_disk, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_living_job_is_found_again),
        WITH_FIXTURE(test_shortage_ends_no_job),
        WITH_FIXTURE(test_stop_of_all_reaches_who_is_found_later),
        WITH_FIXTURE(test_stop_of_all_awaits_the_end_of_recovery),
        WITH_FIXTURE(test_damaged_record_ends_no_job),
        WITH_FIXTURE(test_job_that_ended_meanwhile_tells_its_exit),
        WITH_FIXTURE(test_job_that_was_killed_meanwhile_is_lost),
        WITH_FIXTURE(test_job_of_an_earlier_boot_is_lost),
        WITH_FIXTURE(test_output_that_a_reboot_lost_is_empty),
        WITH_FIXTURE(test_exit_before_a_reboot_is_believed),
        WITH_FIXTURE(test_stop_under_way_ends_as_stopped),
        WITH_FIXTURE(test_stop_that_was_stuck_still_is),
        WITH_FIXTURE(test_record_of_a_refused_start_is_dropped),
        WITH_FIXTURE(test_running_job_without_its_directory_is_lost),
        WITH_FIXTURE(test_start_never_acknowledged_goes_on),
        WITH_FIXTURE(test_start_that_was_cut_off_is_ended),
        WITH_FIXTURE(test_start_that_never_began_leaves_nothing),
        WITH_FIXTURE(test_directory_without_a_record_is_adopted),
        WITH_FIXTURE(test_torn_directory_is_removed),
        WITH_FIXTURE(test_specification_that_can_not_be_read_is_waited_for),
        WITH_FIXTURE(test_directory_whose_specification_is_no_file_stays),
        WITH_FIXTURE(test_cgroup_of_no_job_is_removed),
        WITH_FIXTURE(test_cgroup_of_no_job_is_found_while_the_agent_runs),
        WITH_FIXTURE(test_directory_that_could_not_be_removed_goes_later),
        WITH_FIXTURE(test_records_that_are_gone_are_told),
        WITH_FIXTURE(test_job_without_a_record_gets_one_when_there_is_room),
        WITH_FIXTURE(test_job_whose_record_can_not_be_written_can_be_stopped),
        WITH_FIXTURE(test_uid_of_a_job_found_again_stays_taken),
        WITH_FIXTURE(test_second_agent_is_refused_by_pid),
        WITH_FIXTURE(test_state_directory_open_to_others_is_refused),
        WITH_FIXTURE(test_ended_jobs_go_after_their_time),
        WITH_FIXTURE(test_total_size_lets_who_ended_first_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
