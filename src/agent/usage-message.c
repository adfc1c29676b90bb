/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/usage-message.h"

#include <errno.h>
#include <string.h>

#include "api/moment.h"
#include "base/strv.h"
#include "worker/job-info.h"

/* The controllers whose figures clients would look for in vain. */
static int fill_missing(const struct job_usage *usage, Hoist__V1__Usage *message)
{
    static const struct {
        uint32_t known;
        const char *name;
    } controllers[] = {
        {CGROUP_KNOWS_CPU, "cpu"},
        {CGROUP_KNOWS_MEMORY, "memory"},
        {CGROUP_KNOWS_IO, "io"},
        {CGROUP_KNOWS_PIDS, "pids"},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(controllers); i++)
        if (!(usage->cgroup.known & controllers[i].known))
            r = api_append_text(&message->n_missing, &message->missing, controllers[i].name);
    return r;
}

static int fill_throttled(const struct job_usage *usage, Hoist__V1__Usage *message)
{
    int r = 0;

    if (usage->throttled & JOB_THROTTLED_CPU)
        r = api_append_text(&message->n_throttled, &message->throttled, "cpu");
    if (r == 0 && usage->throttled & JOB_THROTTLED_MEMORY)
        r = api_append_text(&message->n_throttled, &message->throttled, "memory");
    return r;
}

static void copy_figures(const struct cgroup_usage *cgroup, Hoist__V1__Usage *message)
{
    message->cpu_usec = cgroup->cpu_usec;
    message->cpu_user_usec = cgroup->cpu_user_usec;
    message->cpu_system_usec = cgroup->cpu_system_usec;
    message->cpu_throttled_usec = cgroup->throttled_usec;
    message->cpu_throttled_periods = cgroup->throttled_periods;
    message->memory_current = cgroup->memory_current;
    message->memory_peak = cgroup->memory_peak;
    message->memory_anon = cgroup->memory_anon;
    message->memory_file = cgroup->memory_file;
    message->memory_kernel = cgroup->memory_kernel;
    message->swap_current = cgroup->swap_current;
    message->memory_high_events = cgroup->memory_high_events;
    message->oom_kills = cgroup->oom_kill;
    message->io_read_bytes = cgroup->io_read_bytes;
    message->io_write_bytes = cgroup->io_write_bytes;
    message->io_read_ops = cgroup->io_read_operations;
    message->io_write_ops = cgroup->io_write_operations;
    message->pids_current = cgroup->pids_current;
    message->pids_refused = cgroup->pids_refused;
}

/* Averages come in hundredths of a percent. */
static Hoist__V1__Pressure *pressure_new(uint64_t some_avg10, uint64_t full_avg10,
                                         uint64_t some_usec, uint64_t full_usec)
{
    Hoist__V1__Pressure *pressure = api_new(hoist__v1__pressure);

    if (!pressure)
        return NULL;
    pressure->some_percent = (double)some_avg10 / 100;
    pressure->full_percent = (double)full_avg10 / 100;
    pressure->some_usec = some_usec;
    pressure->full_usec = full_usec;
    return pressure;
}

static int fill_pressure(const struct job_usage *usage, Hoist__V1__Usage *message)
{
    const struct cgroup_usage *cgroup = &usage->cgroup;

    if (!(cgroup->known & CGROUP_KNOWS_PRESSURE))
        return 0;
#define PRESSURE(name)                                                                             \
    pressure_new(cgroup->psi_##name##_some_avg10, cgroup->psi_##name##_full_avg10,                 \
                 cgroup->psi_##name##_some_usec, cgroup->psi_##name##_full_usec)
    message->cpu_pressure = PRESSURE(cpu);
    message->memory_pressure = PRESSURE(memory);
    message->io_pressure = PRESSURE(io);
#undef PRESSURE
    return message->cpu_pressure && message->memory_pressure && message->io_pressure ? 0 : -ENOMEM;
}

static int fill_interval(const struct job_usage *usage, Hoist__V1__Usage *message)
{
    if (usage->interval == 0)
        return 0;
    message->cpu_percent = usage->cpu_percent;
    message->io_ops_per_second = usage->io_ops_per_second;
    message->io_bytes_per_second = usage->io_bytes_per_second;
    return api_duration_set(&message->interval, usage->interval);
}

/* "cpu.stat.usage_usec 123" is cut at its only blank. */
static int fill_statistics(const struct job_usage *usage, Hoist__V1__Usage *message)
{
    for (char **line = usage->statistics; line && *line; line++) {
        Hoist__V1__Statistic *statistic = api_new(hoist__v1__statistic);
        const char *blank = strchr(*line, ' ');
        _cleanup_free_ char *name = blank ? strndup(*line, (size_t)(blank - *line)) : NULL;
        int r = statistic && name ? api_set_text(&statistic->name, name) : -ENOMEM;

        if (r == 0)
            r = api_set_text(&statistic->value, blank + 1);
        if (r == 0)
            r = api_append_take(&message->n_statistics, &message->statistics, statistic);
        if (r < 0) {
            api_free(statistic ? &statistic->base : NULL);
            return r;
        }
    }
    return 0;
}

Hoist__V1__Usage *usage_to_message(const struct job_usage *usage)
{
    static int (*const parts[])(const struct job_usage *usage, Hoist__V1__Usage *message) = {
        fill_interval, fill_missing, fill_throttled, fill_pressure, fill_statistics,
    };
    _cleanup_api_message_ Hoist__V1__Usage *message = api_new(hoist__v1__usage);

    if (!message || api_timestamp_set(&message->read_time, usage->read_time) < 0)
        return NULL;
    copy_figures(&usage->cgroup, message);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i](usage, message) < 0)
            return NULL;
    return TAKE_PTR(message);
}
