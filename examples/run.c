/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <hoist/hoist.h>

/*
 * run STATE-DIR COMMAND [ARG…]: runs a command as a job, in this process, with libhoist alone.
 *
 * As root the job is isolated and limited as by the agent; as an ordinary user it runs in a user
 * namespace. HOIST_INIT names a hoist-init that is not installed.
 */

static int show(const struct hoist_chunk *chunk, void *userdata)
{
    int fd = chunk->stream == HOIST_STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO;

    (void)userdata;
    return write(fd, chunk->data, chunk->data_size) == (ssize_t)chunk->data_size ? 0 : 1;
}

static int fail(const char *what, const struct hoist_error *error)
{
    fprintf(stderr, "%s: %s (%s)\n", what, error->text, hoist_reason_name(error->reason));
    return 125;
}

int main(int argc, char *argv[])
{
    struct hoist_options options = HOIST_OPTIONS_INIT;
    struct hoist_start_input start = HOIST_START_INPUT_INIT;
    struct hoist_limits limits = HOIST_LIMITS_INIT;
    struct hoist_output_input output = HOIST_OUTPUT_INPUT_INIT;
    struct hoist_wait_input wait = HOIST_WAIT_INPUT_INIT;
    struct hoist_error error;
    struct hoist *hoist;
    struct hoist_job *job, *ended;

    if (argc < 3)
        return fprintf(stderr, "usage: %s STATE-DIR COMMAND [ARG...]\n", argv[0]), 2;
    options.state_dir = argv[1];
    options.init_path = getenv("HOIST_INIT");
    if (hoist_open(&options, &hoist, &error) < 0)
        return fail("open", &error);

    limits.memory_max = (struct hoist_amount){.value = 64 << 20, .given = 1};
    limits.pids_max = (struct hoist_amount){.value = 32, .given = 1};
    start.argv = (const char *const *)argv + 2;
    start.limits = &limits;
    start.allow_unenforced = 1; /* hosts differ; the job says what is in force */
    if (hoist_start(hoist, &start, &job, &error) < 0)
        return fail("start", &error);
    for (size_t i = 0; i < job->limit_count; i++)
        fprintf(stderr, "%s: %s (%s)\n", job->limits[i].name,
                job->limits[i].enforced ? "in force" : "not in force", job->limits[i].detail);

    output.name = wait.name = job->id;
    output.follow = 1;
    output.chunk = show;
    if (hoist_output(hoist, &output, NULL, &error) < 0)
        return fail("output", &error);
    if (hoist_wait(hoist, &wait, &ended, &error) < 0)
        return fail("wait", &error);
    fprintf(stderr, "%s: %s\n", hoist_state_name(ended->state), hoist_cause_name(ended->cause));
    int code = ended->has_exit_code ? ended->exit_code : 128 + ended->signal;
    hoist_job_free(job);
    hoist_job_free(ended);
    hoist_close(hoist);
    return code;
}
