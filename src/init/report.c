/* SPDX-License-Identifier: Apache-2.0 */
#include "init/report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

int report_open(struct report *report, int fd, struct id *ret_job, struct error *err)
{
    struct state_file file;
    int r = state_file_read(fd, &file, err);

    if (r < 0)
        return r;
    if (file.progress.sequence > 0 || file.has_exit)
        return error_set(err, -EEXIST, "the job was started already");
    *report = (struct report){.fd = fd};
    *ret_job = file.job;
    return 0;
}

static void write_progress(struct report *report)
{
    (void)state_file_write_progress(report->fd, &report->progress);
}

void report_started(struct report *report, pid_t command_pid)
{
    struct state_progress *progress = &report->progress;

    if (progress->phase == STATE_PHASE_CREATED)
        progress->phase = STATE_PHASE_STARTED;
    progress->command_pid = command_pid;
    progress->started_wall = clock_wall();
    progress->started_boot = clock_boot();
    write_progress(report);
}

void report_start_failed(struct report *report, enum spawn_failure failure, int code,
                         const char *sentence)
{
    struct state_progress *progress = &report->progress;

    progress->phase = STATE_PHASE_START_FAILED;
    progress->failure = failure;
    progress->error_code = code;
    progress->sentence[0] = '\0';
    strncat(progress->sentence, sentence, sizeof(progress->sentence) - 1);
    write_progress(report);
    (void)fdatasync(report->fd);
}

void report_stop(struct report *report, const struct stop *stop)
{
    struct state_progress *progress = &report->progress;

    if (progress->stop_reason == STATE_STOP_NONE)
        progress->stop_wall = clock_wall();
    if (progress->phase != STATE_PHASE_DRAINING)
        progress->phase = STATE_PHASE_STOPPING;
    progress->stop_reason = stop->reason;
    progress->stop_signal = stop->signal;
    progress->kill_boot = stop->deadline;
    progress->killed = stop->killed;
    write_progress(report);
}

void report_draining(struct report *report)
{
    report->progress.phase = STATE_PHASE_DRAINING;
    write_progress(report);
}

void report_flag(struct report *report, enum state_flags flag, bool on, int code)
{
    struct state_progress *progress = &report->progress;
    uint32_t flags = on ? progress->flags | (uint32_t)flag : progress->flags & ~(uint32_t)flag;

    if (flags == progress->flags)
        return;
    progress->flags = flags;
    progress->error_code = flags & STATE_WAITING_FOR_DISK ? code : 0;
    write_progress(report);
}

void report_gap(struct report *report, uint64_t start, uint64_t end)
{
    struct state_progress *progress = &report->progress;

    if (end == progress->gap_end)
        return;
    progress->gap_start = start;
    progress->gap_end = end;
    write_progress(report);
}

int report_exit(struct report *report, const struct state_exit *exit)
{
    int r = state_file_write_exit(report->fd, exit);

    if (r < 0)
        return r;
    return fdatasync(report->fd) < 0 ? -errno : 0;
}
