/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store-memory.h"

#define PATIENCE (10 * USEC_PER_SEC)

const struct worker_caller alice = {.principal = "alice"};
const struct worker_caller bob = {.principal = "bob"};
const struct worker_caller admin = {.principal = "admin", .all_jobs = true};

static void ended(const struct job_info *job, void *userdata)
{
    struct fixture *fixture = userdata;

    fixture->ended++;
    fixture->ended_state = job->state;
}

static void trouble(const struct id *job, const struct error *err, void *userdata)
{
    struct fixture *fixture = userdata;

    fixture->troubles++;
    fixture->trouble = *err;
    fixture->trouble_of = job ? *job : (struct id){{0}};
}

static void ready(struct worker_reply *reply, void *userdata)
{
    struct fixture *fixture = userdata;

    (void)reply;
    fixture->ready = true;
}

/* Recovery waits for the store's thread and the disk's, which may take as long as they like. */
void fixture_wait_ready(struct fixture *fixture)
{
    usec_t deadline = clock_boot() + PATIENCE;

    while (!fixture->ready) {
        assert_true(sd_event_run(fixture->event, PATIENCE) >= 0);
        assert_true(clock_boot() < deadline);
    }
}

void fixture_begin(struct fixture *fixture)
{
    struct worker_options options = fixture->options;
    struct error err;
    struct worker_counts counts;

    options.state_dir = fixture->dir;
    options.event = fixture->event;
    options.spawner = fake_spawner_new(&fixture->host, fixture->event);
    options.store = fixture->store;
    options.boot_id = &fixture->boot_id;
    options.ready = ready;
    options.ended = ended;
    options.trouble = trouble;
    options.userdata = fixture;
    fixture->ready = false;
    assert_int_equal(worker_open(&options, &fixture->worker, &err), 0);
    worker_count(fixture->worker, &counts);
}

void fixture_open(struct fixture *fixture)
{
    fixture_begin(fixture);
    fixture_wait_ready(fixture);
    fixture_settle(fixture);
}

void fixture_close(struct fixture *fixture)
{
    fixture->worker = worker_close(fixture->worker);
    fixture->store = NULL;
}

void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

static int setup(void **state, bool on_disk)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    strcpy(fixture->dir, "/tmp/hoist-worker-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    assert_true(sd_event_new(&fixture->event) >= 0);
    assert_int_equal(id_new(&fixture->boot_id), 0);
    fixture->options = (struct worker_options){.uid_low = 100000, .uid_high = 100003};
    if (!on_disk)
        fixture->store = store_open_memory();
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

int fixture_setup(void **state)
{
    return setup(state, false);
}

int fixture_setup_on_disk(void **state)
{
    return setup(state, true);
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[128];

    fixture_close(fixture);
    fake_host_done(&fixture->host);
    sd_event_unref(fixture->event);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->dir);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

void answer_done(struct worker_reply *reply, void *userdata)
{
    struct answer *answer = userdata;

    assert_false(answer->come);
    answer->come = true;
    answer->reply = *reply;
    *reply = (struct worker_reply){.failure = NULL};
}

void answer_clear(struct answer *answer)
{
    failure_free(answer->reply.failure);
    job_info_free(answer->reply.job);
    worker_list_free(answer->reply.list);
    worker_output_free(answer->reply.output);
    *answer = (struct answer){.come = false};
}

void fixture_wait(struct fixture *fixture, struct answer *answer)
{
    usec_t deadline = clock_boot() + PATIENCE;

    while (!answer->come) {
        assert_true(sd_event_run(fixture->event, PATIENCE) >= 0);
        assert_true(clock_boot() < deadline);
    }
}

/* The store's thread may be at work: its answer is waited for a little. */
void fixture_settle(struct fixture *fixture)
{
    while (sd_event_run(fixture->event, 50 * USEC_PER_MSEC) > 0)
        continue;
}

void fixture_wait_spawns(struct fixture *fixture, unsigned spawns)
{
    usec_t deadline = clock_boot() + PATIENCE;

    while (fixture->host.spawns < spawns) {
        assert_true(sd_event_run(fixture->event, PATIENCE) >= 0);
        assert_true(clock_boot() < deadline);
    }
}

struct job_spec spec_true(void)
{
    static char command[] = "/bin/true";
    struct job_spec spec = JOB_SPEC_NULL;

    spec.command = command;
    return spec;
}

struct fake_init *fixture_start(struct fixture *fixture, char ret_id[static ID_TEXT_MAX])
{
    struct job_spec spec = spec_true();
    struct answer answer = {.come = false};
    unsigned spawns = fixture->host.spawns;
    struct fake_init *init;

    assert_int_equal(worker_start(fixture->worker, &alice, &spec, NULL, answer_done, &answer, NULL),
                     0);
    fixture_wait_spawns(fixture, spawns + 1);
    init = fake_last(&fixture->host);
    fake_says_started(init);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    assert_int_equal(answer.reply.job->state, HOIST_STATE_RUNNING);
    id_format(&answer.reply.job->id, ret_id);
    answer_clear(&answer);
    return init;
}

struct job_info *fixture_wait_end(struct fixture *fixture, const char *name)
{
    struct answer answer = {.come = false};

    assert_int_equal(
        worker_wait(fixture->worker, &alice, name, USEC_INFINITY, answer_done, &answer, NULL), 0);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    return answer.reply.job;
}

struct job_info *fixture_get(struct fixture *fixture, const char *name)
{
    struct answer answer = {.come = false};

    assert_int_equal(worker_get(fixture->worker, &alice, name, false, answer_done, &answer, NULL),
                     0);
    fixture_wait(fixture, &answer);
    assert_null(answer.reply.failure);
    return answer.reply.job;
}

struct job_info *fixture_wait_running(struct fixture *fixture, const char *name)
{
    usec_t deadline = clock_boot() + PATIENCE;

    for (;;) {
        struct job_info *job = fixture_get(fixture, name);

        if (job->state == HOIST_STATE_RUNNING)
            return job;
        assert_int_equal(job->state, HOIST_STATE_STARTING);
        job_info_free(job);
        assert_true(clock_boot() < deadline);
        fixture_settle(fixture);
    }
}

unsigned fixture_directories(struct fixture *fixture)
{
    char path[96];
    unsigned count = 0;
    DIR *listing;

    snprintf(path, sizeof(path), "%s/jobs", fixture->dir);
    listing = opendir(path);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}
